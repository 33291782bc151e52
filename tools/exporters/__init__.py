"""What real exporters write of one awkward table, and what each database makes of it: ``python -m tools.exporters``."""
