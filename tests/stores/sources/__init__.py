"""Tests of what single sources do beyond the contract that all of them keep."""
