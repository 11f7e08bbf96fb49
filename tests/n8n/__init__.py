"""The workflows of ops/n8n in a real n8n, against the whole system."""
