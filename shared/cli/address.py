"""Where the import API is, by the options and the environment of a command."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from shared.cli.platform_answers import is_on_google
from shared.errors import ConfigError, Problem
from shared.settings import Secret
from shared.settings.environment import BY_NAME
from shared.settings.hosts import url_fault


@dataclass(frozen=True, slots=True)
class ApiAddress:
    """Where the import API is, the key that opens it, and for which audience Google wants an ID token first, if it does."""

    url: str
    key: Secret | None
    audience: str | None


def api_address(environ: Mapping[str, str], url: str | None) -> ApiAddress:
    """The import API at `url`, or where `ct-klaviyo serve` puts it. Raises `ConfigError`."""
    key = environ.get("BULK_IMPORT_API_KEY", "").strip()
    secret = Secret(key) if key else None
    if url is None:
        port = environ.get("BULK_IMPORT_PORT", "").strip() or BY_NAME["BULK_IMPORT_PORT"].default
        if not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
            raise ConfigError([Problem("BULK_IMPORT_PORT", "must be a whole number from 1 to 65535")])
        return ApiAddress(f"http://127.0.0.1:{port}", secret, None)
    if fault := url_fault(url):
        raise ConfigError([Problem("--url", fault)])
    audience = environ.get("BULK_IMPORT_AUDIENCE", "").strip()
    if not audience.isprintable() or " " in audience:
        raise ConfigError([Problem("BULK_IMPORT_AUDIENCE", "must be one word, the address of the service")])
    return ApiAddress(url, secret, audience or _audience(url))


def _audience(url: str) -> str | None:
    """What a service on Google's own domains is called in tokens: its host, with the name of the function if that has none.

    On any other host nobody has asked for a token, least of all on this machine.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    if not is_on_google(host):
        return None
    return f"https://{host}" if host.endswith(".run.app") else f"https://{host}{parts.path.rstrip('/')}"
