"""Bodies, paths and filters of catalog, event and profile requests, byte for byte where it matters (klaviyo.md 1.5)."""

from __future__ import annotations

from decimal import Decimal

import httpx
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from klaviyo_doubles import Scripted, VirtualTime, client_of, customer, error_body

from sandbox.klaviyo.queries import parse_filter
from shared.errors import Host, HostDown, PermanentError
from shared.klaviyo.catalog import CatalogCategory, CatalogStock, InventoryPolicy, external_id_of
from shared.klaviyo.catalog_requests import (
    CATEGORIES_PER_REQUEST,
    create_category,
    delete_item,
    find_categories,
    list_variants,
    set_stock,
)
from shared.klaviyo.event_requests import create_event
from shared.klaviyo.events import Event
from shared.klaviyo.profile_requests import find_by_email, find_by_external_id, upsert_profile
from shared.klaviyo.profiles import ProfileAttributes
from shared.klaviyo.requests import Answer, Request, any_of, equals, query_string
from shared.klaviyo.verdicts import (
    Conflict,
    Refusal,
    Refused,
    is_missing,
    is_taken,
    names_link,
    names_only_the_phone,
    refusals_of,
)


@given(st.text(min_size=1))
def test_any_text_can_be_looked_for(text: str) -> None:
    """A filter's value is read back as it was; the simulator has the reader."""
    (condition,) = parse_filter(equals("email", text)[1], {"email": ("equals",)})
    assert condition.value == text


@given(st.lists(st.text(alphabet=st.characters(blacklist_characters="]\"'"), min_size=1), min_size=1, max_size=5))
def test_any_texts_can_be_looked_for_at_once(texts: list[str]) -> None:
    """The simulator's reader takes no quotes or brackets within a list; ids have none."""
    (condition,) = parse_filter(any_of("ids", texts)[1], {"ids": ("any",)})
    assert condition.values == tuple(texts)


def test_quotes_and_backslashes_are_escaped() -> None:
    """Case 34."""
    assert equals("email", 'a"b\\c@example.com') == ("filter", 'equals(email,"a\\"b\\\\c@example.com")')
    assert find_by_email("a+b@example.com").query[0] == ("filter", 'equals(email,"a+b@example.com")')
    assert find_by_external_id("x").query == (("filter", 'equals(external_id,"x")'), ("fields[profile]", "email"))


def test_an_events_body_is_this() -> None:
    """The amount is exact, in the event and in its properties; absent attributes of the profile are left out."""
    event = Event(
        metric="Placed Order",
        profile=ProfileAttributes(external_id="c", email="c@example.com"),
        unique_id="order-1",
        time="2026-11-20T10:00:00Z",
        value=Decimal("1234567890.10"),
        value_currency="EUR",
        properties={"ItemPrice": Decimal("0.10")},
    )
    request = create_event(event)
    assert (request.endpoint.method, request.path) == ("POST", "/api/events")
    assert request.body == (
        b'{"data":{"type":"event","attributes":{"metric":{"data":{"type":"metric","attributes":{"name":"Placed Order"}}},'
        b'"profile":{"data":{"type":"profile","attributes":{"external_id":"c","email":"c@example.com"}}},'
        b'"unique_id":"order-1","time":"2026-11-20T10:00:00Z","value":1234567890.10,"value_currency":"EUR",'
        b'"properties":{"ItemPrice":0.10}}}}'
    )


@pytest.mark.parametrize("amount", ["0", "-5.00", "1E+2", "0.000001", "123456789012345678.99"])
def test_every_amount_is_a_json_number(amount: str) -> None:
    """Whatever a decimal's exponent is."""
    event = Event(
        metric="m",
        profile=ProfileAttributes(email="c@example.com"),
        unique_id="u",
        time="t",
        value=Decimal(amount),
        value_currency="EUR",
        properties={},
    )
    attributes = msgspec.json.decode(create_event(event).body, type=dict[str, dict[str, msgspec.Raw]])["data"]["attributes"]
    value = msgspec.json.decode(attributes, type=dict[str, msgspec.Raw])["value"]
    assert msgspec.json.decode(value, type=Decimal) == Decimal(amount)
    assert not bytes(value).startswith(b'"')


