"""Where the import API is, by the options and the environment of a command."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from shared.errors import ConfigError, Problem
from shared.settings import Secret
from shared.settings.environment import BY_NAME
from shared.settings.hosts import url_fault


@dataclass(frozen=True, slots=True)
class ApiAddress:
    """Where the import API is and the key that opens it."""

    url: str
    key: Secret | None


def api_address(environ: Mapping[str, str], url: str | None) -> ApiAddress:
    """The import API at `url`, or where `ct-klaviyo serve` puts it. Raises `ConfigError`."""
    port = environ.get("BULK_IMPORT_PORT", "").strip() or BY_NAME["BULK_IMPORT_PORT"].default
    if url is None and not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        raise ConfigError([Problem("BULK_IMPORT_PORT", "must be a whole number from 1 to 65535")])
    if url is not None and (fault := url_fault(url)):
        raise ConfigError([Problem("--url", fault)])
    key = environ.get("BULK_IMPORT_API_KEY", "").strip()
    return ApiAddress(url or f"http://127.0.0.1:{port}", Secret(key) if key else None)
