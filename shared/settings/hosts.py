"""Which host names mean this machine only, and which URLs we may send credentials to (decisions.md 17)."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

_HOST_NAME = re.compile(r"(?!-)[A-Za-z0-9-]{1,63}(?<!-)(\.(?!-)[A-Za-z0-9-]{1,63}(?<!-))*")


def is_loopback(host: str) -> bool:
    """Whether `host` (a name or an address, without port and brackets) names this machine only."""
    if host.casefold() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def is_host(host: str) -> bool:
    """Whether `host` is an address or a host name, without scheme and port."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return _HOST_NAME.fullmatch(host) is not None
    return True


def url_fault(url: str) -> str | None:
    """What is wrong with `url` as the base of an API, or None. Never quotes the URL: people paste credentials into it."""
    try:
        parts = urlsplit(url)
        port_fault = parts.port == 0
    except ValueError:
        return "is not a URL; write it like https://host.example.com"
    host = parts.hostname or ""
    if parts.scheme not in ("http", "https") or not is_host(host) or port_fault or re.search(r"[\s\\]", url):
        return "is not a URL; write it like https://host.example.com"
    if "@" in parts.netloc:
        return "holds a user name or password; leave these out, credentials have variables of their own"
    if "?" in url or "#" in url:
        return "has a query or a fragment; leave it out"
    if parts.scheme == "http" and not is_loopback(host):
        return "is plain http, which is for this machine only; use https"
    return None
