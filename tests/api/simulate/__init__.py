"""Tests of splitjoin_cli/api/simulate."""
