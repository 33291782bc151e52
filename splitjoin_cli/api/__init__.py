"""What composes the parts: from options and URLs to sources, sinks, trackers and loaders."""
