"""Answers of Firestore that break off: they are read again as a whole, for no longer than a call may take."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

import grpc
import pytest
from google.auth.credentials import AnonymousCredentials
from google.cloud.firestore import Client
from google.cloud.firestore_v1.types import RunAggregationQueryResponse, RunQueryRequest, RunQueryResponse
from google.protobuf.timestamp_pb2 import Timestamp

from shared.errors import HostDown
from shared.google.firestore_documents import Documents
from shared.microseconds import EPOCH

ROOT = "projects/shop/databases/(default)/documents"


@dataclass
class Breaking(grpc.GenericRpcHandler):
    """A Firestore of endless runs, whose next `times` streams break off after so many documents."""

    after: int = 0
    times: int = 0
    requests: list[str] = field(default_factory=list)

    def service(self, call: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler:
        def answer(request: bytes, context: grpc.ServicerContext) -> Iterator[bytes]:
            self.requests.append(call.method)
            breaks, self.times = self.times > 0, self.times - 1
            if call.method.endswith("/RunQuery"):
                limit = RunQueryRequest.deserialize(request).structured_query.limit or 1_000_000
                for number in range(min(limit, self.after) if breaks else limit):
                    yield RunQueryResponse.serialize(document(number))
            if breaks:
                context.abort(grpc.StatusCode.UNAVAILABLE, "broken")
            if call.method.endswith("/RunAggregationQuery"):
                yield RunAggregationQueryResponse.serialize(counted(7))

        return grpc.unary_stream_rpc_method_handler(answer)


def document(number: int) -> RunQueryResponse:
    moment = Timestamp(seconds=number + 1)
    named = {"name": f"{ROOT}/runs/run-{number}", "create_time": moment, "update_time": moment}
    return RunQueryResponse(document=named, read_time=moment)


def counted(number: int) -> RunAggregationQueryResponse:
    return RunAggregationQueryResponse(
        result={"aggregate_fields": {"field_1": {"integer_value": number}}}, read_time=Timestamp(seconds=1)
    )


@pytest.fixture
def firestore() -> Breaking:
    """One that does not break."""
    return Breaking()


@pytest.fixture
def client(firestore: Breaking, monkeypatch: pytest.MonkeyPatch) -> Iterator[Client]:
    """Connected with it."""
    server = grpc.server(ThreadPoolExecutor(2), handlers=[firestore])
    monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}")
    server.start()
    with closing(Client(project="shop", credentials=AnonymousCredentials())) as opened:
        yield opened
    server.stop(None).wait()


CALLS: dict[str, Callable[[Documents], Any]] = {
    "query": lambda documents: len(documents.query(documents.collection("runs").limit(7))),
    "count": lambda documents: documents.count(documents.collection("runs").limit(7), at=EPOCH),
}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("after", [0, 5])
def test_what_breaks_off_is_read_again(firestore: Breaking, client: Client, call: str, after: int) -> None:
    """And has then as many documents as were asked for, not those of before as well."""
    firestore.after, firestore.times = after, 2
    assert CALLS[call](Documents(lambda: client, "(default)")) == 7
    assert len(firestore.requests) == 3


@pytest.mark.parametrize("call", CALLS)
def test_what_always_breaks_off_is_an_outage(firestore: Breaking, client: Client, call: str) -> None:
    """Told when the time of a call is over, after a few tries with pauses between them."""
    firestore.after, firestore.times = 1, 10**9
    began = time.monotonic()
    with pytest.raises(HostDown, match="UNAVAILABLE"):
        CALLS[call](Documents(lambda: client, "(default)", call_s=2))
    assert time.monotonic() - began < 30
    assert len(firestore.requests) < 100
