"""Real servers that tests start: on the loopback interface, on free ports, in a temporary directory, ended by pid."""
