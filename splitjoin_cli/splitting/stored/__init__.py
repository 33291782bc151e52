"""What is done with a split that is stored: verify and merge."""
