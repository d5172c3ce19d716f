"""What the steps read from the environment: one table, and the configuration made of it. Every problem is named at once."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shared.errors import ConfigError, Problem
from shared.settings import Secret
from shared.settings.hosts import url_fault

REGIONS = ("europe-west1.gcp", "us-central1.gcp", "australia-southeast1.gcp", "eu-central-1.aws", "us-east-2.aws")
"""Where Connect runs."""

CONNECTOR_KEY = "commercetools-klaviyo-sync"
CONNECT_ENV = "connect_dev"
_KEY = re.compile(r"[A-Za-z0-9_-]{2,256}")
_API_HOST = re.compile(r"https://api\.([a-z0-9-]+\.[a-z]+)\.commercetools\.com/?")


@dataclass(frozen=True, slots=True)
class Variable:
    """An environment variable of the steps; those of the deployed application are the keys of `connect.yaml`."""

    name: str
    meaning: str
    default: str = ""
    secret: bool = False


VARIABLES = (
    Variable(
        "CONNECT_API_CLIENT",
        "the commercetools API client that deploys, as JSON with clientId and secret; scopes manage_connectors and "
        "manage_connectors_deployments",
        secret=True,
    ),
    Variable("CT_PROJECT_ID", "the key of the commercetools project"),
    Variable("CT_API_URL", "the commercetools API host, https://api.REGION.commercetools.com"),
    Variable("CT_AUTH_URL", "the commercetools authorization host"),
    Variable("CONNECT_REGION", "the region of Connect and of the deployment", default="that of CT_API_URL"),
    Variable("CONNECT_API_URL", "the Connect API host", default="https://connect.REGION.commercetools.com"),
    Variable("CONNECT_CONNECTOR_KEY", "the connector's key", default=CONNECTOR_KEY),
    Variable("CONNECT_DEPLOYMENT_KEY", "the deployment's key", default="CONNECT_CONNECTOR_KEY-CONNECT_ENV"),
    Variable("CONNECT_ENV", "a name for this deployment; it is also part of the subscriptions' keys", default=CONNECT_ENV),
    Variable("CONNECT_CREATOR_EMAIL", "whom commercetools may write to; needed only when stage-connector creates the connector"),
    Variable("GITHUB_TOKEN", "what push-bundle pushes with over https; else git's own credentials are used", secret=True),
    Variable("GITHUB_ACTIONS", "set by GitHub: the log masks the secrets that GitHub does not know of"),
)


@dataclass(frozen=True, slots=True)
class Config:
    """Whom the steps talk to, about what."""

    client_id: str
    client_secret: Secret
    auth_url: str
    connect_url: str
    project: str
    region: str
    connector_key: str
    deployment_key: str
    creator_email: str

    @property
    def project_identifier(self) -> str:
        """The project as connectors name it."""
        return f"{self.region}:{self.project}"


def read_config(environ: Mapping[str, str]) -> Config:
    """The configuration that the environment describes. Raises ConfigError with every problem; no message has a value."""
    problems: list[Problem] = []
    client = _client(environ, problems)
    region = _region(environ, problems)
    connector_key = _key(environ, "CONNECT_CONNECTOR_KEY", CONNECTOR_KEY, problems)
    connect_env = environ.get("CONNECT_ENV", "").strip() or CONNECT_ENV
    config = Config(
        client_id=client.get("clientId", ""),
        client_secret=Secret(client.get("secret", "")),
        auth_url=_url(environ, "CT_AUTH_URL", problems),
        connect_url=_url(environ, "CONNECT_API_URL", problems, default=f"https://connect.{region}.commercetools.com"),
        project=_needed(environ, "CT_PROJECT_ID", problems),
        region=region,
        connector_key=connector_key,
        deployment_key=_key(environ, "CONNECT_DEPLOYMENT_KEY", f"{connector_key}-{connect_env}", problems),
        creator_email=environ.get("CONNECT_CREATOR_EMAIL", "").strip(),
    )
    if problems:
        raise ConfigError(problems)
    return config


def secrets_in(environ: Mapping[str, str]) -> list[str]:
    """Every secret text in the environment that no output may have, with the parts of those that are JSON."""
    found = []
    for name in ("CONNECT_API_CLIENT", "CT_API_CLIENT", "KLAVIYO_AUTH_KEY", "GITHUB_TOKEN"):
        text = environ.get(name, "").strip()
        try:
            secret = json.loads(text).get("secret", "") if text.startswith("{") else ""
        except ValueError:
            secret = ""
        found += [text, secret if isinstance(secret, str) else ""]
    return [text for text in found if text.strip()]


def _client(environ: Mapping[str, str], problems: list[Problem]) -> dict[str, str]:
    name, advice = "CONNECT_API_CLIENT", 'write {"clientId": "...", "secret": "..."}'
    text = _needed(environ, name, problems)
    if not text:
        return {}
    try:
        client: Any = json.loads(text)
    except ValueError:
        client = None
    if not isinstance(client, dict) or not all(
        isinstance(client.get(key), str) and client[key] for key in ("clientId", "secret")
    ):
        problems.append(Problem(name, f"is not JSON with clientId and secret; {advice}"))
        return {}
    return client


def _region(environ: Mapping[str, str], problems: list[Problem]) -> str:
    given = environ.get("CONNECT_REGION", "").strip()
    host = _API_HOST.fullmatch(environ.get("CT_API_URL", "").strip())
    region = given or (host[1] if host else "")
    if region in REGIONS:
        return region
    known = ", ".join(REGIONS)
    fault = f"is none of {known}" if given else f"is missing, and CT_API_URL names none of {known}"
    problems.append(Problem("CONNECT_REGION", fault))
    return REGIONS[0]


def _url(environ: Mapping[str, str], name: str, problems: list[Problem], default: str = "") -> str:
    url = environ.get(name, "").strip() or default
    fault = url_fault(url) if url else "is missing"
    if fault:
        problems.append(Problem(name, fault))
    return url.rstrip("/")


def _key(environ: Mapping[str, str], name: str, default: str, problems: list[Problem]) -> str:
    key = environ.get(name, "").strip() or default
    if not _KEY.fullmatch(key):
        problems.append(Problem(name, "must be 2 to 256 letters, digits, - and _"))
    return key


def _needed(environ: Mapping[str, str], name: str, problems: list[Problem]) -> str:
    text = environ.get(name, "").strip()
    if not text:
        problems.append(Problem(name, "is missing"))
    return text
