"""Why a TLS connection failed: OpenSSL's reason as a sentence for people."""

import ssl

_CLOSED = (
    "The connection was closed in the middle of the TLS handshake. If the port speaks plain HTTP, the URL must begin "
    "with http://."
)
_CLIENT = "The host wants a client certificate, and callbacks present none."
_TOO_WEAK = "its key or signature is too weak."

# Sentences, each with the reasons that it is said for: OpenSSL's names.
_SAID_FOR = {
    "The port does not speak TLS: the URL must begin with http://, or name the port that does.": (
        "WRONG_VERSION_NUMBER HTTP_REQUEST UNKNOWN_PROTOCOL PACKET_LENGTH_TOO_LONG RECORD_LAYER_FAILURE"
    ),
    _CLOSED: "UNEXPECTED_EOF_WHILE_READING",
    "The host and callbacks have no version of TLS in common: it must speak TLS 1.2 or newer.": (
        "UNSUPPORTED_PROTOCOL TLSV1_ALERT_PROTOCOL_VERSION WRONG_SSL_VERSION VERSION_TOO_LOW NO_PROTOCOLS_AVAILABLE"
    ),
    # The second one is Go's word for none.
    _CLIENT: "TLSV13_ALERT_CERTIFICATE_REQUIRED SSLV3_ALERT_BAD_CERTIFICATE SSLV3_ALERT_NO_CERTIFICATE",
    "The host broke the TLS handshake off: it wants a client certificate, which callbacks do not present, or has no "
    "cipher in common with them.": "SSLV3_ALERT_HANDSHAKE_FAILURE",
    "The host has no certificate for the name in the URL.": "TLSV1_UNRECOGNIZED_NAME",
    "The host broke the TLS handshake off with an error of its own: perhaps it has no certificate for the name in the "
    "URL.": "TLSV1_ALERT_INTERNAL_ERROR",
    f"The host's certificate was not accepted: {_TOO_WEAK}": "DH_KEY_TOO_SMALL",
}
_REASONS = {reason: sentence for sentence, reasons in _SAID_FOR.items() for reason in reasons.split()}
# How a certificate is not accepted, with the numbers of X509_V_ERR_… (openssl/x509_vfy.h).
_NOT_ACCEPTED = {
    "it is not valid yet. Look at the clocks of both machines.": (9,),
    "it has expired. Renew it.": (10,),
    "it is signed by itself. Have it signed by an authority trusted here.": (18,),
    "it is signed by an authority unknown here, or the host does not send the certificates in between.": (
        2,
        19,
        20,
        21,
    ),
    "it is revoked.": (23,),
    "it is for another name than the one in the URL.": (62, 64),
    _TOO_WEAK: (66, 67, 68),
}
_VERIFICATION = {number: why for why, numbers in _NOT_ACCEPTED.items() for number in numbers}


def tls_fault(error: ssl.SSLError | None) -> str:
    """The sentence: what is wrong, and what a person can do."""
    if isinstance(error, ssl.SSLCertVerificationError):
        why = _VERIFICATION.get(error.verify_code, f"{error.verify_message}.")
        return f"The host's certificate was not accepted: {why}"
    if isinstance(error, ssl.SSLEOFError):
        return _CLOSED
    reason = (error.reason if error else None) or ""
    named = f" ({reason.lower().replace('_', ' ')})" if reason else ""
    return _REASONS.get(reason, f"The TLS connection could not be made{named}.")


def is_before_any_request(error: ssl.SSLError | None) -> bool:
    """Whether nothing was received although the request was sent: TLS 1.3 asks for client certificates late."""
    return error is not None and _REASONS.get(error.reason or "") == _CLIENT
