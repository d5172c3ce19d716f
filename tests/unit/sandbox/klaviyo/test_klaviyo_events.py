"""Events: their rules, their identity, their profiles, and the metrics they bring about."""

from collections.abc import Callable
from typing import Any

import pytest
from klaviyo_bench import Bench, errors, profile

EVENTS = "/api/events"
BULK = "/api/event-bulk-create-jobs"
ENTRIES = "/data/attributes/events-bulk-create/data"


def attributes(metric: str = "Placed Order", **more: Any) -> dict[str, Any]:
    return {
        "metric": {"data": {"type": "metric", "attributes": {"name": metric}}},
        "properties": {},
        "time": "2026-01-01T10:00:00Z",
        **more,
    }


def single(who: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"data": {"type": "event", "attributes": {**attributes(**more), "profile": {"data": who}}}}


def entry(who: dict[str, Any], *events: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "type": "event-bulk-create",
        "attributes": {
            "profile": {"data": who},
            "events": {"data": [{"type": "event", "attributes": event} for event in events]},
            **more,
        },
    }


def bulk(*entries: dict[str, Any]) -> dict[str, Any]:
    return {"data": {"type": "event-bulk-create-job", "attributes": {"events-bulk-create": {"data": list(entries)}}}}


ANNA, BERT = profile(external_id="anna"), profile(email="bert@example.com")


def stored(bench: Bench) -> list[str]:
    return [identity for kind, identity in bench.effects() if kind == "event_stored"]


def test_an_event_is_accepted_without_a_body_and_creates_its_profile(bench: Bench) -> None:
    """202, nothing to poll."""
    assert bench.post(EVENTS, single(ANNA, unique_id="o1", value=9.99, value_currency="EUR")).status_code == 202
    assert bench.effects() == [("profile_created", "anna"), ("event_stored", "Placed Order:o1")]
    (event,) = bench.get(EVENTS)["data"]
    assert event["attributes"]["event_properties"] == {"$event_id": "o1", "$value": 9.99}
    assert event["attributes"]["datetime"] == "2026-01-01T10:00:00+00:00"
    assert bench.get(f"{EVENTS}/{event['id']}")["data"]["id"] == event["id"]


def test_the_first_event_of_a_profile_metric_and_unique_id_wins(bench: Bench) -> None:
    """A repetition is accepted and ignored; another metric or another profile is another event."""
    for who, metric, value in (
        (ANNA, "Placed Order", 1), (ANNA, "Placed Order", 2), (ANNA, "Cancelled Order", 3), (BERT, "Placed Order", 4),
    ):  # fmt: skip
        assert bench.post(EVENTS, single(who, metric=metric, unique_id="o1", value=value)).status_code == 202
    values = [event["attributes"]["event_properties"]["$value"] for event in bench.get(EVENTS)["data"]]
    assert sorted(values) == [1, 3, 4]
    assert ("event_ignored", "Placed Order:o1") in bench.effects()


def test_without_unique_id_a_second_holds_one_event(bench: Bench) -> None:
    """Fractions of a second are cut off."""
    for time in ("2026-01-01T10:00:00.100Z", "2026-01-01T10:00:00.900Z", "2026-01-01T10:00:01Z"):
        bench.post(EVENTS, single(ANNA, time=time))
    assert len(bench.get(EVENTS)["data"]) == 2


def test_an_event_without_time_happens_now(bench: Bench) -> None:
    """The time of the request."""
    bench.post(EVENTS, single(ANNA, time=None))
    assert bench.get(EVENTS)["data"][0]["attributes"]["timestamp"] == int(bench.now)


def test_backfill_is_kept(bench: Bench) -> None:
    """On the event itself, and in bulk on the event or on its entry."""
    bench.post(EVENTS, single(ANNA, unique_id="1", backfill=True))
    bench.post(EVENTS, single(ANNA, unique_id="2"))
    bench.post(BULK, bulk(entry(ANNA, attributes(unique_id="3"), backfill=True)))
    bench.post(BULK, bulk(entry(ANNA, attributes(unique_id="4", backfill=True), attributes(unique_id="5"))))
    flags = [event.backfill for _, event in bench.account.events.after(0)]
    assert flags == [True, False, True, True, False]


