"""The split flow: find the records, plan the chunks, move the bytes."""
