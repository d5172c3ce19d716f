"""A value that no log, traceback or serializer can show by accident (decisions.md 17)."""

from __future__ import annotations

import hmac
from typing import NoReturn


class Secret:
    """Holds a secret text; only `reveal` gives it back."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The secret itself, for the one call that sends it."""
        return self._text

    def matches(self, candidate: str) -> bool:
        """Whether `candidate` is this secret, compared in constant time."""
        return hmac.compare_digest(self._text.encode(), candidate.encode("utf-8", "backslashreplace"))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self.matches(other._text)

    def __hash__(self) -> int:
        return hash((Secret, self._text))

    def __repr__(self) -> str:
        return "Secret(...)"

    __str__ = __repr__

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not serialized")
