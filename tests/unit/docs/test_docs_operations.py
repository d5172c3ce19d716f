"""docs/operations.md names every status, reason and log line of the code, and nothing that is not there."""

from __future__ import annotations

import ast
import re
from collections import Counter

from docs_pages import called, constants, page, product_calls, product_texts

from shared.bulk.records import BatchStatus, RunStatus
from shared.bulk.work import ATTEMPTS_USED_UP
from shared.commercetools.reads import UNREADABLE
from shared.klaviyo.row_outcomes import ROW_TOO_LARGE, UNNAMED_ERROR
from shared.klaviyo.verdicts import refusal_of
from shared.mapping.result import Adjustment, SkipReason
from shared.sqlite.queue import MAX_ATTEMPTS

PAGE = page("docs/operations.md")
FLOW = page("docs/how-an-import-works.md")
_HEADINGS = re.compile(r"^(#+) (.+)$", re.MULTILINE)
LEVELS = {"debug": "debug", "info": "info", "warning": "warning", "error": "error", "exception": "error", "critical": "critical"}


def test_every_status_of_a_run_is_explained() -> None:
    """Also `interrupted`, which is shown and never stored."""
    assert PAGE.codes("Status of a run") == {status.value for status in RunStatus} | {"interrupted"}


def test_every_status_of_a_batch_is_named() -> None:
    """Where the flow is explained."""
    assert {status.value for status in BatchStatus} <= set(FLOW.spans)


def test_every_skipped_reason_is_explained() -> None:
    """The table has exactly the reasons of the code."""
    assert PAGE.codes("Skipped reasons") == {reason.value for reason in SkipReason}


def test_every_adjustment_is_explained() -> None:
    """The table has exactly the adjustments of the code."""
    assert PAGE.codes("Adjustments") == {adjustment.value for adjustment in Adjustment}


def test_every_failed_reason_of_ours_is_explained() -> None:
    """The reasons that we choose ourselves; the others are codes of the hosts and names of errors."""
    ours = {ATTEMPTS_USED_UP, ROW_TOO_LARGE, UNNAMED_ERROR, UNREADABLE, refusal_of({}).code}
    assert PAGE.codes("Failed reasons") == ours
    settled = [constants(node) for _, node in product_calls() if called(node) == "_settle_failed"]
    assert settled
    assert not any(
        isinstance(value, str) for values in settled for value in values
    )  # a reason of ours has a name, which stands above


def test_every_log_line_is_explained() -> None:
    """The table has every line that the product writes, with its level."""
    written = {
        (values[0], LEVELS[called(node)])
        for _, node in product_calls()
        if isinstance(node.func, ast.Attribute) and ast.unparse(node.func.value) in {"_log", "_log()"}
        for values in [constants(node)]
        if values
    }
    listed = {(row[0].strip("`"), row[1]) for row in PAGE.table("Log lines")}
    assert len(written) > 15
    assert listed == written


def test_nothing_is_explained_twice() -> None:
    """Two rows about one thing would in time say different things of it; a line that has two levels has a row for each."""
    sections = [heading for level, heading in _HEADINGS.findall(PAGE.prose) if level == "##"]
    assert len(sections) > 10
    for heading in sections:
        of_what = [tuple(row[: 2 if heading == "Log lines" else 1]) for row in PAGE.table(heading)]
        assert [row for row, times in Counter(of_what).items() if times > 1] == [], heading


def test_every_message_that_is_quoted_is_a_text_of_the_code() -> None:
    """An operator who searches a page for a message finds it, so it must be the code's own; `…` stands for what varies."""
    texts = [_squeezed(text) for text in product_texts()]
    quoted = [
        row[0].replace("\\`", "`").strip("`")
        for heading in ("When it does not start", "When a start is answered 423")
        for row in PAGE.table(heading)
    ]
    assert len(quoted) > 7
    for message in quoted:
        for part in filter(None, (_squeezed(part) for part in message.replace("customers", "…").split("…"))):
            assert any(part in text for text in texts), f"{part!r} of {message!r} is nowhere in the code"


def test_numbers_of_the_queue_are_those_of_the_code() -> None:
    """How often a message is delivered before the queue gives up."""
    assert f"delivered {MAX_ATTEMPTS} times" in FLOW.text
    assert f"{MAX_ATTEMPTS} deliveries of a plan message failed" in PAGE.text


def test_there_is_a_place_for_figures() -> None:
    """Between two markers, so that they can be replaced by a measurement."""
    section = PAGE.section("Figures")
    assert re.search(r"<!-- figures -->\n.*<!-- /figures -->", section, re.DOTALL)


def test_every_halt_reason_of_ours_is_explained() -> None:
    """The others are the hosts' refusals."""
    reasons = {
        keyword.value.value
        for _, node in product_calls()
        if called(node) == "stop_run"
        for keyword in node.keywords
        if keyword.arg == "halt_reason" and isinstance(keyword.value, ast.Constant)
    }
    assert reasons
    assert reasons <= PAGE.codes("Why a run halts")


def _squeezed(text: str) -> str:
    return " ".join(text.replace("`", "").split())
