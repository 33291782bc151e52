"""Trackers, beyond the contract that all of them are held to."""
