"""The records of an import as they are stored."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
import pytest

from shared.bulk.messages import PlanMessage, WorkMessage, encoded
from shared.bulk.records import Batch, BatchResult, FailedItem, batch_id

KLAVIYO_BATCH = 10_000


def test_batch_ids_sort_in_planning_order() -> None:
    """By range, then by number, as texts."""
    pairs = [(0, 1), (0, 9), (0, 10), (0, 123_456), (1, 1), (2, 1), (10, 1), (15, 2)]
    assert sorted(batch_id(*pair) for pair in pairs) == [batch_id(*pair) for pair in pairs]


def test_the_record_of_a_wholly_refused_batch_stays_small() -> None:
    """Ten thousand failed ids and a hundred details: under 700 KB (flows.md "Batch record")."""
    ids = [f"{number:08d}-0000-4000-8000-000000000000" for number in range(KLAVIYO_BATCH)]
    details = [
        FailedItem(id=item, reason="a_rather_long_reason", pointer="/data/attributes/profiles/data/9999") for item in ids[:100]
    ]
    result = BatchResult(seen=KLAVIYO_BATCH, failed={"invalid": KLAVIYO_BATCH}, failed_ids=ids, failed_items=details)
    batch = Batch(run_id="r" * 36, range_index=0, number=1, size=KLAVIYO_BATCH, first=ids[0], last=ids[-1], result=result)
    assert len(msgspec.json.encode(batch)) < 700_000


def test_a_record_without_results_is_tiny() -> None:
    """What is at its default is not written, and reads back as it was."""
    batch = Batch(
        run_id="run-1", range_index=0, number=1, size=3, first="a", last="c", lease_until=datetime(2026, 3, 1, tzinfo=UTC)
    )
    written = msgspec.json.encode(batch)
    assert len(written) < 150
    assert msgspec.json.decode(written, type=Batch) == batch


def test_results_do_not_share_their_collections() -> None:
    """Two empty results are two."""
    BatchResult().failed["x"] = 1
    assert BatchResult().failed == {}


@pytest.mark.parametrize(
    ("message", "body"),
    [
        (PlanMessage("run-1", 3, 7), b'{"runId":"run-1","fence":3,"rangeIndex":7}'),
        (WorkMessage("run-1", 3, "000-000001"), b'{"runId":"run-1","fence":3,"batchId":"000-000001"}'),
    ],
    ids=["plan", "work"],
)
def test_a_message_has_ids_and_the_fence_and_nothing_else(message: PlanMessage | WorkMessage, body: bytes) -> None:
    """It reads back, also with a field that only a later version knows; one without any of its fields is refused."""
    assert encoded(message) == body
    assert msgspec.json.decode(body, type=type(message)) == message
    assert msgspec.json.decode(body[:-1] + b',"later":1}', type=type(message)) == message
    fields = msgspec.json.decode(body)
    for missing in fields:
        with pytest.raises(msgspec.ValidationError):
            msgspec.convert({name: value for name, value in fields.items() if name != missing}, type=type(message))
