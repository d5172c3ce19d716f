"""The commands of `ct-klaviyo` as Markdown; `python tests/unit/docs/cli_reference.py` prints what docs/cli.md must contain."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import typer
from typer.core import TyperGroup

from shared.cli.app import app


def cli_reference() -> str:
    """One section for each command: its help, and a table of its arguments and options."""
    return "\n".join(_section(name, command) for name, command in commands())


def commands() -> Iterator[tuple[str, Any]]:
    """Every command under its name, those of a group under the group's name and theirs."""
    group = typer.main.get_command(app)
    assert isinstance(group, TyperGroup)
    for name, command in group.commands.items():
        if isinstance(command, TyperGroup):
            yield from ((f"{name} {inner}", one) for inner, one in command.commands.items())
        else:
            yield name, command


def _section(name: str, command: Any) -> str:
    paragraphs = [" ".join(part.split()) for part in str(command.help).split("\n\n")]
    lines = [f"## `ct-klaviyo {name}`", ""]
    for paragraph in paragraphs:
        lines += [paragraph, ""]
    rows = [
        f"| `{shown}` | {_default(parameter)} | {parameter.help} |"
        for parameter in command.params
        for shown in [_shown(parameter)]
    ]
    if rows:
        lines += ["| argument or option | default | meaning |", "|---|---|---|", *rows, ""]
    return "\n".join(lines)


def _shown(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        name = str(parameter.metavar or parameter.name).upper() + ("..." if parameter.nargs == -1 else "")
        return name if parameter.required else f"[{name}]"
    flag = ", ".join(parameter.opts)
    value = str(parameter.metavar or parameter.name.split("_")[-1]).upper()
    return flag if parameter.is_flag else f"{flag} {value}"


def _default(parameter: Any) -> str:
    if parameter.required:
        return "required"
    if isinstance(parameter.show_default, str):
        return f"`{parameter.show_default}`"
    if parameter.default is False:
        return "off"
    return "none" if parameter.default is None else f"`{parameter.default}`"


if __name__ == "__main__":
    sys.stdout.write(cli_reference())
