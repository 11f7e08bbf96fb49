"""Which addresses callbacks may go to beyond the public internet: the setting REPORTQ_WEBHOOK_ALLOW.

Entries are separated by commas: `host`, `host:port`, `network/prefix`, `network/prefix:port`; with a port an
IPv6 address or network stands in brackets (`[fd00::/8]:5678`). Without a port every port is meant.

A listed network opens exactly its addresses. A listed host opens each private or loopback address its name resolves to.
It never opens link-local, multicast or unspecified ones: the owner of that name in DNS must not point us at those.
The metadata services of clouds stay closed. Only an entry with their very address opens them.

A port below 1024 other than 80 and 443 is opened by an entry for that entry's host or network alone.
"""

import ipaddress
import re
from collections.abc import Iterator, Set
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Self
from urllib.parse import urlsplit

from ssrfguard import DEFAULT_DENIED, AddressTable, Block, BlockedAddressError, Observer, Policy, Reach, Target

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

# What a listed host name may resolve to beside public addresses.
_PRIVATE: tuple[Network, ...] = tuple(
    map(
        ipaddress.ip_network,
        ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "127.0.0.0/8", "fc00::/7", "::1/128"],
    )
)
# Where clouds answer a machine that asks who it is, and give it their credentials.
_METADATA: frozenset[int] = frozenset(
    int(ipaddress.ip_address(address))
    for address in (
        "169.254.169.254",  # AWS, Azure, Google, Oracle, OpenStack and most others
        "fd00:ec2::254",  # AWS
        "169.254.170.2",  # AWS: ECS
        "169.254.170.23",  # AWS: EKS
        "fd00:ec2::23",  # AWS: EKS
        "fd20:ce::254",  # Google
        "169.254.169.252",  # Google: GKE
        "168.63.129.16",  # Azure: a public address, answered by the host
        "192.0.0.192",  # Oracle
        "fd00:c1::a9fe:a9fe",  # Oracle
        "100.100.100.200",  # Alibaba
        "fd00:100::100:200",  # Alibaba
        "169.254.0.23",  # Tencent
        "169.254.10.10",  # Tencent
        "169.254.42.42",  # Scaleway
        "fd00:42::42",  # Scaleway
        "fd00:a9fe:a9fe::1",  # Akamai
        "fe80::a9fe:a9fe",  # OpenStack, Akamai
        "169.254.169.250",  # Rancher
    )
)
# Which four bytes of an IPv6 address may be an IPv4 address. The forms are IPv4-mapped and the like, NAT64 with each
# length of prefix (RFC 6052 §2.2), and 6to4. A network chooses its own prefix for NAT64.
_IPV4_WITHIN = (
    (12, 13, 14, 15), (4, 5, 6, 7), (5, 6, 7, 9), (6, 7, 9, 10), (7, 9, 10, 11), (9, 10, 11, 12), (2, 3, 4, 5),
)  # fmt: skip
# "IPv4-translated" addresses (RFC 2765 §2.1) lead to the IPv4 address in their last half; ssrfguard does not know them.
_DENIED = AddressTable(
    (
        *DEFAULT_DENIED.blocks,
        Block(ipaddress.ip_network("::ffff:0:0:0/96"), "IPv4-translated", "RFC 2765", Reach.DENIED),
    )
)
_ALL_DENIED = AddressTable(
    tuple(
        Block(ipaddress.ip_network(network), "not listed", "REPORTQ_WEBHOOK_ALLOW", Reach.DENIED)
        for network in ("0.0.0.0/0", "::/0")
    )
)


class _Ports(Set[int]):
    """The ports of a policy as a rule. A set of numbers would take 4 MB in every process."""

    def __init__(self, extra: int | None = None) -> None:
        self._extra = extra

    def __contains__(self, port: object) -> bool:
        # Mail, DNS, SSH and the like live below 1024. Only the two ports of HTTP are open there without an entry.
        return isinstance(port, int) and (port in (80, 443, self._extra) or 1024 <= port <= 65535)

    def __iter__(self) -> Iterator[int]:
        return (port for port in range(65536) if port in self)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    __hash__ = Set._hash


class _Guard(Policy):
    """The library's policy with these ports. The library alone would turn them into a frozenset."""

    def __post_init__(self) -> None:
        ports = self.allowed_ports
        object.__setattr__(self, "allowed_ports", {80, 443})  # it looks at every single one, which takes milliseconds
        super().__post_init__()
        object.__setattr__(self, "allowed_ports", ports)

    def check_address(self, address: str | IPAddress) -> None:
        """Raises BlockedAddressError also for a cloud's metadata in a network that is open."""
        parsed = ipaddress.ip_address(address) if isinstance(address, str) else address
        if is_metadata(parsed) and ipaddress.ip_network(parsed.packed) not in self.allowed_networks:
            raise BlockedAddressError(str(parsed), "a cloud's metadata service")
        super().check_address(parsed)


class _ListedGuard(_Guard):
    """The policy of a listed host. Its name may hold underscores, as Docker's do; the library refuses those."""

    def check_url(self, url: str, *, observer: Observer | None = None) -> Target:
        target = super().check_url(url.replace("_", "a"), observer=observer)
        host = (urlsplit(url).hostname or "") if "_" in url else target.host
        return replace(target, host=host, host_as_written=host)


_PUBLIC_PORTS = _Ports()
_HOST = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)(\.(?!-)[a-z0-9_-]{1,63}(?<!-))*", re.ASCII)


