"""Buffers, codecs and checksums."""