@pytest.mark.parametrize(
    ("more", "below"),
    [
        ({"time": "1989-12-31T23:59:59Z"}, "time"),
        ({"time": "2028-02-01T00:00:00Z"}, "time"),
        ({"time": "2026-01-01T10:00:00"}, "time"),
        ({"value": "9.99"}, "value"),
        ({"value_currency": "Euro"}, "value_currency"),
        ({"properties": {f"p{i}": i for i in range(401)}}, "properties"),
        ({"properties": {"x": "y" * 100_001}}, "properties"),
        ({"properties": {"x": [0] * 4_001}}, "properties"),
        ({"properties": {"a": {"b": {"c": {"d": {"e": {"f": {"g": {"h": {"i": {"j": {"k": 1}}}}}}}}}}}}, "properties"),
        ({"properties": None}, "properties"),
        ({"metric": "m" * 128}, "metric/data/attributes/name"),
        ({"metric": ""}, "metric/data/attributes/name"),
        ({"discount": 1}, "discount"),
    ],
)
def test_an_event_outside_the_limits_is_400_with_its_pointer(bench: Bench, more: dict[str, Any], below: str) -> None:
    """Times from 1990 to a year ahead, 400 properties, 10 levels, 100 KB a string, 127 characters a name."""
    response = bench.post(EVENTS, single(ANNA, **more))
    assert (response.status_code, errors(response)) == (400, [("invalid", f"/data/attributes/{below}")])
    in_bulk = bench.post(BULK, bulk(entry(ANNA, attributes(), attributes(**more))))
    assert errors(in_bulk) == [("invalid", f"{ENTRIES}/0/attributes/events/data/1/attributes/{below}")]
    assert stored(bench) == []


def test_limits_themselves_are_allowed(bench: Bench) -> None:
    """400 properties, 10 levels, a year ahead."""
    deep = {"a": {"b": {"c": {"d": {"e": {"f": {"g": {"h": {"i": {"j": 1}}}}}}}}}}
    wide = {f"p{i}": i for i in range(400)}
    for i, more in enumerate(({"properties": deep}, {"properties": wide}, {"time": "2028-01-15T00:00:00Z"})):
        assert bench.post(EVENTS, single(ANNA, unique_id=str(i), **more)).status_code == 202


def test_an_event_needs_a_person(bench: Bench) -> None:
    """At least one identifier; an anonymous id counts."""
    nobody = single(profile(first_name="A"))
    assert errors(bench.post(EVENTS, nobody)) == [("invalid", "/data/attributes/profile/data/attributes")]
    assert bench.post(EVENTS, single(profile(anonymous_id="x"))).status_code == 202


def test_a_malformed_email_refuses_all_events_and_names_the_entry(bench: Bench) -> None:
    """Nothing of the request is processed."""
    body = bulk(entry(ANNA, attributes(unique_id="1")), entry(profile(email="bad"), attributes(unique_id="2")))
    response = bench.post(BULK, body)
    assert errors(response) == [("invalid", f"{ENTRIES}/1/attributes/profile/data/attributes/email")]
    assert bench.effects() == []


def test_a_unique_id_twice_in_one_request_refuses_it(bench: Bench) -> None:
    """For the same profile, by whatever identifier, and metric; the second occurrence is named."""
    bench.post("/api/profile-import", {"data": profile(external_id="anna", email="anna@example.com")})
    body = bulk(
        entry(ANNA, attributes(unique_id="1"), attributes(unique_id="1", metric="Other")),
        entry(profile(email="ANNA@example.com"), attributes(unique_id="1")),
        entry(BERT, attributes(unique_id="1")),
    )
    response = bench.post(BULK, body)
    assert errors(response) == [("invalid", f"{ENTRIES}/1/attributes/events/data/0/attributes/unique_id")]
    assert stored(bench) == []


def test_a_stored_unique_id_in_a_bulk_request_is_ignored_by_default(bench: Bench) -> None:
    """The first reading: the rest is processed."""
    bench.post(BULK, bulk(entry(ANNA, attributes(unique_id="1"))))
    assert bench.post(BULK, bulk(entry(ANNA, attributes(unique_id="1"), attributes(unique_id="2")))).status_code == 202
    assert stored(bench) == ["Placed Order:1", "Placed Order:2"]


def test_a_stored_unique_id_may_refuse_a_bulk_request(make_bench: Callable[..., Bench]) -> None:
    """The second reading, by switch: single events are still ignored silently."""
    bench = make_bench(stored_unique_ids="refuse")
    bench.post(BULK, bulk(entry(ANNA, attributes(unique_id="1"))))
    again = bench.post(BULK, bulk(entry(ANNA, attributes(unique_id="1"), attributes(unique_id="2"))))
    assert errors(again) == [("invalid", f"{ENTRIES}/0/attributes/events/data/0/attributes/unique_id")]
    assert bench.post(EVENTS, single(ANNA, unique_id="1")).status_code == 202
    assert stored(bench) == ["Placed Order:1"]


