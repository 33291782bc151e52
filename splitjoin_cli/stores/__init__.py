"""Sources, sinks, chunks, trackers and loaders: each a base.py and its implementations."""
