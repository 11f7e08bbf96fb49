"""Why a TLS connection failed: OpenSSL's reason as a sentence for people."""

import ssl

_PLAIN = "The port does not speak TLS: the URL must begin with http://, or name the port that does."
_CLOSED = (
    "The connection was closed in the middle of the TLS handshake. If the port speaks plain HTTP, the URL must begin "
    "with http://."
)
_OLD = "The host and callbacks have no version of TLS in common: it must speak TLS 1.2 or newer."
_CLIENT = "The host wants a client certificate, and callbacks present none."
_NO_SUCH_NAME = "The host has no certificate for the name in the URL."
_ANOTHER_NAME = "The host's certificate was not accepted: it is for another name than the one in the URL."
_OWN = "The host's certificate was not accepted: it is signed by itself. Have it signed by an authority trusted here."
_UNKNOWN = (
    "The host's certificate was not accepted: it is signed by an authority unknown here, or the host does not send the "
    "certificates in between."
)
_WEAK = "The host's certificate was not accepted: its key or signature is too weak."

_REASONS = {
    "WRONG_VERSION_NUMBER": _PLAIN,
    "HTTP_REQUEST": _PLAIN,
    "UNKNOWN_PROTOCOL": _PLAIN,
    "PACKET_LENGTH_TOO_LONG": _PLAIN,
    "RECORD_LAYER_FAILURE": _PLAIN,
    "UNEXPECTED_EOF_WHILE_READING": _CLOSED,
    "UNSUPPORTED_PROTOCOL": _OLD,
    "TLSV1_ALERT_PROTOCOL_VERSION": _OLD,
    "WRONG_SSL_VERSION": _OLD,
    "VERSION_TOO_LOW": _OLD,
    "NO_PROTOCOLS_AVAILABLE": _OLD,
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": _CLIENT,
    "SSLV3_ALERT_BAD_CERTIFICATE": _CLIENT,  # Go's word for none
    "SSLV3_ALERT_NO_CERTIFICATE": _CLIENT,
    "SSLV3_ALERT_HANDSHAKE_FAILURE": (
        "The host broke the TLS handshake off: it wants a client certificate, which callbacks do not present, or has no "
        "cipher in common with them."
    ),
    "TLSV1_UNRECOGNIZED_NAME": _NO_SUCH_NAME,
    "TLSV1_ALERT_INTERNAL_ERROR": (
        "The host broke the TLS handshake off with an error of its own: perhaps it has no certificate for the name in the URL."
    ),
    "DH_KEY_TOO_SMALL": _WEAK,
}
# X509_V_ERR_…, openssl/x509_vfy.h
_VERIFICATION = {
    2: _UNKNOWN,
    9: "The host's certificate was not accepted: it is not valid yet. Look at the clocks of both machines.",
    10: "The host's certificate was not accepted: it has expired. Renew it.",
    18: _OWN,
    19: _UNKNOWN,
    20: _UNKNOWN,
    21: _UNKNOWN,
    23: "The host's certificate was not accepted: it is revoked.",
    62: _ANOTHER_NAME,
    64: _ANOTHER_NAME,
    66: _WEAK,
    67: _WEAK,
    68: _WEAK,
}


def tls_fault(error: ssl.SSLError | None) -> str:
    """The sentence: what is wrong, and what a person can do."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return _VERIFICATION.get(error.verify_code, f"The host's certificate was not accepted: {error.verify_message}.")
    if isinstance(error, ssl.SSLEOFError):
        return _CLOSED
    reason = (error.reason if error else None) or ""
    named = f" ({reason.lower().replace('_', ' ')})" if reason else ""
    return _REASONS.get(reason, f"The TLS connection could not be made{named}.")


def is_before_any_request(error: ssl.SSLError | None) -> bool:
    """Whether nothing was received although the request was sent: TLS 1.3 asks for client certificates late."""
    return error is not None and _REASONS.get(error.reason or "") == _CLIENT
