"""Who may ask for what: keys with roles; or, on loopback while there are no keys, the programs of this machine.

A web page must never be able to drive this API. With keys, a page has none to send, because no cookies are used.
Without keys, `Host` and `Origin` are checked: another site, or a name that points at 127.0.0.1, is refused. A proxy on
this machine makes every caller look like a program of it. So requests with a proxy's headers are refused.
"""

import re
from typing import Any
from urllib.parse import urlsplit

import falcon

from schema.errors import Refused
from schema.http.operations import role_of
from schema.rows.keys import KeyRing
from schema.settings import Settings
from schema.sql.database import DatabaseDown
from service.door.rates import RateLimits

_PROBES = ("/livez", "/readyz")
_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
# Headers that proxies, balancers, tunnels and CDNs add, as WSGI names them; no program adds them to a call of its own.
_PROXIED = re.compile(
    r"HTTP_(VIA$|CDN_LOOP$|X_ORIGINAL_|X_PROXY|PROXY_|X_SCHEME$|X_URL_SCHEME$|FRONT_END_HTTPS$|TAILSCALE_|CF_|FASTLY_|X_ENVOY_|"
    r"X_AMZN_|X_AZURE_|X_ARR_|X_APPENGINE_|X_CLOUD_TRACE_|X_VARNISH)"
    r"|FORWARDED|FORWARD_FOR|(CLIENT|REAL|REMOTE|CONNECTING|ORIGINATING|PROXYUSER)_(IP|ADDR|HOST|PORT|PROTO)(_|$)"
)
_NO_PROXY = (
    "Make a key (`ops/reportq keys make NAME --role operate`): without keys no proxy may stand in front of reportq."
)


class Access:
    """Falcon middleware: who asks (`req.context.owner`), whether they may, and how often."""

    def __init__(self, settings: Settings, keys: KeyRing, rates: RateLimits) -> None:
        self._keys = keys
        self._rates = rates
        self._loopback = settings.loopback

    def process_request(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Recognise the caller; raises Refused: unauthorized, host_refused, rate_limited."""
        if req.path in _PROBES:
            req.context.role = self._role_of_probe(req) if req.path == "/readyz" else ""
            return
        if self._loopback and not self._keys.in_use:
            _check_local(req, plain=req.path == "/metrics")
            req.context.role = "operate"
            return
        caller = self._keys.find(_key_of(req))
        if caller is None:
            if is_public(req.path):
                return
            raise Refused("The key is missing or not known.", code="unauthorized")
        req.context.owner = caller.name
        req.context.caller = caller
        req.context.role = caller.role
        wait = self._rates.spend(caller.key_id, caller.rate)
        if wait:
            resp.set_header("Retry-After", str(int(wait)))
            req.context.over_rate = True
            raise Refused(f"This key may ask {caller.rate} times a minute.", code="rate_limited")

    def _role_of_probe(self, req: falcon.Request) -> str:
        """The role of whoever sends this probe. Every probe is answered; the role decides how much the answer says."""
        try:
            if self._loopback and not self._keys.in_use:
                _check_local(req)
                return "operate"
            caller = self._keys.find(_key_of(req))
        except (Refused, DatabaseDown):
            return ""
        return caller.role if caller else ""

    def process_resource(self, req: falcon.Request, resp: falcon.Response, resource: Any, params: Any) -> None:
        """Compare the caller's role with the route's; raises Refused: forbidden."""
        caller = req.context.caller
        if caller is None:
            return
        needed = role_of(req.method, req.uri_template or "")
        if needed is not None and not caller.may(needed):
            lacking = f"This needs a key with the role {needed}; {caller.name} has {caller.role}."
            raise Refused(lacking, code="forbidden")


def is_public(path: str) -> bool:
    """What is shown without a key: documentation, the console's files (they ask for a key themselves), readers' links."""
    return path in ("/", "/openapi.json", "/favicon.ico") or path.startswith(("/docs", "/console/", "/l/"))


def _key_of(req: falcon.Request) -> str:
    given = req.env.get("HTTP_AUTHORIZATION")
    if given is None:
        return req.get_header("X-API-Key") or ""
    scheme, _, token = given.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""  # a second header does not make a wrong one right


def _check_local(req: falcon.Request, *, plain: bool = False) -> None:
    """Raise Refused("host_refused") unless a program of this machine asks; with `plain` it may speak HTTP/1.0.

    A bare proxy_pass of an older nginx adds no header. Only its HTTP/1.0 shows that it is no program.
    """
    for header in req.env:
        if header.startswith("HTTP_") and _PROXIED.search(header):
            shown = header.removeprefix("HTTP_").replace("_", "-").title()[:80]
            proxied = f"The request came through a proxy: it carries {shown}."
            raise Refused(proxied, code="host_refused", next_step=_NO_PROXY)
    old = req.env.get("SERVER_PROTOCOL") == "HTTP/1.0"
    if old and not plain:
        raise Refused("The request speaks HTTP/1.0, as proxies do.", code="host_refused", next_step=_NO_PROXY)
    named = req.get_header("Host")
    if named is None and old:
        return  # HTTP/1.0 needs no Host, and no browser speaks it
    host = (named or "").lower()
    name, _, port = host.rpartition(":")
    if (name if port.isdigit() and name else host) not in _LOOPBACK:
        raise Refused("The Host header names another machine.", code="host_refused")
    origin = req.get_header("Origin")
    if origin is not None and _netloc(origin) != host:
        raise Refused("The request comes from a web page of another site.", code="host_refused")


def _netloc(origin: str) -> str:
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return ""
