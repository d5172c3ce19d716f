"""Events reach Klaviyo each by a request of its own, all of them, whatever becomes of one (case 7)."""

from __future__ import annotations

import threading
from functools import partial
from typing import Any

import httpx
import pytest
from write_world import StepTime, WriteWorld, customer, event

from shared.errors import AuthError, Host, HostDown, Interrupted, PermanentError, RateLimited, TransientError
from shared.klaviyo.client import KlaviyoClient
from shared.klaviyo.limiter import Limiter
from shared.klaviyo.profiles import ProfileAttributes
from shared.klaviyo.verdicts import Refusal, Refused
from shared.mapping.result import Adjustment
from shared.realtime.event_writes import EventMemory
from shared.realtime.sending import WriteResult, send
from shared.realtime.writes import SendEvents
from shared.together import THREADS_MOST, results, together

REFUSED = {"time": "1980-01-01T00:00:00+00:00"}


def test_every_event_is_recorded_once_however_often_it_is_sent() -> None:
    """Case 13: the same unique ids again are ignored by Klaviyo."""
    world = WriteWorld()
    write = SendEvents((event("order-1"), *(event(f"line-{n}", "Ordered Product") for n in range(20))))
    assert world.send(write) == WriteResult()
    assert world.send(write) == WriteResult()
    assert len(world.events()) == 21
    assert world.requests() == ["POST events 202"] * 42


def test_the_first_event_goes_alone_and_makes_the_profile() -> None:
    """The others, at the same time, could otherwise make it several times."""
    world = WriteWorld()
    world.send(SendEvents(tuple(event(f"e-{n}") for n in range(10))))
    assert world.transport.seen[0].body["data"]["attributes"]["unique_id"] == "e-0"
    assert world.effects().count("profile_created customer-1") == 1


def test_amounts_arrive_as_exact_numbers() -> None:
    """In the value and within the properties."""
    world = WriteWorld()
    world.send(SendEvents((event("order-1"),)))
    attributes = world.transport.seen[0].body["data"]["attributes"]
    assert (attributes["value"], attributes["value_currency"]) == (13.1, "EUR")
    assert attributes["properties"]["Items"][0]["ItemPrice"] == 13.1


def test_all_events_are_attempted_when_the_first_fails() -> None:
    """Case 7: it is raised afterwards."""
    world = WriteWorld()
    with pytest.raises(PermanentError) as caught:
        world.send(SendEvents((event("a", **REFUSED), event("b"), event("c"))))
    assert caught.value.pointer == "/data/attributes/time"
    assert {stored.unique_id for stored in world.events()} == {"b", "c"}


def test_a_transient_failure_outranks_a_lasting_one() -> None:
    """The message comes again then, and the lasting one is found again."""
    world = WriteWorld()
    world.fault(kind="status", path="/api/events", skip=1, first=3, status=500)  # all three tries of the second
    with pytest.raises(HostDown):
        world.send(SendEvents((event("a", **REFUSED), event("b"))))


def test_of_lasting_failures_the_first_by_position_is_raised() -> None:
    """So that the dead letter of a message is the same each time."""
    world = WriteWorld()
    with pytest.raises(PermanentError) as caught:
        world.send(SendEvents((event("a"), event("b", value_currency="euro"), event("c", **REFUSED))))
    assert caught.value.pointer == "/data/attributes/value_currency"


def test_after_refused_credentials_nothing_more_is_sent() -> None:
    """They would be refused for every event."""
    world = WriteWorld(scopes=())
    with pytest.raises(AuthError):
        world.send(SendEvents(tuple(event(f"e-{n}") for n in range(50))))
    assert world.requests() == ["POST events 403"]


def test_nothing_is_sent_past_the_deadline() -> None:
    """The budget is asked before each request."""
    world = WriteWorld()
    with pytest.raises(Interrupted):
        world.send(SendEvents((event("a"), event("b"))), seconds=0)
    assert world.requests() == []


def test_a_refused_phone_is_left_out_of_the_event() -> None:
    """The refusal names only the phone; counted once however many events had it."""
    world = WriteWorld(unsupported_phone_prefixes=("+49",))
    guest = ProfileAttributes(email="guest@example.com", phone_number="+4930123456")
    result = world.send(SendEvents((event("a", profile=guest), event("b", profile=guest))))
    assert result == WriteResult((Adjustment.PHONE_REFUSED,))
    assert sorted(world.requests()) == ["POST events 202"] * 2 + ["POST events 400"] * 2
    assert len(world.events()) == 2


