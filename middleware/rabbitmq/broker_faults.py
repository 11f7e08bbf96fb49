"""Why RabbitMQ cannot be used, in one sentence. pika hides it in exceptions inside exceptions."""

import socket
import ssl
from collections.abc import Iterator

from pika import exceptions

_URL = "REPORTQ_BROKER_URL"
SILENT = "RabbitMQ does not answer."


def why(error: BaseException) -> str:
    """The sentence. It never holds a part of a password."""
    for cause in _inside(error):
        sentence = _sentence(cause)
        if sentence is not None:
            return sentence
    return SILENT


def _sentence(cause: BaseException) -> str | None:
    said = str(cause)
    match cause:
        case ssl.SSLCertVerificationError():
            return f"RabbitMQ's certificate is not trusted: {cause.verify_message.rstrip('.')}."
        case ssl.SSLError():
            return f"TLS with RabbitMQ failed ({cause.reason}). Check {_URL}: its port for TLS is mostly 5671."
        case socket.gaierror():
            return f"RabbitMQ's host name is not known. Check {_URL}."
        case ConnectionRefusedError():
            return f"{SILENT} Nothing listens at its address."
        case exceptions.ProbableAuthenticationError() | exceptions.AuthenticationError():
            return f"RabbitMQ refuses the user name or password. Check {_URL}."
        case exceptions.ProbableAccessDeniedError() if "not found" in said:
            return f"RabbitMQ has no virtual host of this name. Create it, or check {_URL}."
        case exceptions.ProbableAccessDeniedError():
            return "RabbitMQ's user may not use this virtual host. Grant it."
        case exceptions.IncompatibleProtocolError():
            return f"What listens there does not speak AMQP as {_URL} says; amqps:// is for ports with TLS only."
        case exceptions.ChannelClosedByBroker() if cause.reply_code == 406:
            return f"A queue was declared with other arguments. Empty and delete it, then start again. ({cause.reply_text})"
        case exceptions.ChannelClosedByBroker() if cause.reply_code in (403, 404):
            return f"RabbitMQ refused: {cause.reply_text}."
    return None


def _inside(error: BaseException) -> Iterator[BaseException]:
    """The error and those inside it, the innermost last."""
    waiting, seen = [error], set()
    while waiting:
        one = waiting.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        inner = [*one.args, *getattr(one, "exceptions", ()), getattr(one, "exception", None), one.__cause__]
        waiting += [cause for cause in inner if isinstance(cause, BaseException)]
