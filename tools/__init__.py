"""What the Makefile and the README use: not part of the package."""
