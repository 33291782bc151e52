"""The command line: a command parses, calls one core function with plain values, renders the result."""
