"""Tests of splitjoin_cli/splitting/records."""
