"""The real coordinator of an engine on a simulated cluster and store: time, memory, and whether workers wait for it."""
