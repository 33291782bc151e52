"""What takes minutes: `make soak`, not `make test`."""
