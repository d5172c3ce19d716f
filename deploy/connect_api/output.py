"""What the steps write: no secret ever, and in GitHub's log commands that mask what GitHub does not know to be one."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TextIO

_SHORTEST = 4
"""Texts shorter than this are no secrets: replacing them would only garble the output."""


@dataclass(slots=True)
class Output:
    """Standard output for results and progress, standard error for faults; both without the secrets that it was told of.

    GitHub's commands go to standard error, which it reads as well: results may be captured or written to a file.
    """

    out: TextIO
    err: TextIO
    masks: bool
    _secrets: list[str] = field(default_factory=list)

    def keep_secret(self, texts: Iterable[str]) -> None:
        """Never write these, nor as they stand inside of JSON; where GitHub reads the log, tell it to mask them too.

        It does not show such a line itself.
        """
        for form in (form for text in texts for form in _forms(text)):
            if len(form) < _SHORTEST or form in self._secrets:
                continue
            self._secrets.append(form)
            if self.masks:
                lines = [line for line in form.splitlines() if len(line.strip()) >= _SHORTEST]
                self.err.writelines(f"::add-mask::{_data(line)}\n" for line in lines)
        self._secrets.sort(key=len, reverse=True)
        self.err.flush()

    def say(self, line: str) -> None:
        """A result, or how far it is."""
        self.out.write(f"{self._clean(line)}\n")
        self.out.flush()

    def complain(self, line: str) -> None:
        """A fault."""
        self.err.write(f"{self._clean(line)}\n")
        self.err.flush()

    def _clean(self, line: str) -> str:
        for secret in self._secrets:
            line = line.replace(secret, "***")
        return line


def _forms(text: str) -> tuple[str, ...]:
    """The text, and what JSON makes of it with and without letters beyond ASCII."""
    return text, json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1]


def _data(line: str) -> str:
    """As GitHub reads the data of a command."""
    return line.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