def test_stock_names_quantity_and_policy_only() -> None:
    """`published` is never touched by it."""
    request = set_stock("s/1", CatalogStock(inventory_quantity=0, inventory_policy=InventoryPolicy.UNTRACKED))
    assert request.path == "/api/catalog-variants/%24custom%3A%3A%3A%24default%3A%3A%3As%2F1"
    assert request.body == (
        b'{"data":{"type":"catalog-variant","id":"$custom:::$default:::s/1",'
        b'"attributes":{"inventory_policy":2,"inventory_quantity":0}}}'
    )


def test_a_deletion_has_no_body() -> None:
    """Only a path."""
    assert (delete_item("p").body, delete_item("p").endpoint.method) == (b"", "DELETE")


def test_pages_of_variants_ask_for_ids_only() -> None:
    """A hundred at a time, the next by its cursor."""
    assert list_variants("p").query == (("fields[catalog-variant]", "id"), ("page[size]", "100"))
    assert list_variants("p", "abc").query[-1] == ("page[cursor]", "abc")


def test_answers_are_read_by_external_id() -> None:
    """Klaviyo's ids are compound."""
    body = b'{"data":[{"id":"$custom:::$default:::c1","attributes":{"name":"N"}},{"id":"$custom:::$default:::c2"}]}'
    assert find_categories(["c1"]).decode(Answer(200, body)) == {"c1": "N", "c2": ""}
    assert list_variants("p").decode(Answer(200, body)).skus == ["c1", "c2"]
    assert external_id_of("foreign") == "foreign"


def test_the_url_of_the_largest_look_up_stays_below_5_kb() -> None:
    """Many servers refuse longer lines than 8 KB."""
    query = find_categories([f"00000000-0000-4000-8000-{n:012d}" for n in range(CATEGORIES_PER_REQUEST)]).query
    assert len(query_string(query)) < 5_000


@pytest.mark.parametrize(("status", "created"), [(201, True), (200, False)])
def test_an_upsert_says_whether_the_profile_is_new(status: int, created: bool) -> None:
    """A request reads the answer's status, too."""
    time, script = VirtualTime(), Scripted([httpx.Response(status, json={"data": {}})])
    assert client_of(script, time).send(upsert_profile(customer(1).encoded), time.budget()) is created


@pytest.mark.parametrize(
    ("request_", "raised"), [(delete_item("p"), Refused), (create_category(CatalogCategory(external_id="c", name="n")), HostDown)]
)
def test_a_404_is_about_the_object_or_an_incident(request_: Request[None], raised: type[Exception]) -> None:
    """By whether the path names one object."""
    time, script = VirtualTime(), Scripted([httpx.Response(404)])
    with pytest.raises(raised):
        client_of(script, time, attempts=2).send(request_, time.budget())


def refused(*pointers: str | None, status: int = 400) -> Refused:
    """A refusal whose entries point there."""
    errors = [{"code": "invalid", "source": {"pointer": pointer} if pointer else {}} for pointer in pointers]
    return Refused(refusals_of(error_body(*errors)), status=status)


PHONE = "/data/attributes/profile/data/attributes/phone_number"
LINK = "/data/relationships/categories/data/0/id"


@pytest.mark.parametrize(
    ("error", "only"),
    [
        (refused(PHONE), True),
        (refused("/data/attributes/phone_number"), True),
        (refused(PHONE, "/data/attributes/time"), False),
        (refused(None), False),
        (refused(), False),
        (PermanentError("body_too_large", host=Host.KLAVIYO, status=413), False),
    ],
)
def test_a_refusal_may_name_only_the_phone(error: PermanentError, only: bool) -> None:
    """Every entry has to."""
    assert names_only_the_phone(error) is only


@pytest.mark.parametrize(
    ("error", "categories", "item"),
    [
        (refused(LINK), True, False),
        (refused("/data/relationships/categories"), True, False),
        (refused("/data/relationships/item/data/id"), False, True),
        (refused("/data/attributes/title"), False, False),
        (refused(None), False, False),
        (PermanentError("body_too_large", host=Host.KLAVIYO, status=413), False, False),
    ],
)
def test_a_refusal_may_name_a_link(error: PermanentError, categories: bool, item: bool) -> None:
    """By the pointer's relationship."""
    assert (names_link(error, "categories"), names_link(error, "item")) == (categories, item)


def test_missing_and_taken_are_statuses() -> None:
    """404 and 409."""
    assert is_missing(refused(None, status=404))
    assert is_taken(Conflict((Refusal("duplicate_error"),)))
    assert not is_missing(refused(None))
    assert not is_taken(refused(None))
