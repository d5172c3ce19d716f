"""A batch as a document: what is looked at by itself has fields of its own, so that nothing wide is read or written for it."""

from __future__ import annotations

from typing import Any

import msgspec

from shared.bulk.records import Batch, BatchResult, BatchStatus, FailedItem
from shared.google.firestore_documents import Fields, packed, plain, unpacked

LEASE = ("status", "attempts", "owner", "fence", "lease_until", "stirred")
"""Who works a batch, and the fence under which it was last recorded, taken or queued again; `stirred`: it is worked, or has
a partial result."""
SUMS = ("status", "size", "last", "lease_until", "finished_at", "seen", "sent", "reasons", "failed_items", "examples")
"""What sums are made of."""

_encode = msgspec.json.encode
_ids = msgspec.json.Decoder(list[str])
_lists = msgspec.json.Decoder(dict[str, list[str]])
_carried = msgspec.json.Decoder(dict[str, Any])
_reasons = msgspec.json.Decoder(dict[str, dict[str, int]])
_failed_items = msgspec.json.Decoder(list[FailedItem])
_examples = msgspec.json.Decoder(list[dict[str, Any]])


def fields_of(batch: Batch, fence: int) -> Fields:
    """All fields of a new batch, recorded under this fence."""
    return {
        "size": batch.size,
        "first": batch.first,
        "last": batch.last,
        "ids": None if batch.ids is None else packed(_encode(batch.ids)),
        "status": batch.status.value,
        "attempts": batch.attempts,
        "owner": batch.owner,
        "fence": fence,
        "lease_until": batch.lease_until,
        "stirred": False,
        "cursor": batch.cursor,
        "finished_at": batch.finished_at,
        **result_fields(batch.result),
        **carried_fields(batch.carried),
    }


def result_fields(result: BatchResult) -> Fields:
    """What a batch achieved: counts, what is shown of them, and the lists that nobody sums."""
    reasons = {"skipped": result.skipped, "failed": result.failed, "adjusted": result.adjusted}
    lists = {"failed_ids": result.failed_ids, "job_ids": result.job_ids, "sent_ids": result.sent_ids}
    return {
        "seen": result.seen,
        "sent": result.sent,
        "reasons": _encode(reasons) if any(reasons.values()) else None,
        "failed_items": packed(_encode(result.failed_items)) if result.failed_items else None,
        "examples": packed(_encode(result.examples)) if result.examples else None,
        "lists": packed(_encode(lists)) if any(lists.values()) else None,
    }


def carried_fields(carried: dict[str, Any] | None) -> Fields:
    """What the next attempt can start with."""
    return {"carried": None if carried is None else packed(_encode(carried))}


def free_fields(attempts: int) -> Fields:
    """The lease of a batch that nobody works."""
    return {"status": BatchStatus.QUEUED.value, "attempts": attempts, "owner": None, "lease_until": None}


def batch_of(run_id: str, name: str, fields: Fields) -> Batch:
    """The batch of this name, as it is stored."""
    index, number = place_of(name)
    ids, carried, lists = fields["ids"], fields["carried"], fields["lists"]
    lease_until, finished_at = fields["lease_until"], fields["finished_at"]
    reasons, listed = reasons_of(fields), _lists.decode(unpacked(lists)) if lists else {}
    return Batch(
        run_id=run_id,
        range_index=index,
        number=number,
        size=fields["size"],
        first=fields["first"],
        last=fields["last"],
        ids=None if ids is None else _ids.decode(unpacked(ids)),
        status=BatchStatus(fields["status"]),
        attempts=fields["attempts"],
        owner=fields["owner"],
        lease_until=plain(lease_until) if lease_until else None,
        cursor=fields["cursor"],
        result=BatchResult(
            seen=fields["seen"],
            sent=fields["sent"],
            skipped=reasons.get("skipped", {}),
            failed=reasons.get("failed", {}),
            adjusted=reasons.get("adjusted", {}),
            failed_ids=listed.get("failed_ids", []),
            failed_items=failed_items_of(fields["failed_items"]),
            job_ids=listed.get("job_ids", []),
            sent_ids=listed.get("sent_ids", []),
            examples=examples_of(fields["examples"]),
        ),
        carried=None if carried is None else _carried.decode(unpacked(carried)),
        finished_at=plain(finished_at) if finished_at else None,
    )


def place_of(name: str) -> tuple[int, int]:
    """Range and number of a batch id (`records.batch_id`)."""
    index, _, number = name.partition("-")
    return int(index), int(number)


def reasons_of(fields: Fields) -> dict[str, dict[str, int]]:
    """Counts by `skipped`, `failed` and `adjusted`, and each by reason; empty when there are none."""
    return _reasons.decode(fields["reasons"]) if fields["reasons"] else {}


def failed_items_of(stored: bytes | None) -> list[FailedItem]:
    """The failures of a batch that are shown."""
    return _failed_items.decode(unpacked(stored)) if stored else []


def examples_of(stored: bytes | None) -> list[dict[str, Any]]:
    """The requests of a dry run that are shown."""
    return _examples.decode(unpacked(stored)) if stored else []
