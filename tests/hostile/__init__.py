"""Documents that somebody else wrote: of the right shape, with any values."""
