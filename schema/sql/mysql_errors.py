"""What an error of MySQL or MariaDB means: ask again, our fault, or the server is away.

Number and SQLSTATE decide. PyMySQL's class does not: it calls every number that it does not know operational. Errors of
schema, statement, size and value are ours. All others mean "away": no report is at fault when a disk is full, a query
is killed, or a node leaves its cluster.
"""

import socket
import ssl

AGAIN = {1213, 1205, 1020}  # deadlock found, lock wait timeout, record changed since last read

# Classes of SQLSTATE that speak of the statement: warnings, cardinality, data, constraint, cursor, syntax and schema.
_OUR_CLASSES = {"01", "02", "07", "0A", "0K", "20", "21", "22", "23", "24", "2F", "34", "3D", "42", "44"}
# These have such a class, but are the server's state: no such database, rights, a user's limits, a table without file.
_AWAY = {1044, 1049, 1142, 1143, 1203, 1226, 1227, 1370, 1461, 1932}
# These have another class, mostly HY000, but are the statement's: packet or result too large, values, collations,
# defaults, checks, variables, arguments.
_OURS = {
    1090, 1093, 1103, 1116, 1117, 1153, 1193, 1210, 1215, 1221, 1238, 1267, 1270, 1271, 1273, 1295, 1300, 1301, 1364,
    1366, 1411, 1442, 1525, 1526, 2020, 3819,
}  # fmt: skip

_URL = "REPORTQ_DATABASE_URL"
SILENT = "The database did not answer."
_DENIED = "Access denied: the database refuses the user name or password."
_SAID = {
    (1053, 1077, 1079, 1152, 1158, 1159, 1160, 1161, 1184, 1927, 4031): SILENT,  # it ends, or has ended the connection
    (1045, 1698, 1820, 1862, 3118, 4151): f"{_DENIED} Check {_URL}.",
    (1044, 1142, 1143, 1227, 1370): "The database's user lacks rights on it. Grant them.",
    (1049,): f"The server has no database of this name. Create it, or check {_URL}.",
    (1130,): "The database's server takes no connections from this host.",
    (1129,): "The database's server has blocked this host after failed connections: FLUSH HOSTS.",
    (1040, 1203, 1226, 1461): "The database has no connection left for us.",
    (1021, 1114): "The database's disk is full.",
    (1037, 1038, 1041, 1135): "The database's server is out of memory.",
    (1036, 1223, 1290, 1792, 1836): "The database is read-only for now.",
    (1317, 1968, 1969, 3024): "The database's server has stopped the statement.",
    (2026,): f"The database's server does not speak TLS, as ssl-mode in {_URL} demands.",
    (3159,): f"The database's server demands TLS: set ssl-mode in {_URL}.",
}
_SENTENCES = {number: sentence for numbers, sentence in _SAID.items() for number in numbers}


def number_of(error: BaseException) -> int | None:
    """The server's number, or the client's (2xxx); None for an error without one."""
    return error.args[0] if error.args and isinstance(error.args[0], int) else None


def asks_again(error: BaseException) -> bool:
    """Whether the server rolled the transaction back in favour of another: it may simply run again."""
    return number_of(error) in AGAIN or getattr(error, "sqlstate", None) == "40001"


def why_away(error: BaseException) -> str | None:
    """Why the server cannot be used just now, as a sentence; None when the error is ours."""
    number, state = number_of(error), getattr(error, "sqlstate", None)
    if number is None:  # PyMySQL's own: its conversation with the server is out of step, or it was misused
        return SILENT if type(error).__name__ in ("OperationalError", "InterfaceError", "InternalError") else None
    ours = number in _OURS or (number not in _AWAY and state is not None and state[:2] in _OUR_CLASSES)
    if ours:
        return None
    cause = getattr(error, "original_exception", None)
    if cause is not None:
        return _no_connection(cause)
    if number in _SENTENCES:
        return _SENTENCES[number]
    return SILENT if number < 1000 or 2000 <= number < 3000 else f"The database cannot do its work (error {number})."


def _no_connection(cause: BaseException) -> str:
    if isinstance(cause, ssl.SSLCertVerificationError):
        return f"The database's certificate is not trusted: {cause.verify_message.rstrip('.')}."
    if isinstance(cause, ssl.SSLError):
        return f"TLS with the database failed: {cause.reason or 'no reason given'}."
    if isinstance(cause, socket.gaierror):
        return f"The database's host name is not known. Check {_URL}."
    if isinstance(cause, ConnectionRefusedError):
        return f"{SILENT} Nothing listens at its address."
    return SILENT
