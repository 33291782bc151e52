"""Bodies that are carried without botocore."""
