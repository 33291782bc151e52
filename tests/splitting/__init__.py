"""Tests of splitting, verifying and merging."""