@pytest.mark.parametrize(("count", "status"), [(0, 400), (1_000, 202), (1_001, 400)])
def test_a_bulk_request_holds_1_to_1000_events(bench: Bench, count: int, status: int) -> None:
    """Of all its profiles together."""
    events = [attributes(unique_id=str(i)) for i in range(count)]
    body = bulk(entry(ANNA, *events[: count // 2]), entry(BERT, *events[count // 2 :]))
    assert bench.post(BULK, body).status_code == status


def test_an_event_updates_its_profile_and_never_clears(bench: Bench) -> None:
    """Fields beside the identifiers are upserted."""
    bench.post(EVENTS, single(profile(external_id="anna", first_name="A", email="anna@example.com"), unique_id="1"))
    bench.post(EVENTS, single(profile(external_id="anna", first_name=None, last_name="B"), unique_id="2"))
    (held,) = bench.get("/api/profiles")["data"]
    assert (held["attributes"]["first_name"], held["attributes"]["last_name"]) == ("A", "B")


def test_an_event_whose_identifiers_name_two_profiles_goes_to_the_stronger(bench: Bench) -> None:
    """It is accepted; the other profile keeps its email."""
    bench.post(EVENTS, single(ANNA, unique_id="1"))
    bench.post(EVENTS, single(BERT, unique_id="1"))
    both = profile(external_id="anna", email="bert@example.com")
    assert bench.post(EVENTS, single(both, unique_id="2")).status_code == 202
    anna = bench.get("/api/profiles", filter='equals(external_id,"anna")')["data"][0]
    assert anna["attributes"]["email"] is None
    assert len(bench.get(EVENTS, filter=f'equals(profile_id,"{anna["id"]}")')["data"]) == 2


def test_events_are_filtered_sorted_and_paged(bench: Bench) -> None:
    """By metric and time, newest first."""
    for i in range(5):
        bench.post(EVENTS, single(ANNA, metric="A" if i % 2 else "B", unique_id=str(i), time=f"2026-01-0{i + 1}T00:00:00Z"))
    metric = next(m["id"] for m in bench.get("/api/metrics")["data"] if m["attributes"]["name"] == "A")

    def ids(**params: str) -> list[str]:
        return [row["attributes"]["event_properties"]["$event_id"] for row in bench.get(EVENTS, **params)["data"]]

    assert ids() == ["4", "3", "2", "1", "0"]
    assert ids(sort="datetime", filter=f'equals(metric_id,"{metric}")') == ["1", "3"]
    assert ids(filter="greater-or-equal(datetime,2026-01-04T00:00:00Z)") == ["4", "3"]
    page = bench.get(EVENTS, **{"page[size]": "3"})
    rest = bench.get(page["links"]["next"].removeprefix("http://klaviyo.test"))
    assert (len(page["data"]), len(rest["data"])) == (3, 2)


def test_metrics_come_with_their_first_event_and_can_be_mapped(bench: Bench) -> None:
    """Mapped metrics point to them by id."""
    assert bench.get("/api/metrics")["data"] == []
    bench.post(EVENTS, single(ANNA, unique_id="1"))
    (metric,) = bench.get("/api/metrics")["data"]
    assert (metric["attributes"]["name"], metric["attributes"]["integration"]["name"]) == ("Placed Order", "API")
    assert bench.get(f"/api/metrics/{metric['id']}")["data"]["id"] == metric["id"]
    assert bench.call("GET", "/api/metrics/nothing").status_code == 404

    def map_to(name: str, target: str) -> Any:
        data = {"type": "mapped-metric", "id": name, "relationships": {"metric": {"data": {"type": "metric", "id": target}}}}
        bench.now += 1
        return bench.call("PATCH", f"/api/mapped-metrics/{name}", {"data": data})

    assert map_to("revenue", metric["id"]).status_code == 200
    assert map_to("revenue", "nothing").status_code == 404
    one = bench.get("/api/mapped-metrics/revenue")["data"]
    assert one["relationships"]["metric"]["data"]["id"] == metric["id"]
    assert len(bench.get("/api/mapped-metrics")["data"]) == 7
    assert bench.call("GET", "/api/mapped-metrics/profit").status_code == 404


def test_the_account_is_a_test_account(bench: Bench) -> None:
    """So that nobody mistakes it for a real one."""
    assert bench.get("/api/accounts")["data"][0]["attributes"]["test_account"] is True
