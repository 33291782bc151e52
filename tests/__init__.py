"""The tests: a folder for each part, contracts/ for what every implementation must do, servers/ to run against."""
