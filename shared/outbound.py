"""What all clients of a process have in common when they call other hosts (decisions.md 17)."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from functools import cache
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any

import httpx


@cache
def tls_context() -> ssl.SSLContext:
    """What verifies hosts: the authorities that httpx brings. One for the process: reading them takes 35 ms each time."""
    return httpx.create_ssl_context(trust_env=False)


def http_client(*, headers: Mapping[str, str], **options: Any) -> httpx.Client:
    """A client that calls the host it is told to and no other; `options` are httpx's own (`base_url`, `limits`, `timeout`).

    The environment has no say, redirects are not followed, and a host's cookies are neither kept nor sent back.
    """
    return httpx.Client(
        headers=headers,
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
        trust_env=False,
        verify=tls_context(),
        follow_redirects=False,
        **options,
    )
