"""connect.yaml is what Connect reads: by the package with which Connect reads it, and by the product's own settings."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from deploy.connect.bundle import APPLICATION, TEMPLATE
from deploy.connect.configuration import SECURED, STANDARD, configuration
from shared.settings import load
from shared.settings.environment import BY_NAME, KNOWN_NAMES, Audience

pytestmark = pytest.mark.xdist_group("connect-yaml")

ROOT = Path(__file__).resolve().parents[3]
TEXT = (ROOT / "connect.yaml").read_text(encoding="utf-8")
TOOL = ROOT / "tests" / "connect_specification"
OLDER_STANDARD = {
    *("CT_API_URL", "CT_AUTH_URL", "CT_PROJECT_ID", "CT_SCOPES", "PRODUCT_URL_TEMPLATE", "PREFERRED_LOCALE", "NODE_CONFIG"),
    "CONNECT_ENV",
}
"""The keys that deployments of the older product set (reference.md 5)."""


@pytest.fixture(scope="module")
def specification() -> Path:
    """A folder with Connect's own reader; installed once for each lock, below `build`, which `make clean` removes."""
    if shutil.which("npm") is None or shutil.which("node") is None:
        pytest.skip("npm is not installed, so connect.yaml was not read as Connect reads it")
    lock = hashlib.sha256((TOOL / "package-lock.json").read_bytes()).hexdigest()[:16]
    folder = ROOT / "build" / f"connect-specification-{lock}"
    if not folder.is_dir():
        unfinished = folder.with_name(f".{folder.name}.{os.getpid()}")
        shutil.copytree(TOOL, unfinished)
        try:
            command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline"]
            done = subprocess.run(command, cwd=unfinished, capture_output=True, text=True, check=False, timeout=120)
            if done.returncode:
                reason = next((line for line in done.stderr.splitlines() if "npm error code" in line), "npm error")
                pytest.skip(f"the npm registry gave no reader of connect.yaml ({reason}), so it was not read as Connect reads it")
            with suppress(OSError):
                unfinished.rename(folder)  # unless another process has just done the same
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
    return folder


def _read(specification: Path, text: str) -> dict[str, Any]:
    command = ["node", str(specification / "parse.mjs")]
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    read: dict[str, Any] = json.loads(done.stdout)
    return read


def test_connect_reads_it(specification: Path) -> None:
    """One event application at the root of its host, its scripts, how its health is asked and when a message comes again."""
    (application,) = _read(specification, TEXT)["deployAs"]
    found = application.pop("configuration")
    assert application == {
        "name": APPLICATION,
        "applicationType": "event",
        "endpoint": "/",
        "scripts": {"postDeploy": "npm run connector:post-deploy", "preUndeploy": "npm run connector:pre-undeploy"},
        "healthCheck": {"path": "/health", "intervalSeconds": 10, "timeoutSeconds": 5, "unhealthyThreshold": 3},
        "retryPolicy": {"strategy": "exponential-backoff", "minBackoffSeconds": 10, "maxBackoffSeconds": 600},
    }
    standard = {entry["key"]: entry for entry in found["standardConfiguration"]}
    secured = {entry["key"]: entry for entry in found["securedConfiguration"]}
    assert standard.keys() >= OLDER_STANDARD | {"PREFERRED_CURRENCY"}
    assert secured.keys() == {"CT_API_CLIENT", "KLAVIYO_AUTH_KEY"}
    required = {key for key, entry in {**standard, **secured}.items() if entry["required"]}
    assert required == {"CT_API_URL", "CT_AUTH_URL", "CT_PROJECT_ID", "CT_API_CLIENT", "KLAVIYO_AUTH_KEY"}
    assert {key: entry["default"] for key, entry in standard.items() if "default" in entry} == {
        "KLAVIYO_RATE_SHARE": "1",
        "LOG_LEVEL": "INFO",
    }
    assert "{{productSlug}}" in standard["PRODUCT_URL_TEMPLATE"]["description"]


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ("    endpoint: /\n", "    endpoint: /\n    timeout: 10\n", "timeout"),
        ("retryPolicy:", "retryPolice:", "retryPolice"),
        ("minBackoffSeconds: 10", "minBackoffSeconds: 601", "minBackoffSeconds"),
        ("key: LOG_LEVEL", "key: PORT", "PORT"),
        ("name: realtime_event", "name: realtime event", "name"),
    ],
    ids=["unknown key", "slip", "out of range", "reserved", "bad name"],
)
def test_connect_would_refuse_a_slip(specification: Path, old: str, new: str, named: str) -> None:
    """The reader is strict, so that a key which Connect does not know cannot get in."""
    assert TEXT.count(old) == 1
    assert named in _read(specification, TEXT.replace(old, new))["refused"]


def test_its_configuration_is_that_of_the_settings() -> None:
    """`deploy.connect.configuration.configuration()` is what it must end with."""
    assert TEXT.endswith(configuration())
    assert set(STANDARD + SECURED) <= KNOWN_NAMES
    assert [key for key in STANDARD if key in BY_NAME and BY_NAME[key].secret] == []
    assert [key for key in SECURED if not BY_NAME[key].secret] == []
    needed = {name for name, variable in BY_NAME.items() if variable.required and variable.set_by is Audience.PEOPLE}
    assert needed <= set(STANDARD + SECURED)


def test_what_it_gives_by_default_is_taken() -> None:
    """The defaults, beside what people must set, are settings that can be used."""
    defaults = dict(re.findall(r"key: (\w+)\n +description: .*\n +required: false\n +default: '(.*)'\n", TEXT))
    assert defaults == {"KLAVIYO_RATE_SHARE": "1", "LOG_LEVEL": "INFO"}
    people = {
        "CT_API_URL": "https://api.europe-west1.gcp.commercetools.com",
        "CT_AUTH_URL": "https://auth.europe-west1.gcp.commercetools.com",
        "CT_PROJECT_ID": "acme",
        "CT_API_CLIENT": '{"clientId": "an-id", "secret": "not-a-secret"}',
        "KLAVIYO_AUTH_KEY": "pk_not_a_secret",
    }
    others = {key: "" for key in STANDARD if key not in people and key not in defaults}
    assert load({**others, **people, **defaults}).klaviyo.rate_share == 1.0


def test_its_scripts_are_those_of_the_package() -> None:
    """What Connect runs, package.json has."""
    scripts = json.loads((TEMPLATE / APPLICATION / "package.json").read_text(encoding="utf-8"))["scripts"]
    assert set(re.findall(r"npm run (\S+)", TEXT)) <= scripts.keys()
    assert scripts.keys() >= {"gcp-build", "start", "test"}
