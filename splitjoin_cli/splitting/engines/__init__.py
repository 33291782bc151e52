"""Where a split's work runs when it does not run on threads here: its units, who hands them out, who runs them."""
