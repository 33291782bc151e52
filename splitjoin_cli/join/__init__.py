"""From chunk-arrived events to the join: load, count, claim, continue, finish, each as often as it should be."""
