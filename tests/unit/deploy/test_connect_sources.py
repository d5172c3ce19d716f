"""What goes into the bundle for Connect: the sources that run there and no others, and locks of exactly what they import."""

from __future__ import annotations

import importlib.metadata
import json
import re
import sys
import tomllib

import grimp
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from deploy.connect.bundle import LOADED_ELSEWHERE, ROOT, TEMPLATE, bundled_modules, pinned_python, source_files
from deploy.connect.wheels import locked

SERVED_BY = {"functions_framework", "gunicorn"}
"""What `serve.py` imports."""

PINNED_BY_US = {"cloudevents", "werkzeug"}
"""Imported by the framework: named for their versions (pyproject.toml)."""


@pytest.fixture(scope="module")
def imported() -> set[str]:
    """What the modules in the bundle import, wherever in them."""
    graph = grimp.build_graph("shared", "functions", "post_deploy", include_external_packages=True, cache_dir=None)
    return {found for name in bundled_modules() for found in graph.find_modules_directly_imported_by(name)}


def test_everything_that_runs_there_is_in_the_bundle(imported: set[str]) -> None:
    """No module in it imports one of ours that is not, but for what is loaded elsewhere only."""
    ours = {name for name in imported if name.partition(".")[0] in {"shared", "functions", "post_deploy", "sandbox"}}
    assert ours - bundled_modules() == LOADED_ELSEWHERE
    assert [path for path in source_files() if not path.is_file()] == []


def test_what_is_loaded_elsewhere_is_named_one_by_one() -> None:
    """A module left out by a slip would be missed only at Connect: these three, each imported inside of functions only."""
    assert sorted(LOADED_ELSEWHERE) == ["shared.google_tokens", "shared.sqlite.database", "shared.sqlite.dead_letters"]
    graph = grimp.build_graph("shared", "functions", "post_deploy", cache_dir=None)
    pairs = [(name, absent) for name in bundled_modules() for absent in LOADED_ELSEWHERE]
    found = [one for name, absent in pairs for one in graph.get_import_details(importer=name, imported=absent)]
    assert {one["imported"] for one in found} == LOADED_ELSEWHERE
    for one in found:
        path = next(
            path for path in source_files() if path.with_suffix("").as_posix().endswith(one["importer"].replace(".", "/"))
        )
        assert path.read_text(encoding="utf-8").splitlines()[one["line_number"] - 1].startswith(" "), one


def test_what_only_an_import_needs_is_not() -> None:
    """Nor the command line, Google Cloud's state and queue, SQLite, or the local supervisor."""
    found = {path.relative_to(ROOT).as_posix() for path in source_files()}
    assert {"main.py", "functions/realtime_event/main.py", "post_deploy/sdk.py", "shared/__init__.py"} <= found
    assert not [name for name in found if re.match(r"shared/(bulk|cli|google|local|sqlite)/|functions/bulk_", name)]
    assert "shared/klaviyo/profile_imports.py" not in found


def test_the_lock_has_what_the_bundle_imports(imported: set[str]) -> None:
    """Each library that a module of the bundle imports is named, and none beside."""
    by_import = importlib.metadata.packages_distributions()
    libraries = {name.partition(".")[0] for name in imported | SERVED_BY} - sys.stdlib_module_names
    foreign = libraries - {"shared", "functions", "post_deploy"}
    assert _named() == {canonicalize_name(by_import[name][0]) for name in foreign} | PINNED_BY_US


def _named() -> set[str]:
    text = (TEMPLATE / "requirements.in").read_text(encoding="utf-8")
    return {canonicalize_name(line) for line in text.splitlines() if not line.startswith("#")}


def _locked(name: str) -> dict[str, str]:
    text = (ROOT / name).read_text(encoding="utf-8")
    return dict(re.findall(r"^([\w.-]+)==([^\s;]+)", text, re.MULTILINE))


def test_its_libraries_are_the_products_in_the_products_versions() -> None:
    """Ranges stand in pyproject.toml, and whoever tests the product tests these versions."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    ranges = [*project["dependencies"], *project["optional-dependencies"]["connect"]]
    assert _named() <= {canonicalize_name(Requirement(one).name) for one in ranges}
    found, tested = _locked("requirements-connect.txt"), _locked("requirements-dev.txt")
    assert _named() <= found.keys()
    assert found.items() <= tested.items()
    assert not found.keys() & {"grpcio", "google-cloud-firestore", "google-cloud-pubsub", "google-auth", "rich", "typer"}


@pytest.mark.parametrize(("python", "has"), [("3.11", False), ("3.12", False), ("3.13", True)])
def test_markers_are_judged_by_the_bundles_python(python: str, has: bool) -> None:
    """And not by that of whoever builds it; each requirement keeps all its hashes."""
    lock = (
        "# a comment\nalways==1.0 \\\n    --hash=sha256:aa \\\n    --hash=sha256:bb\n    # via others\n"
        "later==2.0 ; python_full_version >= '3.13' \\\n    --hash=sha256:cc\n"
        "elsewhere==3.0 ; sys_platform == 'win32' \\\n    --hash=sha256:dd\n"
    )
    lines = ["always==1.0 --hash=sha256:aa --hash=sha256:bb", "later==2.0 --hash=sha256:cc"]
    assert locked(lock, python) == lines[: 2 if has else 1]


def test_every_requirement_has_its_hashes() -> None:
    """So that neither the builder nor Connect takes anything else."""
    lines = locked((ROOT / "requirements-connect.txt").read_text(encoding="utf-8"), pinned_python())
    assert len(lines) > 30
    assert [line for line in lines if not re.fullmatch(r"[\w.-]+==\S+( --hash=sha256:[0-9a-f]{64})+", line)] == []


def test_the_python_is_pinned_by_address_and_checksum() -> None:
    """The stripped standalone build for Linux on x86-64, of the version that the wheels are for and the container has."""
    pin = json.loads((TEMPLATE / "python.json").read_text(encoding="utf-8"))
    archive = pin["archive"]
    assert archive["version"].startswith(f"{pin['wheels']}.")
    assert re.fullmatch(
        r"https://github\.com/astral-sh/python-build-standalone/releases/download/(\d{8})/cpython-"
        + re.escape(archive["version"])
        + r"%2B\1-x86_64-unknown-linux-gnu-install_only_stripped\.tar\.gz",
        archive["url"],
    )
    assert re.fullmatch(r"[0-9a-f]{64}", archive["sha256"])
    assert f"python:{pinned_python()}-" in (ROOT / "Dockerfile").read_text(encoding="utf-8")


def test_the_locks_name_no_registry() -> None:
    """Each finds its packages where its reader's machine looks for them."""
    specification = ROOT / "tests" / "connect_specification" / "package-lock.json"
    packages = json.loads(specification.read_text(encoding="utf-8"))["packages"]
    fetched = {name: one for name, one in packages.items() if name}
    assert fetched
    assert [name for name, one in fetched.items() if "resolved" in one or not one["integrity"].startswith("sha512-")] == []
    assert "://" not in (ROOT / "requirements-connect.txt").read_text(encoding="utf-8")
