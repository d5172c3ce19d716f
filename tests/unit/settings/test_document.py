"""The configuration document: merged over the defaults, or refused with every problem (configuration.md "The document")."""

import json
from typing import Any

import pytest
from vendor_contracts import needs_vendor_contract, vendor_contract

from shared.errors import Problem
from shared.realtime.registry import ROUTES
from shared.settings.document import SyncDocument
from shared.settings.document_check import PROCESSOR_NAMES, check_document
from shared.settings.nearest import nearest
from shared.settings.reference import DOCUMENT_MEANINGS, document_defaults

CONTRACT = vendor_contract("commercetools-openapi.json")


def problems_of(document: object) -> dict[str, str]:
    """The problems of a document, by key."""
    _, problems = check_document(document)
    return {problem.field: problem.message for problem in problems}


def loaded(document: dict[str, Any]) -> SyncDocument:
    """A document that must be without problems."""
    settled, problems = check_document(document)
    assert problems == []
    return settled


def older_default() -> dict[str, Any]:
    """The older product's default.json (reference.md 4.1)."""
    rules = {"include": [], "exclude": [], "map": {}}
    return {
        "disabledEvents": [],
        "order": {
            "states": {
                "changed": {"cancelledOrder": ["Cancelled"], "fulfilledOrder": ["Confirmed", "Complete"]},
                "created": {"placedOrder": ["Open"]},
            },
            "messages": {"changed": ["OrderStateChanged"], "created": ["OrderCreated", "OrderImported", "OrderCustomerSet"]},
            "properties": rules,
            "metrics": {
                "cancelledOrder": "Cancelled Order",
                "fulfilledOrder": "Fulfilled Order",
                "placedOrder": "Placed Order",
                "orderedProduct": "Ordered Product",
                "refundedOrder": "Refunded Order",
            },
            "customFields": {"properties": rules},
        },
        "customer": {
            "messages": {"addressChanged": ["CustomerAddressAdded", "CustomerAddressRemoved", "CustomerAddressChanged"]},
            "customFields": {"properties": rules},
            "deduplication": {"enabled": False},
        },
        "payment": {
            "messages": {
                "transactionAdded": ["PaymentTransactionAdded"],
                "transactionChanged": ["PaymentTransactionStateChanged"],
            },
            "states": {"validTransactionStates": ["Initial", "Pending", "Success"]},
        },
        "category": {"messages": {"created": ["CategoryCreated"]}},
        "product": {
            "messages": {"deleted": ["ProductUnpublished"], "published": ["ProductPublished"]},
            "inventory": {"useChannelInventory": ""},
        },
    }


def test_objects_are_merged_deeply_and_lists_are_replaced_whole() -> None:
    """A partial document changes only what it names; a list is taken as it stands."""
    document = loaded({"order": {"metrics": {"placedOrder": "Bought"}, "messages": {"created": ["OrderCreated"]}}})
    assert document.order.metrics.placedOrder == "Bought"
    assert document.order.metrics.refundedOrder == "Refunded Order"
    assert document.order.messages.created == ["OrderCreated"]
    assert document.order.messages.changed == ["OrderStateChanged"]
    assert document.product == SyncDocument().product


def test_the_older_products_full_default_is_accepted() -> None:
    """A merchant who comes from the older product keeps the document, and the raw order fields that its templates read."""
    document = loaded(older_default())
    assert document.order.states.changed.fulfilledOrder == ["Confirmed", "Complete"]
    assert document.order.properties.sends_raw


@pytest.mark.parametrize(
    ("properties", "sent"),
    [
        ({}, False),
        ({"include": []}, True),
        ({"map": {"a": "b"}}, True),
        ({"raw": False, "exclude": ["a"]}, False),
        ({"raw": True}, True),
    ],
)
def test_raw_order_fields_follow_the_document_unless_it_decides(properties: dict[str, Any], sent: bool) -> None:
    """`order.properties.raw` "auto" means: when the document itself sets include, exclude or map."""
    assert loaded({"order": {"properties": properties}}).order.properties.sends_raw is sent


def test_an_absent_document_sends_no_raw_order_fields() -> None:
    """The default is Klaviyo's own names only."""
    assert not SyncDocument().order.properties.sends_raw


