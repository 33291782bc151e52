"""Tests of what a file is said to be."""
