"""What a user would pick instead, as its own documentation writes it: run and counted by the benches, never shipped."""
