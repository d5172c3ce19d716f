"""What the pages say of the sandbox is there: routes, faults, switches, options."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import get_args

import msgspec
from docs_pages import ROOT, page
from starlette.routing import Route

from sandbox.commercetools.__main__ import _SIZED as SIZED
from sandbox.commercetools.control import control_routes as commercetools_routes
from sandbox.commercetools.kinds import KINDS
from sandbox.commercetools.project import Project
from sandbox.commercetools.settings import SandboxSettings
from sandbox.fault_middleware import fault_routes
from sandbox.faults import FaultKind, FaultPlan, FaultRule, LatencyProfile
from sandbox.klaviyo.control import control_routes as klaviyo_routes
from sandbox.klaviyo.settings import KlaviyoSandboxSettings
from sandbox.klaviyo.state import Account

PAGE = page("docs/sandbox.md")
BEHAVIOUR = page("docs/klaviyo-behaviour.md")
ROUTE = re.compile(r"(GET|POST|PATCH|DELETE) (/_sandbox/[\w/{}]+)")


def _served(routes: Iterable[Route]) -> set[tuple[str, str]]:
    return {(method, route.path) for route in routes for method in (route.methods or set()) if method != "HEAD"}


def _named(heading: str) -> set[tuple[str, str]]:
    return set(ROUTE.findall(PAGE.section(heading)))


def test_every_control_route_of_klaviyo_is_named() -> None:
    """The table has exactly the routes."""
    account = Account(KlaviyoSandboxSettings(), lambda: 0.0, FaultPlan())
    assert _named("The simulated Klaviyo") == _served(klaviyo_routes(account))


def test_every_control_route_of_commercetools_is_named() -> None:
    """The table has the routes, with customers for the collection."""
    routes = _served(commercetools_routes(Project(SandboxSettings(), lambda: 0.0)))
    named = _named("The simulated commercetools") | {("PATCH", "/_sandbox/customers/{id}")}
    assert named == {(method, path.replace("{collection}", "customers")) for method, path in routes}


def test_every_collection_and_its_size_is_named() -> None:
    """The table has exactly the kinds that are served, says which of them GraphQL has, and names every option of a size."""
    rows = [row for row in PAGE.table("The simulated commercetools") if "/_sandbox" not in row[0]]
    named = {name: row for row in rows for name in re.findall(r"`([\w-]+)`", row[0])}
    assert named.keys() == KINDS.keys()
    for name, row in named.items():
        by_graphql = row[2] == "yes" or row[2] == f"{name} only"
        assert by_graphql is bool(KINDS[name].graph_page), name
    options = {word for row in rows for word in re.findall(r"--[\w-]+", row[1])}
    assert options == {f"--{name}" for name in (*SIZED, "variants", "lines")}


def test_every_fault_is_explained() -> None:
    """The table has exactly the kinds; every field of a rule and of the latency is named, and the example is valid."""
    assert PAGE.codes("Faults") == set(get_args(FaultKind))
    section = PAGE.section("Faults")
    for struct in (FaultRule, LatencyProfile):
        for field in struct.__struct_fields__:
            assert f"`{field}`" in section or field in {"kind"}, field
    assert {path for _, path in _served(fault_routes(FaultPlan()))} <= set(re.findall(r"/_sandbox/\w+", section))
    example = re.search(r"-d '(\[.*?\])'", "\n".join(body for _, body in PAGE.fences), re.DOTALL)
    assert example
    assert len(msgspec.json.decode(example[1], type=list[FaultRule])) == 2


def test_every_switch_that_a_page_names_exists() -> None:
    """In the table of behaviour, and in the example of `--settings`."""
    known = set(KlaviyoSandboxSettings.__struct_fields__)
    named = {
        span.partition("=")[0]
        for line in BEHAVIOUR.prose.splitlines()
        if line.startswith("|") and line.count("|") == 4
        for span in re.findall(r"`([^`]+)`", line.split("|")[3])
    }
    assert named
    assert named <= known
    example = next(span for span in PAGE.spans if span.startswith("--settings"))
    assert msgspec.convert(msgspec.json.decode(example.split("'")[1]), KlaviyoSandboxSettings)


def test_the_options_in_the_examples_exist() -> None:
    """Every option of a sandbox command stands in the module that reads it."""
    for line in PAGE.commands():
        if (words := line.split())[:2] == ["python", "-m"]:
            module = ROOT / words[2].replace(".", "/")
            source = (module / "__main__.py" if module.is_dir() else module.with_suffix(".py")).read_text()
            for word in words[3:]:
                assert not word.startswith("--") or f'"{word}"' in source, line
