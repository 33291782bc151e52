"""What a delimited file is, from samples of its bytes: pure functions, which read nothing themselves."""
