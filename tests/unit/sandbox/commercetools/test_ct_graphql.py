"""GraphQL: pages of ids and heads, single resources, strictness."""

from typing import Any

import pytest

from sandbox.sample.customers import customer, default_malformed_emails

SAMPLE = [customer(7, index, 300, default_malformed_emails(300)) for index in range(300)]
PAGE = """
query Ids($where: String, $sort: [String!], $limit: Int, $offset: Int) {
  customers(where: $where, sort: $sort, limit: $limit, offset: $offset) {
    offset count total exists results { id version lastModifiedAt createdAt email }
  }
}
"""


def test_a_page_of_ids(ct: Any) -> None:
    """The page has the same rows as REST, with the fields that were selected and no other."""
    answer = ct.graph(PAGE, {"where": "version > 3", "sort": ["id asc"], "limit": 50, "offset": 5})
    wanted = [row for row in SAMPLE if row["version"] > 3]
    names = ("id", "version", "lastModifiedAt", "createdAt", "email")
    assert answer.status_code == 200
    assert answer.json() == {
        "data": {
            "customers": {
                "offset": 5,
                "count": 50,
                "total": len(wanted),
                "exists": True,
                "results": [{name: row[name] for name in names} for row in wanted[5:55]],
            }
        }
    }


def test_the_id_cursor_reads_everything_once(ct: Any) -> None:
    """Ids only, beyond the last id: all customers, each once."""
    query = 'query($w: String) { customers(where: $w, sort: ["id asc"], limit: 90) { results { id } } }'
    seen: list[str] = []
    where = None
    while page := ct.graph(query, {"w": where}).json()["data"]["customers"]["results"]:
        seen += [row["id"] for row in page]
        where = f'id > "{seen[-1]}"'
    assert seen == [row["id"] for row in SAMPLE]


def test_default_limit_is_twenty(ct: Any) -> None:
    """Without a limit a page has 20 rows."""
    assert ct.graph("{ customers { count } }").json()["data"]["customers"]["count"] == 20


def test_a_customer_by_id_and_by_key_with_its_references(ct: Any) -> None:
    """Aliases, nested objects, references as they are and expanded; an unknown id is null."""
    wanted = next(row for row in SAMPLE if "customerGroup" in row and "key" in row and row["addresses"])
    group = ct.get(f"/customer-groups/{wanted['customerGroup']['id']}").json()
    query = """query($id: String, $key: String) {
      one: customer(id: $id) {
        __typename email customerGroupRef { typeId id } customerGroup { name key } addresses { country city }
        storesRef { typeId key } customerGroupAssignments { customerGroupRef { id } }
      }
      same: customer(key: $key) { id }
      nobody: customer(id: "00000000-0000-4000-8000-000000000000") { id }
    }"""
    body = ct.graph(query, {"id": wanted["id"], "key": wanted["key"]}).json()
    assert "errors" not in body
    assert body["data"]["same"] == {"id": wanted["id"]}
    assert body["data"]["nobody"] is None
    assert body["data"]["one"] == {
        "__typename": "Customer",
        "email": wanted["email"],
        "customerGroupRef": wanted["customerGroup"],
        "customerGroup": {"name": group["name"], "key": group.get("key")},
        "addresses": [{"country": a["country"], "city": a.get("city")} for a in wanted["addresses"]],
        "storesRef": wanted["stores"],
        "customerGroupAssignments": [
            {"customerGroupRef": {"id": a["customerGroup"]["id"]}} for a in wanted["customerGroupAssignments"]
        ],
    }


@pytest.mark.parametrize("name", ["customerGroups", "stores", "channels"])
def test_other_kinds_are_served_the_same_way(ct: Any, name: str) -> None:
    """Groups, stores and channels have pages too."""
    body = ct.graph(f"{{ {name} {{ total results {{ id version key }} }} }}").json()["data"][name]
    assert body["total"] == len(body["results"]) > 3


@pytest.mark.parametrize(
    "query",
    [
        "{ customers { results { id surname } } }",
        "{ customers { rows { id } } }",
        "{ customers { results } }",
        "{ customers }",
        "{ customers { count { x } } }",
        "{ shoppers { count } }",
        "{ customers(first: 5) { count } }",
        '{ customers(limit: "5") { count } }',
        "{ customers(sort: [1]) { count } }",
        "query($x: String) { customers { count } }",
        "query { customers(where: $x) { count } }",
        "query($l: String) { customers(limit: $l) { count } }",
        "mutation { deleteCustomer(id: 1) { id } }",
        "{ customers { count }",
        "",
        "query A { customers { count } } query B { customers { count } }",
    ],
)
def test_what_the_schema_does_not_have_is_a_400(ct: Any, query: str) -> None:
    """Unknown fields, arguments and types, and syntax errors, are refused before anything is read."""
    answer = ct.graph(query)
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["message"]
    assert "data" not in answer.json()


@pytest.mark.parametrize("variables", [{"limit": "5"}, {"limit": True}, {"sort": [1]}, {"where": 1}])
def test_variables_of_the_wrong_type_are_a_400(ct: Any, variables: dict[str, Any]) -> None:
    """Variables are checked against their declaration."""
    assert ct.graph(PAGE, variables).status_code == 400


@pytest.mark.parametrize(
    "variables", [{"limit": 501}, {"limit": -1}, {"offset": 10_001}, {"where": "nonsense"}, {"sort": ["planet asc"]}]
)
def test_values_out_of_range_are_errors_of_a_200(ct: Any, variables: dict[str, Any]) -> None:
    """The API answers 200 with `errors` and no data."""
    answer = ct.graph(PAGE, variables)
    body = answer.json()
    assert (answer.status_code, body["data"]) == (200, None)
    assert body["errors"][0]["extensions"]["code"] == "InvalidInput"
    assert body["errors"][0]["path"] == ["customers"]


def test_a_customer_needs_exactly_one_name(ct: Any) -> None:
    """Neither id nor key, or both, is an error; the other fields of the answer are there."""
    body = ct.graph("{ bad: customer { id } good: customers { count } }").json()
    assert body["data"] == {"bad": None, "good": {"count": 20}}
    assert body["errors"][0]["path"] == ["bad"]


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b'{"variables": {}}', b'{"query": "{ customers { count } }", "x": 1}'])
def test_a_body_that_is_no_request_is_a_400(ct: Any, raw: bytes) -> None:
    """Not JSON, no query, or unknown members."""
    answer = ct.call("POST", "/graphql", content=raw)
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (400, "InvalidJsonInput")


def test_fragments_see_whole_resources(ct: Any) -> None:
    """A field that is selected through a fragment is read like any other."""
    query = '{ customers(sort: "id asc", limit: 1) { ...Page } } fragment Page on CustomerQueryResult { total results { email } }'
    body = ct.graph(query).json()
    assert body["data"]["customers"] == {"total": 300, "results": [{"email": SAMPLE[0]["email"]}]}


def test_a_page_can_be_too_complex(make_simulator: Any) -> None:
    """Where a ceiling is set, a larger page is a 400 with the vendor's code, a smaller one is answered."""
    ct = make_simulator(graphql_max_limit=100).login()
    answer = ct.graph(PAGE, {"limit": 101})
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (400, "QueryComplexityLimitExceeded")
    assert ct.graph(PAGE, {"limit": 100}).json()["data"]["customers"]["count"] == 100
