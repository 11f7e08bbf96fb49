"""Running, measuring and breaking reportq: servers for trials, command line, benches, chaos."""