@pytest.mark.parametrize(
    ("document", "field", "message"),
    [
        ({"order": {"propertis": {}}}, "order.propertis", "unknown key; did you mean order.properties?"),
        ({"ordr": {}}, "ordr", "unknown key; did you mean order?"),
        ({"metrics": {}}, "metrics", "unknown key; did you mean order.metrics?"),
        (
            {"properties": {}},
            "properties",
            "unknown key; did you mean order.properties or order.customFields.properties or customer.customFields.properties?",
        ),
        (
            {"product": {"zzz": 1}},
            "product.zzz",
            "known here: brandAttribute, inventory, messages,",
        ),
    ],
)
def test_an_unknown_key_is_refused_with_the_nearest_known_one(document: dict[str, Any], field: str, message: str) -> None:
    """The full path of the key and of what was probably meant, also when it stands at the wrong place."""
    problems = problems_of(document)
    assert list(problems) == [field]
    assert message in problems[field]


@pytest.mark.parametrize(
    ("document", "field", "message"),
    [
        ([], "", "must be a JSON object, not a list"),
        ({"order": []}, "order", "must be an object, not a list"),
        ({"order": {"properties": {"include": "a"}}}, "order.properties.include", "must be a list, not this text"),
        ({"disabledEvents": [1]}, "disabledEvents[0]", "must be text, not a number"),
        ({"disabledEvents": None}, "disabledEvents", "must be a list, not null"),
        (
            {"customer": {"deduplication": {"enabled": "true"}}},
            "customer.deduplication.enabled",
            "must be true or false, not this text",
        ),
        ({"customer": {"deleted": "drop"}}, "customer.deleted", "must be one of ignore, suppress, erase, never, not this text"),
        ({"product": {"unpublished": True}}, "product.unpublished", "must be one of delete, hide, not true"),
        (
            {"order": {"properties": {"raw": "yes"}}},
            "order.properties.raw",
            "must be true or false or one of auto",
        ),
        ({"order": {"properties": {"map": {"a": 1}}}}, "order.properties.map.a", "must be text, not a number"),
        ({"product": {"price": {"country": "Germany"}}}, "product.price.country", "two capital letters, such as DE"),
        (
            {"order": {"metrics": {"placedOrder": " "}}},
            "order.metrics.placedOrder",
            "must be a metric name of 1 to 127",
        ),
        ({"order": {"metrics": {"placedOrder": "x" * 128}}}, "order.metrics.placedOrder", "must be a metric name of 1 to 127"),
        ({"order": {"properties": {"exclude": [""]}}}, "order.properties.exclude[0]", "must not be empty"),
        ({"disabledEvents": ["OrderCreate"]}, "disabledEvents[0]", "is not known; did you mean OrderCreated?"),
        ({"disabledEvents": ["ordercreated"]}, "disabledEvents[0]", "is not known; did you mean OrderCreated?"),
        ({"disabledEvents": ["Order Created"]}, "disabledEvents[0]", "must be a name of letters only"),
        ({"order": {"messages": {"created": ["order-created"]}}}, "order.messages.created[0]", "must be a name of letters only"),
        (
            {"order": {"states": {"changed": {"fulfilledOrder": ["Completed"]}}}},
            "order.states.changed.fulfilledOrder[0]",
            "did you mean Complete?",
        ),
        (
            {"order": {"shipmentStates": {"fulfilledOrder": ["shipped"]}}},
            "order.shipmentStates.fulfilledOrder[0]",
            "did you mean Shipped?",
        ),
        (
            {"payment": {"states": {"validTransactionStates": ["Sucess"]}}},
            "payment.states.validTransactionStates[0]",
            "did you mean Success?",
        ),
    ],
)
def test_a_wrong_value_is_refused_with_its_path_and_what_was_expected(document: object, field: str, message: str) -> None:
    """Type, allowed values and meaning are checked; the value itself is not quoted."""
    problems = problems_of(document)
    assert list(problems) == [field]
    assert message in problems[field]


def test_two_fields_cannot_get_one_new_name() -> None:
    """One of the two would overwrite the other in the event."""
    problems = problems_of({"customer": {"customFields": {"properties": {"map": {"a": "x", "b": "x"}}}}})
    assert problems == {
        "customer.customFields.properties.map.b": (
            "has the same new name as customer.customFields.properties.map.a; one would overwrite the other"
        )
    }


