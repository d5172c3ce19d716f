"""What a person probably meant by a name that does not exist."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import SequenceMatcher


def nearest(name: str, known: Iterable[str], *, cutoff: float) -> str | None:
    """The known name that is most like `name`, regardless of case, or None when none reaches `cutoff` (0..1)."""
    wanted = name.casefold()
    best, best_ratio = None, cutoff
    for candidate in known:
        ratio = SequenceMatcher(None, wanted, candidate.casefold()).ratio()
        if ratio >= best_ratio and (best is None or ratio > best_ratio):
            best, best_ratio = candidate, ratio
    return best
