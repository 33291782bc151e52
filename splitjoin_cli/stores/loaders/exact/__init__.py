"""Exact values: rules by declared type that tell a value that a database changes from one that it only respells."""
