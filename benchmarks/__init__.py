"""The comparison with the peers: ``python -m benchmarks`` measures, on this machine, what the README says of speed."""
