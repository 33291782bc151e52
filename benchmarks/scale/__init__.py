"""How long, how dear and by what bounded the whole pattern is from a terabyte to a petabyte, by simulation."""
