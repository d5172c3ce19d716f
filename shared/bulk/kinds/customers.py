"""Customers into Klaviyo: read, map, settle shared identifiers, write by profile import jobs (mapping.md "Profiles")."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from shared.budget import Budget
from shared.bulk.app import ImportApp
from shared.bulk.masking import masked_profile
from shared.bulk.records import Batch, Run
from shared.bulk.results import EXAMPLES
from shared.bulk.source import items_of
from shared.bulk.tally import Progress, Step, Tally
from shared.commercetools.kinds import CUSTOMERS
from shared.commercetools.reads import UNREADABLE
from shared.commercetools.resources import Customer
from shared.commercetools.scan import Undecodable
from shared.klaviyo.profile_rows import KnownOutcomes, KnownRecord, ProfileImportResult, ProfileRow, profile_row
from shared.klaviyo.row_outcomes import Failed
from shared.mapping.customer import profile_of
from shared.mapping.result import Adjustment, Skip, SkipReason
from shared.mapping.shared_identifiers import IdentifierRow, settle_identifiers
from shared.settings.document import CustomerRules

WINDOW_BYTES = 16_000_000
"""Mapped customers held at once, encoded; an ordinary batch is smaller, so that its identifiers are settled together."""


class _Window:
    """Mapped customers that wait to be written together."""

    def __init__(self) -> None:
        self.tally = Tally()
        self.cursor = ""
        self.bytes_held = 0
        self.rows: list[ProfileRow] = []
        self.identifiers: list[IdentifierRow] = []

    def admit(self, item: Customer | Undecodable, rules: CustomerRules) -> None:
        """Map one customer; whatever becomes of it is counted."""
        self.cursor = item.id
        if isinstance(item, Undecodable):
            self.tally.failed(item.id, UNREADABLE, item.field_path)
            return
        mapped = profile_of(item, rules)
        if isinstance(mapped, Skip):
            self.tally.skipped(mapped.reason)
            return
        for adjustment in mapped.adjustments:
            self.tally.adjusted(adjustment)
        row = profile_row(item.id, mapped.attributes)
        self.rows.append(row)
        self.bytes_held += len(row.encoded)
        attributes = mapped.attributes
        self.identifiers.append(
            IdentifierRow(item.id, attributes.email or "", attributes.phone_number, item.createdAt, item.lastModifiedAt)
        )

    def handed_over(self) -> Iterator[ProfileRow]:
        """The rows to write, once those that share an e-mail or a phone have been told apart; they are held here no longer."""
        settled = settle_identifiers(self.identifiers)
        self.tally.skipped(SkipReason.SAME_EMAIL, len(settled.same_email))
        self.tally.adjusted(Adjustment.PHONE_SHARED, len(settled.lost_phone))
        rows, self.rows, self.identifiers = self.rows, [], []
        return (
            row.without_phone() if index in settled.lost_phone else row
            for index, row in enumerate(rows)
            if index not in settled.same_email
        )


def import_customers(app: ImportApp, run: Run, batch: Batch, progress: Progress, budget: Budget) -> Iterator[Step]:
    """Bring the customers of a batch over; yields after each window of them, usually once.

    Raises what reading and writing raise; `progress.carry` then tells what is known of the customers since the last step.
    """
    known = KnownOutcomes.from_record(msgspec.convert(batch.carried or {}, KnownRecord))
    rules = app.settings.mapping.document.customer
    window, seen = _Window(), 0
    with app.slots.taken(budget):
        for page in items_of(app, run, batch, CUSTOMERS, budget):
            for item in page:
                window.admit(item, rules)
            seen += len(page)
            if window.bytes_held >= WINDOW_BYTES:
                yield _written(app, run, window, known, progress, budget)
                window, known = _Window(), KnownOutcomes()
        if batch.ids is not None:
            asked = sum(1 for item in batch.ids if batch.cursor is None or item > batch.cursor)
            window.tally.skipped(SkipReason.GONE, asked - seen)
        window.cursor = batch.ids[-1] if batch.ids else batch.last
        yield _written(app, run, window, known, progress, budget)


def _written(app: ImportApp, run: Run, window: _Window, known: KnownOutcomes, progress: Progress, budget: Budget) -> Step:
    if run.options.dry_run:
        _show(window.handed_over(), window.tally)
    else:
        progress.carry = lambda: msgspec.to_builtins(known.to_record())
        _count(app.profiles.import_profiles(window.handed_over(), budget, known), window.tally)
    return Step(window.cursor, window.tally.result())


def _show(rows: Iterator[ProfileRow], tally: Tally) -> None:
    for number, row in enumerate(rows):
        tally.sent()
        if number < EXAMPLES:
            tally.example(masked_profile(row.attributes))


def _count(result: ProfileImportResult, tally: Tally) -> None:
    tally.jobs(list(result.job_ids))
    for customer_id, outcome in result.outcomes.items():
        if isinstance(outcome, Failed):
            tally.failed(customer_id, outcome.reason, outcome.pointer)
            continue
        tally.sent()
        for adjustment in outcome.adjustments:
            tally.adjusted(adjustment)
