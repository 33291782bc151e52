"""Tests of splitjoin_cli/core/aws."""
