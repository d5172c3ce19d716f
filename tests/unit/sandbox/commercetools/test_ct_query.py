"""Paged queries over REST: limits, order, totals, cursors, single resources, expansion, headers."""

from typing import Any

import pytest

from sandbox.sample.customers import customer, default_malformed_emails

SAMPLE = [customer(7, index, 300, default_malformed_emails(300)) for index in range(300)]


def ids(page: dict[str, Any]) -> list[str]:
    """The ids of a page's results."""
    return [row["id"] for row in page["results"]]


def test_a_page_has_the_fields_of_the_api(ct: Any) -> None:
    """limit, offset, count, total and results, with the defaults 20 and 0."""
    page = ct.page()
    assert {name: page[name] for name in ("limit", "offset", "count", "total")} == {
        "limit": 20,
        "offset": 0,
        "count": 20,
        "total": 300,
    }
    assert "total" not in ct.page(withTotal="false")


def test_resources_are_those_of_the_sample(ct: Any) -> None:
    """The served customers are the generated ones, whole."""
    assert ct.page(limit=500, sort="id asc")["results"] == SAMPLE


def test_the_id_cursor_reads_everything_once(ct: Any) -> None:
    """Sorted by id, beyond the last id, until a page is not full: all customers, each once."""
    seen: list[str] = []
    last = "00000000-0000-0000-0000-000000000000"
    while True:
        page = ct.page(limit=70, sort="id asc", withTotal="false", where=f'id > "{last}"')
        seen += ids(page)
        if page["count"] < 70:
            break
        last = seen[-1]
    assert seen == [row["id"] for row in SAMPLE]


def test_ranges_of_the_id_space_are_disjoint_and_complete(ct: Any) -> None:
    """Sixteen ranges by the first digit hold all customers together."""
    bounds = [f"{digit:x}0000000-0000-0000-0000-000000000000" for digit in range(16)]
    seen: list[str] = []
    for number, low in enumerate(bounds):
        where = [f'id >= "{low}"', *(f'id < "{high}"' for high in bounds[number + 1 : number + 2])]
        seen += ids(ct.page(limit=500, sort="id asc", where=where))
    assert seen == [row["id"] for row in SAMPLE]


def test_without_sort_the_order_is_not_the_ids(ct: Any) -> None:
    """A client that forgets to sort must notice: the order then is not ascending."""
    unsorted = ids(ct.page(limit=500))
    assert unsorted != sorted(unsorted)


@pytest.mark.parametrize(
    "params",
    [
        {"limit": "501"},
        {"limit": "-1"},
        {"limit": "many"},
        {"limit": ["1", "2"]},
        {"offset": "10001"},
        {"offset": "-1"},
        {"withTotal": "no"},
        {"sort": "nothing asc"},
        {"sort": "id upwards"},
        {"sort": "addresses"},
        {"sort": ""},
        {"expand": "email"},
        {"expand": "customerGroups"},
        {"expand": "customerGroupAssignments.customerGroup"},
        {"where": "id ="},
        {"withtotal": "false"},
        {"page": "2"},
    ],
)
def test_wrong_parameters_are_a_400(ct: Any, params: dict[str, Any]) -> None:
    """Out of range, malformed or unknown: InvalidInput, in the API's shape."""
    answer = ct.get("/customers", **params)
    body = answer.json()
    assert (answer.status_code, body["statusCode"], body["errors"][0]["code"]) == (400, 400, "InvalidInput")
    assert body["message"] == body["errors"][0]["message"]


def test_the_limits_themselves_are_allowed(ct: Any) -> None:
    """limit 0 and 500, offset 10,000."""
    assert ct.page(limit=0)["results"] == []
    assert ct.page(limit=500)["count"] == 300
    assert ct.page(offset=10_000)["count"] == 0


def test_offset_skips(ct: Any) -> None:
    """offset counts in the order of the sort."""
    assert ids(ct.page(limit=5, offset=10, sort="id asc")) == [row["id"] for row in SAMPLE[10:15]]


