"""Tests of splitjoin_cli/api/page."""