def test_a_refusal_that_names_more_than_the_phone_is_lasting() -> None:
    """Without the phone it would be refused as well."""
    world = WriteWorld(unsupported_phone_prefixes=("+49",))
    with pytest.raises(PermanentError):
        world.send(SendEvents((event("a", profile=customer(1, phone_number="+4930123456"), **REFUSED),)))
    assert world.requests() == ["POST events 400"]


def test_a_refused_phone_of_somebody_without_other_identifiers_is_lasting() -> None:
    """Without it there is nobody to record the event for."""
    world = WriteWorld(unsupported_phone_prefixes=("+49",))
    with pytest.raises(PermanentError):
        world.send(SendEvents((event("a", profile=ProfileAttributes(phone_number="+4930123456")),)))
    assert world.requests() == ["POST events 400"]


def test_sixteen_events_are_under_way_at_a_time() -> None:
    """Each answer waits until so many requests are there; more than that are never there."""
    full, alone = threading.Barrier(THREADS_MOST, timeout=30), threading.Event()
    lock, under_way, most = threading.Lock(), 0, 0

    def answer(_request: httpx.Request) -> httpx.Response:
        nonlocal under_way, most
        with lock:
            under_way += 1
            most = max(most, under_way)
        if alone.is_set():
            full.wait()
        alone.set()  # the first event is sent alone
        with lock:
            under_way -= 1
        return httpx.Response(202)

    time = StepTime()
    http = httpx.Client(transport=httpx.MockTransport(answer), base_url="http://klaviyo.test")
    client = KlaviyoClient(http, "pk", Limiter(monotonic=time.monotonic))
    events = tuple(event(f"e-{n}") for n in range(1 + 3 * THREADS_MOST))
    assert send(SendEvents(events), client, time.budget()) == WriteResult()
    assert most == THREADS_MOST == 16


def test_no_events_are_no_requests() -> None:
    """An order may have nothing to say."""
    world = WriteWorld()
    assert world.send(SendEvents(())) == WriteResult()
    assert world.requests() == []


def test_the_worst_error_is_raised_and_results_keep_their_order() -> None:
    """Credentials before anything that may pass, before what was interrupted, before what lasts."""
    lasting = PermanentError("invalid", host=Host.KLAVIYO, status=400)
    transient, interrupted = TransientError("x"), Interrupted(Interrupted.Cause.DEADLINE)
    for errors, worst in (
        ([lasting, interrupted], interrupted),
        ([lasting, interrupted, transient], transient),
        ([lasting, transient, HostDown("later")], transient),
    ):
        with pytest.raises(type(worst)) as caught:
            results([1, *errors])
        assert caught.value is worst
    assert results(together([lambda n=n: n for n in range(100)], StepTime().budget())) == list(range(100))


def test_once_the_quota_is_used_up_no_other_call_begins() -> None:
    """Nothing is encoded in vain; all that did not begin have the same error."""
    used_up, begun = RateLimited("later"), []

    def call(number: int) -> int:
        begun.append(number)
        if number == 2:
            raise used_up
        return number

    assert together([partial(call, n) for n in range(5)], StepTime().budget(), threads=1) == [0, 1, *[used_up] * 3]
    assert begun == [0, 1, 2]


def test_once_the_time_is_over_no_other_call_begins() -> None:
    """An answer within the deadline is worth more than a request that nobody waits for."""
    time, begun = StepTime(), []

    def call(number: int) -> int:
        begun.append(number)
        time.sleep(4.0)
        return number

    outcomes = together([partial(call, n) for n in range(5)], time.budget(6.0), threads=1)
    assert (outcomes[:2], {type(outcome) for outcome in outcomes[2:]}) == ([0, 1], {Interrupted})
    assert begun == [0, 1]


def test_no_other_event_is_attempted_once_the_quota_is_used_up() -> None:
    """The rest comes with the next delivery."""
    world = WriteWorld()
    world.fault(kind="status", path="/api/events", status=429, retry_after="60")
    with pytest.raises(RateLimited):
        world.send(SendEvents(tuple(event(f"e-{n}") for n in range(50))), seconds=8.5)
    assert world.requests() == ["POST events 429"]