def test_two_metrics_cannot_have_one_name() -> None:
    """Placed, Fulfilled and Cancelled Order of one order share a unique id, which counts per metric; defaults count too."""
    assert list(problems_of({"order": {"metrics": {"placedOrder": "Fulfilled Order"}}})) == ["order.metrics.placedOrder"]


def test_every_problem_is_reported_at_once() -> None:
    """A document is mended in one go."""
    document = {"ordr": 1, "customer": {"deleted": 3, "deduplicaton": {}}, "product": {"price": {"country": "xx"}}}
    assert set(problems_of(document)) == {"ordr", "customer.deleted", "customer.deduplicaton", "product.price.country"}


def test_all_processor_names_of_the_older_product_can_be_disabled() -> None:
    """Also the one that the older product itself knew with a leading space."""
    document = loaded({"disabledEvents": [*PROCESSOR_NAMES, " OrderStateChanged", "StandalonePriceCreated"]})
    assert document.disabledEvents == [*PROCESSOR_NAMES, "OrderStateChanged", "StandalonePriceCreated"]


@needs_vendor_contract(CONTRACT.name)
def test_no_message_type_of_commercetools_passes_for_a_slip() -> None:
    """Every message type in commercetools' own API description may be disabled."""
    schemas = json.loads(CONTRACT.read_text())["components"]["schemas"]
    types = {name.removesuffix("Message") for name in schemas if name.endswith("Message") and name != "Message"}
    assert len(types) > 100
    assert problems_of({"disabledEvents": sorted(types)}) == {}


def test_a_problem_never_quotes_the_value() -> None:
    """People paste what does not belong there."""
    canary = "canary-value"
    document = {
        "disabledEvents": [canary, {canary: canary}],
        "customer": {"deleted": canary, "deduplication": canary},
        "order": {"metrics": {"placedOrder": canary * 20}},
    }
    _, problems = check_document(document)
    assert len(problems) == 5
    assert not any(canary in problem.message for problem in problems)


def test_problems_are_problems_of_the_shared_kind() -> None:
    """They join those of the environment in one error."""
    _, problems = check_document({"x": 1})
    assert all(isinstance(problem, Problem) for problem in problems)


def test_every_key_of_the_document_has_a_meaning_for_people() -> None:
    """The documentation names each key, and no other."""
    assert set(DOCUMENT_MEANINGS) == set(document_defaults())


@pytest.mark.parametrize(("name", "meant"), [("propertis", "properties"), ("PROPERTIES", "properties"), ("zzz", None)])
def test_the_nearest_name_is_found_regardless_of_case(name: str, meant: str | None) -> None:
    """Nothing is suggested for what resembles nothing."""
    assert nearest(name, ["metrics", "properties"], cutoff=0.6) == meant


@pytest.mark.parametrize(
    ("path", "types"),
    [
        ("product.messages.deleted", ["ResourceUpdated"]),
        ("product.messages.published", ["ResourceDeleted"]),
        ("category.messages.created", ["CategoryCreated", "ResourceUpdated"]),
    ],
)
def test_changes_are_no_messages(path: str, types: list[str]) -> None:
    """A list of messages that named changes would, at its worst, delete a product at each of its updates."""
    section, _, name = path.split(".")
    _, problems = check_document({section: {"messages": {name: types}}})
    assert [problem.field for problem in problems] == [f"{path}[{len(types) - 1}]"]


def test_a_deleted_product_may_be_left_alone_or_not() -> None:
    """The one change that the document chooses about."""
    for types in ([], ["ProductUnpublished"], ["ProductUnpublished", "ResourceDeleted"]):
        document, problems = check_document({"product": {"messages": {"deleted": types}}})
        assert (document.product.messages.deleted, problems) == (types, [])


def test_every_kind_of_notification_can_be_disabled_by_its_name() -> None:
    """Names that look like slips of others are refused, so those of the registry must be known here."""
    names = [route.name for route in ROUTES]
    document, problems = check_document({"disabledEvents": names})
    assert (document.disabledEvents, problems) == (names, [])
