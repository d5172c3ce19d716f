"""Every command and every variable that a page names exists."""

from __future__ import annotations

import re
import shlex

import pytest
from cli_reference import cli_reference, commands
from docs_pages import ROOT, Page, page, pages

from deploy.connect_api.config import VARIABLES as CONNECT_VARIABLES
from shared.cli.ending import EXIT_CODES, Exit
from shared.settings.environment import IGNORED_NAMES, VARIABLES

PAGES = pages()
MAKEFILE = (ROOT / "Makefile").read_text()
TARGETS = set(re.findall(r"^([a-z-]+):.*## ", MAKEFILE, re.MULTILINE))
MAKE_VARIABLES = set(re.findall(r"^([A-Z_]+) \?=", MAKEFILE, re.MULTILINE))
SETTINGS = {name for variable in VARIABLES for name in (variable.name, variable.also) if name} | IGNORED_NAMES
DEPLOYMENT = set(re.findall(r"^#?([A-Z_]+)=", (ROOT / "deploy" / "gcloud.env.example").read_text(), re.MULTILINE))
DEPLOYMENT |= {variable.name for variable in CONNECT_VARIABLES} | {"CT_CONNECT_API_URL", "CT_CLIENT_ID", "CT_CLIENT_SECRET"}
NAMES_ELSEWHERE = DEPLOYMENT | {"RUN_ID", "RUN_OR_KIND", "REQUIRE_ALL_TIERS", "GOOGLE_APPLICATION_CREDENTIALS", "SECRETS_VERSION"}
COMMANDS = dict(commands())
GROUPS = {name.partition(" ")[0] for name in COMMANDS if " " in name}


@pytest.mark.parametrize("shown", PAGES, ids=lambda shown: shown.name)
def test_every_make_target_exists(shown: Page) -> None:
    """`make help` lists every target that a page names, and the Makefile has its variables."""
    for words in _commands(shown, "make"):
        for word in words:
            name, is_variable, _ = word.partition("=")
            assert name in (MAKE_VARIABLES if is_variable else TARGETS), f"{shown.name}: make {word}"


@pytest.mark.parametrize("shown", PAGES, ids=lambda shown: shown.name)
def test_every_command_of_ours_exists(shown: Page) -> None:
    """`ct-klaviyo` has every command and every option that a page names."""
    for words in _commands(shown, "ct-klaviyo"):
        depth = 2 if words[0] in GROUPS and len(words) > 1 else 1
        name = " ".join(words[:depth])
        if name in GROUPS:
            continue
        assert name in COMMANDS, f"{shown.name}: ct-klaviyo {name}"
        known = {option for parameter in COMMANDS[name].params for option in parameter.opts}
        for word in words[depth:]:
            assert not word.startswith("-") or word in known, f"{shown.name}: ct-klaviyo {name} {word}"


@pytest.mark.parametrize("shown", PAGES, ids=lambda shown: shown.name)
def test_every_module_that_is_run_exists(shown: Page) -> None:
    """`python -m` finds what a page tells to run."""
    for words in _commands(shown, "python"):
        if words[0] == "-m":
            path = ROOT / words[1].replace(".", "/")
            assert path.with_suffix(".py").is_file() or (path / "__main__.py").is_file(), f"{shown.name}: python -m {words[1]}"
        else:
            assert (ROOT / words[0]).is_file(), f"{shown.name}: python {words[0]}"


@pytest.mark.parametrize("shown", PAGES, ids=lambda shown: shown.name)
def test_every_environment_variable_exists(shown: Page) -> None:
    """What a page tells to set is a setting of the product, or of the Makefile."""
    code = [*shown.spans, *(body for language, body in shown.fences if language == "sh")]
    named = {name for text in code for name in re.findall(r"(?<![\w<])([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)(?![\w>])", text)}
    named |= {name for text in code for name in re.findall(r"(?<![\w-])([A-Z]{2,})=", text)}
    unknown = named - SETTINGS - MAKE_VARIABLES - NAMES_ELSEWHERE - _values()
    assert not unknown, f"{shown.name} names {sorted(unknown)}"


def test_the_emulators_tests_are_all_that_use_the_emulators() -> None:
    """`make emulators-test` leaves none out: a folder whose fixtures use them, or a module that does itself."""
    recipe = re.search(r"^emulators-test:.*\n((?:\t.*\n)+)", MAKEFILE, re.MULTILINE)
    assert recipe
    run = {ROOT / name for name in re.findall(r"tests/\S+", recipe[1])}
    assert all(path.exists() for path in run)
    using = [path for path in (ROOT / "tests").glob("*/**/*.py") if "\nfrom google_emulators " in path.read_text()]
    assert len(using) > 6
    wanted = {path.parent if path.name == "conftest.py" else path for path in using}
    assert [path for path in wanted if not run & {path, *path.parents}] == []


def test_the_command_line_is_documented_completely() -> None:
    """docs/cli.md has every command with its help, arguments, options and defaults, as the code has them."""
    assert cli_reference() in page("docs/cli.md").text


def test_the_exit_codes_are_documented() -> None:
    """docs/cli.md lists every exit code, and no other."""
    rows = page("docs/cli.md").table("Exit codes")
    assert [int(code) for code, _ in rows] == sorted(Exit)
    for code in Exit:
        assert re.search(rf"\b{int(code)} ", EXIT_CODES)


def _commands(shown: Page, program: str) -> list[list[str]]:
    """The words after the program, for each command line of the page that runs it with any."""
    found = []
    for line in shown.commands():
        if line.startswith(f"{program} "):
            words = shlex.split(line, comments=True)[1:]
            found.append(words[: words.index("|")] if "|" in words else words)
    return found


def _values() -> set[str]:
    """Words in capitals that are values of settings."""
    return {word for variable in VARIABLES for word in re.findall("[A-Z_]{4,}", f"{variable.form} {variable.default}")}
