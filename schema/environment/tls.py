"""How a connection to MySQL or RabbitMQ is encrypted, and which certificates it trusts, as a URL's parameters say."""

from __future__ import annotations

import ssl
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Tls:
    """Files are paths of PEM; without `ca` the system's authorities are trusted."""

    ca: str | None = None
    cert: str | None = None  # of the client, where the server wants one; may hold its key, too
    key: str | None = None
    trusted: bool = True  # The certificate must come from a trusted authority.
    named: bool = True  # It must be the host's own.
    name: str | None = None  # The name in the certificate, where that is not the host's.

    def context(self) -> ssl.SSLContext:
        """The driver's context; OSError (ssl.SSLError is one) for files that cannot be used."""
        context = ssl.create_default_context(cafile=self.ca)
        # Python 3.13 is stricter than the certificates that MySQL makes for itself.
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        context.check_hostname = self.trusted and self.named
        context.verify_mode = ssl.CERT_REQUIRED if self.trusted else ssl.CERT_NONE
        if self.cert is not None:
            context.load_cert_chain(self.cert, self.key, password="")  # no server asks a terminal for a password
        return context
