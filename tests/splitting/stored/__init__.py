"""Tests of splitjoin_cli/splitting/stored."""
