"""Between the web framework and the product's request and answer: bodies that are large, cut off, or not wanted."""

from __future__ import annotations

import io

import flask
import pytest

from functions.http import answered, answered_unread
from shared.http import ApiRequest, ApiResponse, BodyLost, ReadBody

OK = ApiResponse(204, b"")
MOST_BYTES = 100_000


class Wire(io.BytesIO):
    """What has arrived; gunicorn ends it at the announced length, and early when the caller hangs up, or raises when `cut`."""

    cut = False

    def read(self, size: int | None = -1) -> bytes:
        if self.cut:
            raise OSError("no more bytes of the chunk")
        return super().read(size)


def request_with(arrived: bytes, announced: int | None = None) -> tuple[flask.Request, Wire]:
    """A request as the server hands it on; `announced` is its Content-Length, None for one in chunks."""
    wire = Wire(arrived)
    environ = {"REQUEST_METHOD": "POST", "PATH_INFO": "/x", "wsgi.input": wire, "wsgi.input_terminated": True}
    if announced is not None:
        environ["CONTENT_LENGTH"] = str(announced)
    return flask.Request(environ), wire


@pytest.mark.parametrize("size", [0, 1, 65_536, 65_537, MOST_BYTES])
@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_arrives_as_it_was_sent(size: int, chunked: bool) -> None:
    """Whether or not its length was announced."""
    body = bytes(range(256)) * 400
    seen: list[ApiRequest] = []

    def keep(call: ApiRequest) -> ApiResponse:
        seen.append(call)
        return OK

    request, _ = request_with(body[:size], None if chunked else size)
    assert answered(request, keep, MOST_BYTES).status_code == 204
    assert (seen[0].method, seen[0].path, seen[0].body) == ("POST", "/x", body[:size])


def test_of_a_body_over_the_limit_one_byte_more_is_handed_on_and_the_rest_passes_by() -> None:
    """So that whoever sent it reads the answer."""
    request, wire = request_with(b"x" * 1_000_000, 1_000_000)
    sizes: list[int] = []

    def measure(call: ApiRequest) -> ApiResponse:
        sizes.append(len(call.body))
        return OK

    answered(request, measure, MOST_BYTES)
    assert sizes == [MOST_BYTES + 1]
    assert wire.read() == b""


def test_a_body_that_is_not_wanted_passes_by() -> None:
    """It is not read before the answer, and is gone after it."""
    request, wire = request_with(b"x" * 500_000, 500_000)

    def refuse(call: ApiRequest, _read_body: ReadBody) -> ApiResponse:
        assert (call.body, wire.tell()) == (b"", 0)
        return ApiResponse(401, b"")

    assert answered_unread(request, refuse, MOST_BYTES).status_code == 401
    assert wire.read() == b""


def test_a_body_that_ends_before_its_announced_length_is_lost() -> None:
    """The caller has hung up; what is there is not taken for a message."""
    request, _ = request_with(b'{"half":', 1_000)

    def read(_call: ApiRequest, read_body: ReadBody) -> ApiResponse:
        with pytest.raises(BodyLost):
            read_body()
        return ApiResponse(503, b"")

    assert answered_unread(request, read, MOST_BYTES).status_code == 503


def test_a_call_of_the_import_whose_body_is_lost_is_not_made() -> None:
    """Half a request may be another one."""

    def never(_call: ApiRequest) -> ApiResponse:
        raise AssertionError("half a body was handed on")

    assert answered(request_with(b"{", 1_000)[0], never, MOST_BYTES).status_code == 400
    request, wire = request_with(b"")
    wire.cut = True
    assert answered(request, never, MOST_BYTES).status_code == 400
