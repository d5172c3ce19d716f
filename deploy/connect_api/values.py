"""From what a connector asks for, and the environment, to the configuration of a deployment."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from shared.errors import ConfigError, Problem
from shared.settings import load
from shared.settings.document_check import check_document
from shared.settings.environment import VARIABLES

DOCUMENT_NAMES = ("NODE_CONFIG", "SYNC_CONFIG")
"""The configuration document has two names in the product, of which a connector asks for one."""

HIDDEN = "***"
_KINDS = ("standardConfiguration", "securedConfiguration")


def configurations(applications: Sequence[Mapping[str, Any]], environ: Mapping[str, str]) -> list[dict[str, Any]]:
    """The values for each application's keys, as a deployment draft has them: secured ones apart, absent ones left out.

    `applications` is `configurations` of a Connector or ConnectorStaged, which Connect has read from `connect.yaml`. Raises
    ConfigError for a missing value, and for one that the product would refuse when it starts.
    """
    given = {name: value.strip() for name, value in environ.items() if value.strip()}
    document = _document(given)
    problems, built = [], []
    for application in applications:
        pairs: dict[str, list[dict[str, str]]] = {}
        for kind in _KINDS:
            pairs[kind] = []
            for asked in application.get(kind) or []:
                name = asked["key"]
                value = document if name in DOCUMENT_NAMES else given.get(name, "")
                if value:
                    pairs[kind].append({"key": name, "value": value})
                elif asked.get("required") and not asked.get("default"):
                    problems.append(Problem(name, f"is missing: {asked.get('description', 'the connector needs it')}"))
        built.append({"applicationName": application["applicationName"], **pairs})
    if problems:
        raise ConfigError(list(dict.fromkeys(problems)))
    for one in built:
        load({pair["key"]: pair["value"] for kind in _KINDS for pair in one[kind]})
    return built


def kept_values(deployment: Mapping[str, Any], environ: Mapping[str, str]) -> list[str]:
    """The keys of standard configuration with a value in a deployment, and none in `environ`; a default is not counted.

    Secured ones are left out: their values are not told, and the application needs all of them.
    """
    connector = deployment.get("connector") or {}
    asked = [key for one in connector.get("configurations") or [] for key in one.get("standardConfiguration") or []]
    defaults = {(key.get("key"), key.get("default")) for key in asked} | {(one.name, one.default) for one in VARIABLES}
    given = {name for name, value in environ.items() if value.strip()}
    if given.intersection(DOCUMENT_NAMES):
        given.update(DOCUMENT_NAMES)
    pairs = [pair for one in deployment.get("applications") or [] for pair in one.get("standardConfiguration") or []]
    held = [(pair.get("key"), pair.get("value")) for pair in pairs if pair.get("value")]
    return sorted({key for key, value in held if key not in given and (key, value) not in defaults})


def hidden(built: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The same, to be shown: without the values of secured configuration."""
    return [
        {**one, "securedConfiguration": [{"key": pair["key"], "value": HIDDEN} for pair in one["securedConfiguration"]]}
        for one in built
    ]


def document_text(text: str, name: str) -> str:
    """A configuration document on one line, as an environment variable and a deployment take it; it may be partial.

    `name` is what a fault is reported of. Raises ConfigError with everything that the product would refuse.
    """
    try:
        content = json.loads(text)
    except json.JSONDecodeError as error:
        raise ConfigError([Problem(name, f"is not JSON: {error.msg} at line {error.lineno}, column {error.colno}")]) from None
    except RecursionError:
        raise ConfigError([Problem(name, "is nested too deeply")]) from None
    _, problems = check_document(content)
    if problems:
        raise ConfigError([Problem(problem.field or name, problem.message) for problem in problems])
    return json.dumps(content, separators=(",", ":"), ensure_ascii=False)


def _document(given: Mapping[str, str]) -> str:
    """The document of the environment: JSON text, or the path of a file, which an application at Connect would not have."""
    names = [name for name in DOCUMENT_NAMES if given.get(name)]
    if not names:
        return ""
    if len(names) > 1:
        raise ConfigError([Problem(names[1], f"and {names[0]} are both set; keep one of them")])
    text = given[names[0]]
    if text[0] not in '{["':
        try:
            text = Path(text).read_text("utf-8-sig")
        except (OSError, ValueError):
            fault = "is neither JSON text, which begins with {, nor the path of a readable JSON file"
            raise ConfigError([Problem(names[0], fault)]) from None
    return document_text(text, names[0])
