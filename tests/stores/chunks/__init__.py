"""Tests of stored chunks as the worker reads them."""
