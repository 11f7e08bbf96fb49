"""What stands around every message: Dramatiq's hooks, RabbitMQ, the meters, and traces."""
