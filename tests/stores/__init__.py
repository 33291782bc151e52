"""Tests of splitjoin_cli/stores."""
