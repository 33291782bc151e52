"""One suite for each interface, run by every implementation of it."""
