"""Private instances of real servers for tests, trials, benches and chaos; loopback only."""
