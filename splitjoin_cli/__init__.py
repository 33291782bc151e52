"""Split large CSV exports into exact, resumable chunks, and join when every chunk is loaded, exactly once."""

__version__ = "0.1.0"
