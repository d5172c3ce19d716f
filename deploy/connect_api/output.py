"""What the steps write: no secret ever, and in GitHub's log commands that mask what GitHub does not know to be one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TextIO

_SHORTEST = 4
"""Texts shorter than this are no secrets: replacing them would only garble the output."""


@dataclass(slots=True)
class Output:
    """Standard output for results and progress, standard error for faults; both without the secrets that it was told of."""

    out: TextIO
    err: TextIO
    masks: bool
    _secrets: list[str] = field(default_factory=list)

    def keep_secret(self, texts: Iterable[str]) -> None:
        """Never write these; where GitHub reads the log, tell it to mask them too. It does not show such a line itself."""
        for text in texts:
            if len(text) < _SHORTEST or text in self._secrets:
                continue
            self._secrets.append(text)
            if self.masks:
                self.out.writelines(f"::add-mask::{line}\n" for line in text.splitlines() if line.strip())
        self._secrets.sort(key=len, reverse=True)
        self.out.flush()

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