@pytest.mark.parametrize(
    ("params", "total"),
    [
        ({"where": "id is defined"}, 300),
        ({"where": "id is defined", "limit": 0}, 300),
        ({"where": "id is defined", "offset": 290}, 300),
        ({"where": "id is defined", "offset": 400}, 300),
        ({"where": "id is not defined"}, 0),
        ({"where": "version = 1"}, sum(row["version"] == 1 for row in SAMPLE)),
        ({"where": "isEmailVerified = true", "limit": 3}, sum(row["isEmailVerified"] for row in SAMPLE)),
    ],
)
def test_total_counts_all_matches(ct: Any, params: dict[str, Any], total: int) -> None:
    """The total does not depend on the page."""
    assert ct.page(**params)["total"] == total


def test_total_with_a_predicate_ends_at_ten_thousand(make_simulator: Any) -> None:
    """Without a predicate the total is exact, with one it never exceeds 10,000."""
    ct = make_simulator(sizes={"customers": 10_050}).login()
    assert ct.page(limit=1)["total"] == 10_050
    assert ct.page(limit=1, where="version > 0")["total"] == 10_000
    assert ct.page(limit=500, offset=10_000, where="version > 0")["total"] == 10_000


@pytest.mark.parametrize("field", ["createdAt", "lastModifiedAt", "email", "version", "customerGroup.id"])
@pytest.mark.parametrize("direction", ["asc", "desc"])
def test_sorting_by_a_field_and_then_by_id(ct: Any, field: str, direction: str) -> None:
    """Rows come in the order of the field, those that share a value in the order of their ids."""

    def value(row: dict[str, Any]) -> tuple[bool, Any]:
        held: Any = row
        for name in field.split("."):
            held = held.get(name) if held else None
        return held is not None, held or 0

    wanted = sorted(SAMPLE, key=value, reverse=direction == "desc")  # stable: equal values stay in id order
    found = ct.page(limit=500, sort=[f"{field} {direction}", "id asc"])
    assert ids(found) == [row["id"] for row in wanted]


def test_the_default_direction_is_ascending(ct: Any) -> None:
    """`sort=id` is `sort=id asc`."""
    assert ids(ct.page(sort="id")) == ids(ct.page(sort="id asc"))


def test_an_incremental_scan_with_a_compound_cursor_reads_everything_once(ct: Any) -> None:
    """(lastModifiedAt, id) order and the compound cursor lose no row, though many share a millisecond."""
    since = "2026-01-01T00:00:00.000Z"
    where, seen = f'lastModifiedAt >= "{since}"', []
    while page := ct.page(limit=7, sort=["lastModifiedAt asc", "id asc"], withTotal="false", where=where)["results"]:
        seen += page
        time, last = page[-1]["lastModifiedAt"], page[-1]["id"]
        where = f'lastModifiedAt > "{time}" or (lastModifiedAt = "{time}" and id > "{last}")'
    wanted = sorted((r for r in SAMPLE if r["lastModifiedAt"] >= since), key=lambda r: (r["lastModifiedAt"], r["id"]))
    assert seen == wanted
    assert len({row["lastModifiedAt"] for row in wanted}) < len(wanted)


def test_several_where_parameters_must_all_hold(ct: Any) -> None:
    """A repeated `where` is a conjunction."""
    found = ct.page(limit=500, where=["version > 10", "version < 20 or version > 35"])
    assert len(found["results"]) == sum(10 < r["version"] < 20 or r["version"] > 35 for r in SAMPLE)


def test_input_variables_take_the_place_of_values(ct: Any) -> None:
    """`:name` is replaced by `var.name`, several values by its repetitions."""
    wanted = [SAMPLE[5]["id"], SAMPLE[9]["id"]]
    assert ids(ct.page(where="id in :ids", sort="id asc", **{"var.ids": wanted})) == wanted
    assert ids(ct.page(where="email = :mail", **{"var.mail": SAMPLE[3]["email"]})) == [SAMPLE[3]["id"]]
    assert ct.get("/customers", where="email = :mail").status_code == 400