@dataclass(frozen=True, slots=True)
class AllowList:
    """Parsed entries; a port of None stands for every port."""

    hosts: frozenset[tuple[str, int | None]] = frozenset()
    networks: tuple[tuple[Network, int | None], ...] = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read the setting's value. Raises ValueError with a sentence that names the entry at fault."""
        hosts: set[tuple[str, int | None]] = set()
        networks: list[tuple[Network, int | None]] = []
        for entry in (part.strip() for part in text.split(",")):
            if not entry:
                continue
            place, port = _split_port(entry)
            network = _network(place, entry)
            if network is None:
                hosts.add((_host(place, entry), port))
            else:
                networks.append((network, port))
        return cls(frozenset(hosts), tuple(networks))

    def port_is_open(self, host: str, port: int) -> bool:
        """Whether this port may be called on that host (as the resolver sees it), were its address a listed one."""
        if port in _PUBLIC_PORTS or self._lists_host(host, port):
            return True
        try:
            address = ipaddress.ip_address(host)
        except ValueError:  # a name: the policy sees to it that it leads into a network whose entry opens the port
            return bool(self._networks_of(port))
        return any(address in network for network in self._networks_of(port))

    def policy_for(self, host: str, port: int) -> Policy:
        """The guard's policy for one origin; `host` as the resolver sees it."""
        networks = self._networks_of(port)
        if self._lists_host(host, port):
            return _policy(networks + _PRIVATE, None if port in _PUBLIC_PORTS else port, guard=_ListedGuard)
        if port in _PUBLIC_PORTS or not networks:
            return _policy(networks, None)
        return _policy(networks, port, only_these=True)

    def _networks_of(self, port: int) -> tuple[Network, ...]:
        return tuple(network for network, listed in self.networks if listed in (None, port))

    def _lists_host(self, host: str, port: int) -> bool:
        name = host.rstrip(".").lower()
        return (name, port) in self.hosts or (name, None) in self.hosts


def is_metadata(address: IPAddress) -> bool:
    """Whether a cloud's metadata service answers there, also as an IPv4 address within one of IPv6."""
    if int(address) in _METADATA:
        return True
    packed = address.packed
    return address.version == 6 and any(
        int.from_bytes(bytes(packed[place] for place in places), "big") in _METADATA for places in _IPV4_WITHIN
    )


def resolver_name(host: str) -> str:
    """The host as the connection asks for it (urllib3 by IDNA 2008; others would look `ß` up as `ss`).

    Raises ValueError when nothing can be asked for.
    """
    if host.isascii():
        return host.lower()
    import idna  # its tables take memory that most processes never need

    return idna.encode(host.lower(), strict=True, std3_rules=True).decode("ascii")


@lru_cache(maxsize=256)
def _policy(
    networks: tuple[Network, ...], extra_port: int | None, *, only_these: bool = False, guard: type[_Guard] = _Guard
) -> Policy:
    """Policies are few and shared: each owns a pool of connections in the sender."""
    return guard(
        denied_networks=_ALL_DENIED if only_these else _DENIED,
        allowed_networks=networks,
        allowed_ports=_PUBLIC_PORTS if extra_port is None else _Ports(extra_port),  # type: ignore[arg-type]
        # A name with a listed and an unlisted address (localhost: 127.0.0.1 and ::1) is called on the listed one.
        # Without any entry, a name that is public and private at once is a probe.
        on_partial_block="drop" if networks else "reject",
        max_redirects=0,
    )


def _split_port(entry: str) -> tuple[str, int | None]:
    """`place` and port of one entry."""
    bracketed = re.fullmatch(r"\[([^\]]+)\](/\d+)?(?::(\w*))?", entry)
    if bracketed:
        place, digits = bracketed[1] + (bracketed[2] or ""), bracketed[3]
    elif entry.count(":") > 1:  # an IPv6 address or network without a port
        return entry, None
    else:
        place, colon, digits = entry.partition(":")
        if not colon:
            return entry, None
    if digits is None:
        return place, None
    if not (digits.isascii() and digits.isdigit() and 1 <= int(digits) <= 65535):
        raise ValueError(f"{entry!r}: {digits!r} is not a port between 1 and 65535.")
    return place, int(digits)


def _network(place: str, entry: str) -> Network | None:
    """The network or single address that `place` writes down, or None for a host name."""
    if "/" not in place and ":" not in place and not re.fullmatch(r"[0-9.]+", place):
        return None
    try:
        network = ipaddress.ip_network(place)
    except ValueError as error:
        raise ValueError(f"{entry!r} is not an address or network: {error}.") from None
    if network.prefixlen == 0:
        raise ValueError(f"{entry!r} would switch the protection off: name the hosts or networks meant.")
    try:
        _policy((network,), None)
    except ValueError:
        raise ValueError(f"{entry!r} hides IPv4 addresses inside IPv6: list the IPv4 network itself.") from None
    return network


def _host(place: str, entry: str) -> str:
    """A host name in the form the resolver sees, lower case and without a trailing dot."""
    name = place.rstrip(".").lower()
    try:
        name = resolver_name(name)
    except ValueError:
        raise ValueError(f"{entry!r} is not a usable host name.") from None
    if not _HOST.fullmatch(name):
        raise ValueError(f"{entry!r} is not an entry: write host, host:port, network/prefix or network/prefix:port.")
    return name
