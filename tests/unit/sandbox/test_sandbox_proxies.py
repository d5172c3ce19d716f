"""A proxy in the environment has no part in what happens on loopback."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]

# The simulators have no health check of their own: a query at the end makes `/health` part of it, so that they answer 200.
PROGRAM = """
from sandbox.checker import check_customers
from sandbox.launch import HTTP, is_healthy, sandbox

with sandbox(commercetools=["--customers", "3"]) as servers:
    assert HTTP.get(servers.klaviyo.url + "/_sandbox/settings").status_code == 200
    assert is_healthy(servers.klaviyo.url + "/_sandbox/settings?")
    assert not is_healthy(servers.klaviyo.url)
    assert check_customers(servers.commercetools.url, servers.klaviyo.url).customers == 3
assert not is_healthy(servers.klaviyo.url)
"""


def test_the_launcher_and_the_checker_ask_no_proxy() -> None:
    """With proxies that nobody listens on, the readiness probe and the checker reach their servers all the same."""
    proxies = dict.fromkeys(("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"), "http://127.0.0.1:9")
    inherited = {name: value for name, value in os.environ.items() if name.lower() != "no_proxy"}
    finished = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=ROOT,
        env={**inherited, **proxies},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
