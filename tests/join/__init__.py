"""Tests of the join flow."""
