"""A split on two Dask workers beside the same one on threads, and beside what others cut files with on a cluster."""
