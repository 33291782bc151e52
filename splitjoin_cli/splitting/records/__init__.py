"""The scanner: where records begin and end."""
