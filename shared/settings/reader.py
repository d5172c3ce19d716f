"""Reads single variables and collects what is wrong with them; messages never quote a value."""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import TypeVar

from shared.errors import Problem
from shared.settings.environment import BY_NAME, IGNORED_NAMES, KNOWN_NAMES, OUR_PREFIXES
from shared.settings.hosts import url_fault
from shared.settings.nearest import nearest
from shared.settings.secret import Secret

E = TypeVar("E", bound=StrEnum)

SLIP = 0.8
"""How alike (0..1) a name must be to one of ours to be taken for a slip of it."""

_TRUE, _FALSE = frozenset({"true", "1", "yes", "on"}), frozenset({"false", "0", "no", "off"})


class Reader:
    """Reads variables by the table's defaults and collects the problems; a faulty value reads as a harmless stand-in."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self.problems: list[Problem] = []

    def fault(self, name: str, message: str) -> None:
        """Note a problem of variable `name`."""
        self.problems.append(Problem(name, message))

    def given(self, name: str) -> str:
        """What is set, without surrounding space; empty counts as not set."""
        return self._environ.get(name, "").strip()

    def text(self, name: str) -> str:
        """The value, by either of the variable's names, or its default; a required one that is not filled in is a problem."""
        variable = BY_NAME[name]
        value = self.given(name)
        if variable.also and (other := self.given(variable.also)):
            if value and " ".join(value.split()) != " ".join(other.split()):
                self.fault(name, f"and {variable.also} are both set and differ; remove one of them")
            value = value or other
        if not value and variable.required:
            self.fault(name, f"is missing; set it to {_article(variable.form)}{_like(variable.example)}")
        elif variable.required and value == variable.example:
            self.fault(name, "still has the example's value; set it to your own")
        return value or variable.default

    def matching(self, name: str, pattern: str, form: str) -> str:
        """A text that matches `pattern` as a whole, if it is set; `form` says so for people."""
        value = self.text(name)
        if value and not re.fullmatch(pattern, value):
            self.fault(name, f"must be {form}")
        return value

    def header_text(self, name: str) -> str:
        """A text that travels in an HTTP header."""
        value = self.text(name)
        if value and not re.fullmatch("[!-~]+", value):
            self.fault(name, "has spaces, line breaks or characters outside ASCII inside it; copy it again")
        return value

    def secret(self, name: str) -> Secret | None:
        """A secret that travels in an HTTP header, or None when it is not set."""
        value = self.header_text(name)
        return Secret(value) if value else None

    def url(self, name: str) -> str:
        """The base URL of an API, without a trailing slash."""
        value = self.text(name)
        if value and (fault := url_fault(value)):
            self.fault(name, fault)
        return value.rstrip("/")

    def number(self, name: str, *, above: float, up_to: float) -> float:
        """A number in (above, up_to]."""
        try:
            value = float(self.text(name))
        except ValueError:
            value = above
        if not above < value <= up_to:
            self.fault(name, f"must be a number above {above:g}, up to {up_to:g}")
            return 1.0
        return value

    def whole(self, name: str, lowest: int, highest: int) -> int:
        """A whole number in [lowest, highest]."""
        value = self.text(name)
        if not re.fullmatch("[0-9]{1,9}", value) or not lowest <= int(value) <= highest:
            self.fault(name, f"must be a whole number from {lowest} to {highest}")
            return lowest
        return int(value)

    def flag(self, name: str) -> bool:
        """A yes or no."""
        value = self.text(name).casefold()
        if value not in _TRUE | _FALSE:
            self.fault(name, "must be true or false")
        return value in _TRUE

    def choice(self, name: str, choices: type[E]) -> E | None:
        """One of the choices, or None when it is not set."""
        value = self.text(name)
        try:
            return choices(value) if value else None
        except ValueError:
            names = [choice.value for choice in choices]
            meant = nearest(value, names, cutoff=SLIP)
            self.fault(name, f"must be one of {', '.join(names)}{f'; did you mean {meant}?' if meant else ''}")
            return None

    def refuse_misspelt_names(self) -> None:
        """A variable that looks like ours but is not would be ignored without a word."""
        for name in sorted(self._environ):
            if name in KNOWN_NAMES or name in IGNORED_NAMES or not name.startswith(OUR_PREFIXES):
                continue
            if meant := nearest(name, sorted(KNOWN_NAMES), cutoff=SLIP):
                self.fault(name, f"is not a variable of ours; did you mean {meant}?")


def _article(form: str) -> str:
    if form == "scopes, separated by spaces" or form.startswith("`") or form in ("text", "JSON"):
        return form
    return f"{'an' if form[0] in 'aeio' else 'a'} {form}"


def _like(example: str) -> str:
    return f", like {example}" if example else ""
