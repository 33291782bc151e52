"""The installed command from end to end, against real servers and directories."""
