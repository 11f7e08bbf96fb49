"""Certificates made on the spot: an authority and what it has signed."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


@dataclass(frozen=True)
class Pair:
    """PEM files of one certificate and its key."""

    cert: Path
    key: Path


class Authority:
    """Signs certificates; `ca` is the file by which it is believed."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder = folder
        self._name = _named(name)
        self._key = ec.generate_private_key(ec.SECP256R1())
        certificate = (
            _builder(self._name, self._name, self._key)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(self._key, hashes.SHA256())
        )
        self.ca = folder / f"{name}.pem"
        self.ca.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))

    def issue(self, *hosts: str) -> Pair:
        """A certificate for these names and addresses."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = (
            _builder(_named(hosts[0]), self._name, key)
            .add_extension(x509.SubjectAlternativeName([_host(host) for host in hosts]), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        stem = self._folder / f"{self.ca.stem}-{hosts[0].replace(':', '_')}"
        pair = Pair(stem.with_suffix(".crt"), stem.with_suffix(".key"))
        pair.cert.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        pair.key.write_bytes(_private(key))
        return pair


def self_signed(folder: Path, name: str, *, since: float = -1, until: float = 2) -> Path:
    """A PEM file with key and certificate of a host, signed by itself; valid from and until so many days from now."""
    key = ec.generate_private_key(ec.SECP256R1())
    return _file(folder, name, key, _builder(_named(name), _named(name), key, since, until), key)


def signed(folder: Path, name: str, authority: str) -> Path:
    """The same, signed by an authority that nobody knows."""
    key = ec.generate_private_key(ec.SECP256R1())
    return _file(
        folder, name, key, _builder(_named(name), _named(authority), key), ec.generate_private_key(ec.SECP256R1())
    )


Key = ec.EllipticCurvePrivateKey


def _file(folder: Path, name: str, key: Key, made: x509.CertificateBuilder, by: Key) -> Path:
    path = folder / f"{name}.pem"
    certificate = made.add_extension(x509.SubjectAlternativeName([_host(name)]), critical=False).sign(
        by, hashes.SHA256()
    )
    path.write_bytes(_private(key) + certificate.public_bytes(serialization.Encoding.PEM))
    return path


def _private(key: Key) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _builder(
    subject: x509.Name, issuer: x509.Name, key: Key, since: float = -0.1, until: float = 1
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + timedelta(days=since))
        .not_valid_after(now + timedelta(days=until))
    )


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _host(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)
