"""The report page of one job: a file of HTML that needs nothing beside it."""
