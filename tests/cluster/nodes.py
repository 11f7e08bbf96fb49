"""Private RabbitMQ nodes that form a cluster."""

from pathlib import Path

from ops.servers.process import wait_until
from ops.servers.rabbitmq import RabbitMQ


def cluster(folder: Path, size: int = 3, timeout: float = 120) -> list[RabbitMQ]:
    """So many fresh nodes that find each other while they start: quicker than one `join` after the other."""
    nodes = [RabbitMQ(folder / f"node-{number}") for number in range(size)]
    found = {"cluster_formation.peer_discovery_backend": "classic_config"}
    for number, node in enumerate(nodes, 1):
        found[f"cluster_formation.classic_config.nodes.{number}"] = node.node
    for node in nodes:
        node.settings |= found
        node.password, node.admin_password = nodes[0].password, nodes[0].admin_password
        node.launch()
    for node in nodes:
        node.wait_ready(timeout)
    first = nodes[0]
    wait_until(lambda: len(first.api("GET", "nodes")) == size, timeout, f"a cluster of {size} nodes")
    return nodes


def join(fresh: RabbitMQ, other: RabbitMQ, timeout: float = 60) -> None:
    """Make this fresh node a member of the other's cluster; its users are the other's from then on."""
    fresh.ctl("stop_app")
    fresh.ctl("reset")
    fresh.ctl("join_cluster", other.node)
    fresh.password, fresh.admin_password = other.password, other.admin_password
    fresh.write_definitions()  # imported at each start: its passwords must be the cluster's
    fresh.ctl("start_app")
    wait_until(fresh.answers, timeout, f"{fresh.node} in the cluster")
