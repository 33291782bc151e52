"""Tests of splitjoin_cli/join/operate."""