# What is not sent again


def test_an_order_that_exceeds_the_quota_is_done_after_some_deliveries() -> None:
    """Each delivery goes on where the last one ended: no event is sent twice."""
    world = WriteWorld(rate_share=0.1)
    write = SendEvents(tuple(event(f"e-{n}") for n in range(600)))
    assert world.deliveries(write) > 1
    assert world.requests() == ["POST events 202"] * 600
    assert len(world.events()) == 600


def test_an_order_whose_events_are_all_refused_comes_to_a_verdict_too() -> None:
    """Also with a small quota: what was refused for good is not tried again at each delivery."""
    world = WriteWorld(rate_share=0.1)
    write = SendEvents(tuple(event(f"e-{n}", **REFUSED) for n in range(600)))
    with pytest.raises(PermanentError) as caught:
        world.deliveries(write)
    assert (caught.value.reason, caught.value.pointer) == ("invalid", "/data/attributes/time")
    assert world.requests() == ["POST events 400"] * 600


def test_after_a_failure_only_what_is_not_settled_is_sent_again() -> None:
    """What had to be left out of a settled one is still told in the end."""
    world = WriteWorld(unsupported_phone_prefixes=("+49",))
    guest = ProfileAttributes(email="guest@example.com", phone_number="+4930123456")
    world.fault(kind="status", path="/api/events", skip=2, first=3, status=500)  # all three tries of the second
    write = SendEvents((event("a", profile=guest), event("b")))
    with pytest.raises(HostDown):
        world.send(write)
    world.forget()
    assert world.send(write) == WriteResult((Adjustment.PHONE_REFUSED,))
    assert [seen.body["data"]["attributes"]["unique_id"] for seen in world.transport.seen] == ["b"]


@pytest.mark.parametrize("refused", [False, True])
def test_nothing_is_remembered_of_a_message_that_is_done(refused: bool) -> None:
    """A replay of its dead letter sends all of it; so does whoever sends it on purpose."""
    world = WriteWorld()
    write = SendEvents((event("a"), event("b", **(REFUSED if refused else {}))))
    world.fault(kind="status", path="/api/events", skip=1, first=3, status=500)
    with pytest.raises(HostDown):
        world.send(write)
    for expected in (1, 2):
        world.forget()
        try:
            world.send(write)
        except PermanentError:
            assert refused
        assert len(world.requests()) == expected


@pytest.mark.parametrize(
    "different",
    [
        {"metric": "Ordered Product"},
        {"profile": customer(2)},
        {"profile": customer(1, email="other@example.com")},
        {"profile": customer(1, phone_number="+12125550123")},
    ],
    ids=str,
)
def test_an_event_is_known_by_its_metric_its_id_and_its_person(different: dict[str, Any]) -> None:
    """By all that names them: the order may have got another customer, or another address, between two deliveries."""
    world = WriteWorld()
    world.fault(kind="status", path="/api/events", skip=1, first=3, status=500)
    with pytest.raises(HostDown):
        world.send(SendEvents((event("a"), event("b"))))
    world.forget()
    world.send(SendEvents((event("a", **different),)))
    assert world.requests() == ["POST events 202"]


def test_the_memory_is_bounded_and_forgets_in_time() -> None:
    """It holds no address and no body, and of an error only what it says."""
    time = StepTime()
    memory = EventMemory(most=2, ttl_s=60.0, monotonic=time.monotonic)
    with pytest.raises(Refused) as raised:
        results([Refused((Refusal("invalid", "/data/attributes/time"),), status=400)])
    memory.keep({b"a": None, b"b": raised.value, b"c": Adjustment.PHONE_REFUSED})
    known = memory.settled([b"a", b"b", b"c"])
    assert (known.keys(), known[b"c"]) == ({b"b", b"c"}, Adjustment.PHONE_REFUSED)
    lasting = known[b"b"]
    assert isinstance(lasting, PermanentError)
    assert (lasting.reason, lasting.status, lasting.pointer) == ("invalid", 400, "/data/attributes/time")
    assert lasting.__traceback__ is None
    time.sleep(60.0)
    assert memory.settled([b"b", b"c"]) == {}


def test_a_bug_is_not_swallowed() -> None:
    """Only errors of this product are outcomes."""

    def broken() -> int:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        together([lambda: 1, broken, lambda: 2], StepTime().budget())
