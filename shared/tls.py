"""One TLS context for all clients of a process: reading the certificate authorities takes 35 ms each time."""

from __future__ import annotations

import ssl
from functools import cache

import httpx


@cache
def tls_context() -> ssl.SSLContext:
    """What verifies hosts: the authorities that httpx brings; the environment has no say (decisions.md 17)."""
    return httpx.create_ssl_context(trust_env=False)
