"""Carries the bodies of S3's requests: as botocore would, at a fraction of the CPU time; see docs/decisions."""
