"""What works on which S3-compatible store, from real runs of the installed command: ``python -m tools.stores``."""
