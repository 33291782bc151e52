"""Where the chunks go."""
