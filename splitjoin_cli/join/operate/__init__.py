"""What an operator does to jobs: status, retry, reconcile."""
