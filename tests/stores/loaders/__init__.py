"""Tests of the parts that loaders are made of, and of what is special to one of them."""
