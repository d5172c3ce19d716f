"""Who works a batch, in Firestore.

Each write is one commit under the condition that the document is as it was when it was read; if it is not, everything is
looked at anew. What a write asks of *another* document, its run, cannot be a condition of the commit: a run is written
whenever its lease is renewed, and all its workers would wait for each other. So it is seen to like this:

- A run's fence rises by `save`, and then `requeue` writes every range and every batch that is not settled. Whoever read the
  run before the first may still write until the second comes to the same document, as if it had been a moment earlier: the
  second finds it. From then on the document is not what they have read, and they lose. That holds for `record`, too.
- A run is asked to stop by `save`, and then its live batches are counted. `take` writes its lease first and then reads the
  run again: either the count sees the lease, or `take` sees that the run stops, and gives the batch back. Batches that
  `record` writes after the stop are queued, like all others that it leaves over.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from shared.bulk.ports import NotTaken
from shared.bulk.records import Batch, BatchResult, BatchStatus, Run
from shared.bulk.run import accepts, is_stopping
from shared.errors import StaleWrite, TransientError
from shared.google.batch_documents import LEASE, batch_of, carried_fields, free_fields, result_fields
from shared.google.firestore_documents import MOST_WRITES, Changed, Fields, Snapshot, is_document_id
from shared.google.run_documents import TRIES, RunDocuments, chunks, contended, in_states

_OF_RUN = ("record", "expires_at", "written")


@dataclass(frozen=True, slots=True)
class _Rewritten:
    """A batch before and after a write, and when Firestore wrote it."""

    before: Fields
    after: Fields
    at: datetime


class BatchLeases:
    """The part of a `RunStore` that takes, holds and settles batches."""

    def __init__(self, runs: RunDocuments) -> None:
        self._runs, self._documents = runs, runs.documents

    def take(self, run_id: str, fence: int, batch_id: str, owner: str, now: datetime, lease_until: datetime) -> Batch | NotTaken:
        """Lease a queued batch, or a working one whose lease ran out; counts an attempt.

        Only while the run is accepted or running under this fence; that is looked at before the batch's own state. `HELD` also
        while it is stopping. Whoever dies between the write and the second look at the run leaves a lease that runs out; where
        only that look fails, the batch is given back if it can be.
        """

        def decide(batch: Fields, run: Run) -> Fields | NotTaken:
            is_held = batch["status"] == BatchStatus.WORKING and batch["lease_until"] > now
            if is_held and is_stopping(run, fence):
                return NotTaken.HELD
            if not accepts(run, fence):
                return NotTaken.IGNORED
            if batch["status"] in (BatchStatus.DONE, BatchStatus.FAILED):
                return NotTaken.SETTLED
            if is_held:
                return NotTaken.HELD
            return {
                "status": BatchStatus.WORKING.value,
                "attempts": batch["attempts"] + 1,
                "owner": owner,
                "fence": fence,
                "lease_until": lease_until,
                "stirred": True,
            }

        taken = self._rewrite(run_id, batch_id, decide)
        if isinstance(taken, NotTaken):
            return taken
        try:
            run = self._runs.stored(run_id)
        except TransientError:
            with suppress(TransientError):
                self._undo(run_id, batch_id, taken)
            raise
        if run is None or not accepts(run, fence):
            self._undo(run_id, batch_id, taken)
            return NotTaken.IGNORED
        return batch_of(run_id, batch_id, taken.after)

    def hold(self, run_id: str, batch_id: str, owner: str, lease_until: datetime) -> None:
        """Extend the lease of a batch that `owner` holds."""
        self._rewrite_held(run_id, batch_id, owner, lambda _: {"lease_until": lease_until})

    def put_back(
        self,
        batch: Batch,
        owner: str,
        *,
        cursor: str | None,
        result: BatchResult,
        count_attempt: bool,
        carried: dict[str, Any] | None = None,
    ) -> None:
        """End the lease without an outcome: the batch is queued again, keeping what was done up to `cursor`."""

        def freed(stored: Fields) -> Fields:
            return {
                **free_fields(stored["attempts"] if count_attempt else stored["attempts"] - 1),
                "stirred": result != BatchResult(),
                "cursor": cursor,
                **result_fields(result),
                **carried_fields(carried),
            }

        self._rewrite_held(batch.run_id, batch.batch_id, owner, freed)

    def settle(self, batch: Batch, owner: str, status: BatchStatus, result: BatchResult, now: datetime) -> None:
        """Write the final result (`DONE` or `FAILED`) of a batch that `owner` holds, once."""
        if status not in (BatchStatus.DONE, BatchStatus.FAILED):
            raise ValueError(f"a batch is settled as done or failed, not as {status}")
        final = {
            "status": status.value,
            "owner": None,
            "lease_until": None,
            "stirred": False,
            "finished_at": now,
            **result_fields(result),
            **carried_fields(None),
        }
        self._rewrite_held(batch.run_id, batch.batch_id, owner, lambda _: final)

    def requeue(self, run_id: str, fence: int) -> None:
        """After a take-over: what is not settled is queued again with fresh attempts, the leases of older fences are void.

        Not all at once: who is cut off leaves some of it undone, under a run whose lease runs out and which is then taken
        over anew. Once it returns, nobody writes any more who has read the run under an older fence.
        """
        run = self._runs.stored(run_id)
        if run is None or run.fence != fence:
            raise StaleWrite(f"run {run_id} is not under fence {fence}")
        self._raise_ranges(run_id, fence)
        unsettled = in_states(self._runs.batches(run_id), [BatchStatus.QUEUED, BatchStatus.WORKING]).select(["fence"])
        for _ in range(TRIES):
            left = [there for there in self._documents.query(unsettled, wide=True) if there.get("fence") < fence]
            if not left:
                return
            for some in chunks(left, MOST_WRITES):
                self._free(some, fence)
        raise contended(run_id)

    def _raise_ranges(self, run_id: str, fence: int) -> None:
        writes = self._documents.writes()
        for there in self._documents.query(self._runs.ranges(run_id).select([])):
            writes.update(there.reference, {"fence": fence})
        self._documents.commit(writes)

    def _free(self, batches: Sequence[Snapshot], fence: int) -> None:
        """Queue these again; none of them when one was changed meanwhile, and the next look finds them."""
        writes, mark = self._documents.writes(), self._runs.new_mark()
        for there in batches:
            fields = {**free_fields(attempts=0), "fence": fence}
            self._runs.add_update(writes, there.reference, there.update_time, fields, mark)
        with suppress(Changed):
            self._documents.commit(writes)

    def _undo(self, run_id: str, batch_id: str, taken: _Rewritten) -> None:
        """Give a batch back as it was, unless a take-over has queued it again meanwhile."""
        lease = {name: taken.before[name] for name in LEASE}
        with suppress(Changed):
            self._runs.update(self._runs.batch(run_id, batch_id), taken.at, lease, self._runs.new_mark())

    def _rewrite_held(self, run_id: str, batch_id: str, owner: str, changes: Callable[[Fields], Fields]) -> None:
        """Write a batch that `owner` works on; `StaleWrite` when it was taken over or its run has another fence."""

        def decide(batch: Fields, run: Run) -> Fields | NotTaken:
            is_held = batch["status"] == BatchStatus.WORKING and batch["owner"] == owner and batch["fence"] == run.fence
            return changes(batch) if is_held else NotTaken.IGNORED

        if isinstance(self._rewrite(run_id, batch_id, decide, LEASE), NotTaken):
            raise StaleWrite(f"batch {batch_id} of run {run_id} is not held by this worker any more")

    def _rewrite(
        self,
        run_id: str,
        batch_id: str,
        decide: Callable[[Fields, Run], Fields | NotTaken],
        fields: Sequence[str] | None = None,
    ) -> _Rewritten | NotTaken:
        """Write what `decide` makes of a batch and its run, as both were at one moment, unless the batch changes meanwhile.

        Of the batch only `fields` are read (all). `IGNORED` when there is no such batch or run.
        """
        if not is_document_id(run_id) or not is_document_id(batch_id):
            return NotTaken.IGNORED
        references = self._runs.batch(run_id, batch_id), self._runs.run(run_id)
        wanted = None if fields is None else (*fields, *_OF_RUN)
        mark = self._runs.new_mark()
        before, changes = Fields(), Fields()
        for _ in range(TRIES):
            there, stored_run = self._documents.get(*references, fields=wanted)
            stored, run = there.to_dict(), self._runs.run_of(stored_run)
            if stored is not None and stored["written"] == mark:
                return _Rewritten(before, {**before, **changes}, there.update_time)
            if stored is None or run is None:
                return NotTaken.IGNORED
            decided = decide(stored, run)
            if isinstance(decided, NotTaken):
                return decided
            before, changes = stored, decided
            try:
                at = self._runs.update(there.reference, there.update_time, changes, mark)
            except Changed:
                continue
            return _Rewritten(before, {**before, **changes}, at)
        raise contended(run_id)
