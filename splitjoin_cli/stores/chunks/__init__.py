"""Stored chunks, by their places and by their events."""
