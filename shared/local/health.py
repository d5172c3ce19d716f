"""Whether the servers of `ct-klaviyo serve` answer: the health check of a container, run as `python -m shared.local.health`.

It asks those that the settings start, so that realtime alone and the import alone are healthy, too (configuration.md).
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

import httpx

from shared.errors import ConfigError
from shared.local.listening import local_host
from shared.settings import ServeSettings, environment, load, serves_bulk, serves_realtime

TIMEOUT_S = 4.0
"""For each of two servers: together less than the time that a container's health check has."""


def health_urls(serve: ServeSettings) -> dict[str, str]:
    """Where each server that runs by these settings tells of its health, under the name of what it serves."""
    ports = {
        **({"realtime": serve.pub_sub_port} if serves_realtime(serve) else {}),
        **({"import API": serve.bulk_import_port} if serves_bulk(serve) else {}),
    }
    return {name: f"http://{local_host(serve.bind_host)}:{port}/health" for name, port in ports.items()}


def unhealthy(environ: Mapping[str, str]) -> list[str]:
    """A sentence for each server that should run by this environment and does not say that it is well."""
    try:
        urls = health_urls(load(environ).serve)
    except ConfigError:
        return ["the settings cannot be used"]
    return [f"{name} {fault}" for name, url in urls.items() if (fault := _fault(url))]


def _fault(url: str) -> str:
    """What is wrong at that address; empty when nothing is."""
    try:
        status = httpx.get(url, timeout=TIMEOUT_S, trust_env=False).status_code
    except httpx.HTTPError as error:
        return f"does not answer ({type(error).__name__})"
    return "" if status == httpx.codes.OK else f"answers {status}"


def main() -> int:
    """The exit code: 0 when all is well, else 1, with what is not on standard output, which `docker inspect` shows."""
    faults = unhealthy(environment(Path(".env")))
    if faults:
        sys.stdout.write("\n".join(faults) + "\n")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
