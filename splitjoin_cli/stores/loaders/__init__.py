"""Databases that take chunks: one contract (base.py), one module each."""