def test_a_resource_is_found_by_id_and_by_key(ct: Any) -> None:
    """Both paths answer the same resource; unknown ones are a 404 that names them."""
    wanted = next(row for row in SAMPLE if "key" in row)
    assert ct.get(f"/customers/{wanted['id']}").json() == wanted
    assert ct.get(f"/customers/key={wanted['key']}").json() == wanted
    for path in ("/customers/00000000-0000-4000-8000-000000000000", "/customers/key=nobody", "/customers/abc"):
        answer = ct.get(path)
        assert (answer.status_code, answer.json()["errors"][0]["code"]) == (404, "ResourceNotFound")


@pytest.mark.parametrize(("path", "count"), [("/customer-groups", 6), ("/stores", 4), ("/channels", 5)])
def test_other_kinds_are_served_the_same_way(ct: Any, path: str, count: int) -> None:
    """Groups, stores and channels have the same queries."""
    page = ct.page(path, sort="id asc", where="version > 0")
    assert (page["count"], page["total"]) == (count, count)
    first = page["results"][0]
    assert ct.get(f"{path}/{first['id']}").json() == first
    keyed = next(row for row in page["results"] if "key" in row)
    assert ct.get(f"{path}/key={keyed['key']}").json() == keyed


def test_references_are_expanded_where_asked(ct: Any) -> None:
    """`obj` appears in the named references and nowhere else; what is absent stays absent."""
    groups = {row["id"]: row for row in ct.page("/customer-groups")["results"]}
    page = ct.page(limit=500, expand=["customerGroup", "customerGroupAssignments[*].customerGroup"])
    for row in page["results"]:
        references = [a["customerGroup"] for a in row["customerGroupAssignments"]]
        references += [row["customerGroup"]] if "customerGroup" in row else []
        assert all(reference["obj"] == groups[reference["id"]] for reference in references)
    assert all("obj" not in row["customerGroup"] for row in ct.page(limit=500)["results"] if "customerGroup" in row)


def test_one_element_of_an_array_can_be_expanded(ct: Any) -> None:
    """An index expands that element only; a single resource can be expanded too."""
    store = next(row for row in ct.page("/stores")["results"] if row["supplyChannels"])
    found = ct.get(f"/stores/{store['id']}", expand="supplyChannels[0]").json()
    assert found["supplyChannels"][0]["obj"]["key"] == "warehouse-eu"
    assert "obj" not in ct.get(f"/stores/{store['id']}", expand="supplyChannels[1]").json()["supplyChannels"][0]


def test_head_tells_whether_anything_matches(ct: Any) -> None:
    """HEAD on a collection is 200 or 404, without a body."""
    there = ct.call("HEAD", "/customers", params={"where": "version > 0"})
    gone = ct.call("HEAD", "/customers", params={"where": "version > 99"})
    assert (there.status_code, gone.status_code, there.content, gone.content) == (200, 404, b"", b"")


def test_unknown_paths_are_a_404(ct: Any) -> None:
    """A kind that is not served is a 404 in the API's shape."""
    answer = ct.get("/nothing")
    assert (answer.status_code, answer.json()["statusCode"]) == (404, 404)
    assert ct.send("GET", "/").status_code == 404


def test_answers_carry_the_vendors_time_and_are_compressed(ct: Any) -> None:
    """`Date` is the simulator's clock; gzip is used when the client takes it, and only then."""
    answer = ct.get("/customers")
    assert answer.headers["date"] == "Mon, 21 Sep 2026 14:13:20 GMT"
    assert answer.headers["content-encoding"] == "gzip"
    plain = ct.send("GET", "/sandbox/customers", headers={**ct.headers, "Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers
    assert plain.json() == answer.json()


def test_a_query_can_time_out(make_simulator: Any) -> None:
    """Where a ceiling is set, looking at more rows is a 400 QueryTimedOut; a range of ids stays possible."""
    ct = make_simulator(scan_limit=50).login()
    answer = ct.get("/customers", where='email = "nobody@example.com"')
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (400, "QueryTimedOut")
    where = f'id <= "{SAMPLE[49]["id"]}"'
    assert ids(ct.page(where=where, sort="id asc", limit=500)) == [row["id"] for row in SAMPLE[:50]]
