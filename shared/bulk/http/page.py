"""The status page: static HTML without any data; its script asks the API (http-api.md)."""

from __future__ import annotations

import base64
import hashlib
import re
from functools import cache
from pathlib import Path

_FILE = Path(__file__).with_name("page.html")


@cache
def status_page() -> tuple[bytes, str]:
    """The page, and the content security policy that lets only its own script and style run."""
    page = _FILE.read_bytes()
    script, style = _hash(page, b"script"), _hash(page, b"style")
    policy = (
        f"default-src 'none'; connect-src 'self'; img-src data:; script-src '{script}'; style-src '{style}'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return page, policy


def _hash(page: bytes, tag: bytes) -> str:
    match = re.search(rb"<%b>(.*?)</%b>" % (tag, tag), page, re.DOTALL)
    content = match.group(1) if match else b""
    return "sha256-" + base64.b64encode(hashlib.sha256(content).digest()).decode()
