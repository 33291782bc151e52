"""Both flows in one process: the worker's own code, with deliveries, failures and crashes drawn from one seed."""
