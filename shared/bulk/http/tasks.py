"""The import's own messages over HTTP: `POST /tasks/plan` of the dispatcher, and the worker's endpoint.

Answers: 204 when the message is done with (also when nobody could ever handle it), 503 when it is to be delivered again,
401 to whoever is not the queue.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import msgspec

from shared import access, logs
from shared.budget import budget_of
from shared.bulk.app import ImportApp
from shared.bulk.dispatch import plan_slice
from shared.bulk.messages import PlanMessage, WorkMessage
from shared.bulk.work import give_up_batch, work_batch
from shared.dead_letters import DeadLetter, Kept, keep, poison_id_of
from shared.decoding import UNDECODABLE
from shared.errors import TransientError
from shared.http import ApiRequest, ApiResponse
from shared.push import MalformedPush, pushed_message

PLAN_SLICE_S = 240.0
"""How long the dispatcher plans before it continues by a new message; well below the queue's acknowledgement deadline."""

SET_ASIDE_S = 30.0
"""How long recording a dead letter may take."""

Message = TypeVar("Message", PlanMessage, WorkMessage)

_log = logs.get(__name__)


def plan_task(app: ImportApp, request: ApiRequest) -> ApiResponse:
    """`POST /tasks/plan`: plan the next slice of a range."""
    slice_s = min(PLAN_SLICE_S, app.settings.budgets.worker_deadline_s)
    return _handled(app, request, PlanMessage, lambda message: plan_slice(app, message, slice_s))


def worker_answer(app: ImportApp, request: ApiRequest) -> ApiResponse:
    """The worker's answer: `POST /` works a batch, `POST /dead` settles one that the queue gave up on, `GET /health`."""
    if request.method == "GET" and request.path == "/health":
        return ApiResponse(200, b'{"status":"ok"}')
    if request.method != "POST":
        return ApiResponse(405, b'{"error":"method_not_allowed","message":"messages are posted"}', headers={"Allow": "POST"})
    if request.path == "/dead":
        return _handled(app, request, WorkMessage, lambda message: give_up_batch(app, message, app.new_id()))
    budget_s = app.settings.budgets.worker_deadline_s
    return _handled(app, request, WorkMessage, lambda message: work_batch(app, message, app.new_id(), budget_s))


def _handled(app: ImportApp, request: ApiRequest, message_type: type[Message], handle: Callable[[Message], None]) -> ApiResponse:
    try:
        verdict = access.check_task_caller(request.headers, app.settings, app.verify_id_token, now=app.now())
    except TransientError as error:
        _log.warning("delivery cannot be checked now, it comes again", error=error)
        return ApiResponse(503, b"")
    if isinstance(verdict, access.Denied):
        return _refused(app, verdict)
    try:
        pushed = pushed_message(request.headers, request.body)
    except MalformedPush as error:
        return _set_aside(app, message_type, error.reason, request.body)
    try:
        message = msgspec.json.decode(pushed.data, type=message_type)
    except UNDECODABLE:
        return _set_aside(app, message_type, "not_such_a_message", pushed.data)
    try:
        handle(message)
    except TransientError as error:
        _log.warning("message to be delivered again", error=error, run_id=message.run_id)
        return ApiResponse(503, b"")
    except Exception as error:
        _log.exception("message failed inside", error=error, run_id=message.run_id)
        return ApiResponse(503, b"")
    return ApiResponse(204, b"")


def _refused(app: ImportApp, verdict: access.Denied) -> ApiResponse:
    """The answer to whoever is not the queue; should it be the queue after all, the log is where its run stands still."""
    fault = verdict.fault or verdict.error
    if refused := app.refusals.to_say(fault, app.now()):
        _log.error("task refused: the caller is not the queue", reason=fault, refused_count=refused)
    return ApiResponse(verdict.status, msgspec.json.encode({"error": verdict.error, "message": verdict.message}))


def _set_aside(app: ImportApp, message_type: type[Message], reason: str, content: bytes) -> ApiResponse:
    """Record a message that nobody could read; where that is not allowed, the log has all that is known of it.

    It is recorded once, however often it comes, if its push could be opened: then `content` is the message itself. Else it
    is the whole push, which another delivery of the queue may write in another way.
    """
    letter = DeadLetter(
        letter_id=poison_id_of(content), at=app.now(), source="import", reason=reason, message_type=message_type.__name__
    )
    _log.error("message set aside", reason=reason, dead_letter_id=letter.letter_id)
    kept = keep(app.dead_letters, letter, budget_of(SET_ASIDE_S))
    return ApiResponse(503 if kept is Kept.NOT_YET else 204, b"")
