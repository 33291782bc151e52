"""Shows what databases make of values by default, and with --exact-values: docs/values.md."""
