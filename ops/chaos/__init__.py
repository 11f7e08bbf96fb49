"""Is anything ever lost? The whole system on private real servers, under seeded faults, judged from outside."""
