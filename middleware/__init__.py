"""What stands around every message: Dramatiq's hooks, RabbitMQ, and the meters."""
