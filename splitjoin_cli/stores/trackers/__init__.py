"""Where the progress of each job is kept."""
