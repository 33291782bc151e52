"""The AWS clients, and how S3 and SQS are called."""
