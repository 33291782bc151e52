"""What every layer uses: errors, names, ranges, units, documents, bytes."""
