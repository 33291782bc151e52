"""The documents of a split: plan, manifest and chunk metadata."""
