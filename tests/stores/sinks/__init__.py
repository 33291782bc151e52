"""Tests of what single sinks do beyond their contract."""
