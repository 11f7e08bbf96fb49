"""Whether the driver takes a MongoDB URL as it is and honours every parameter.

The driver only warns of an unknown parameter or an unusable value, and goes on without it.
"""

import warnings

from pymongo import MongoClient
from pymongo.errors import PyMongoError
from pymongo.uri_parser_shared import parse_userinfo, split_hosts, split_options

from schema.environment.url_parts import UrlFault, named, pairs, pieces

_OURS = {"w": "majority", "journal": "true", "j": "true"}  # a journaling majority acknowledges every write


def check(url: str) -> None:
    """Raise UrlFault unless all of the URL can be honoured; connects to nothing."""
    userinfo, hosts, _, query = pieces(url, commas=True)
    for name, value in pairs(query, raw=True).items():
        _check_parameter(name, value)
    try:
        if userinfo is not None:
            parse_userinfo(userinfo)
        split_hosts(hosts)
        if not url.startswith("mongodb+srv:"):  # whose hosts only DNS knows
            MongoClient(url, connect=False).close()
    except (PyMongoError, ValueError, TypeError):
        raise UrlFault(
            "a malformed host, port, user, password or mix of parameters",
            "mongodb://user:password@host:port/database, with / : @ % of the password percent-encoded",
        ) from None


def _check_parameter(name: str, value: str) -> None:
    wanted = _OURS.get(name.lower())
    if wanted is not None and value.lower() != wanted:
        raise UrlFault(f"{name} other than {wanted}", f"{wanted}, or the parameter left out")
    if name.lower().endswith("timeoutms"):
        raise UrlFault(f"the parameter {named(name)}", "it left out: reportq bounds every call itself")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            split_options(f"{name}={value}", validate=True, warn=False)
    except (PyMongoError, ValueError, TypeError, Warning, OSError):
        raise UrlFault(
            f"the parameter {named(name)}, unknown or with a value that cannot be used",
            "MongoDB's own parameters, and files that can be read",
        ) from None
