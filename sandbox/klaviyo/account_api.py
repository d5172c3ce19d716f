"""The account, its metrics, and which of them stand for revenue and the like."""

from typing import Any, Final

from sandbox.klaviyo.answers import Answer, iso, refuse
from sandbox.klaviyo.events import Metric
from sandbox.klaviyo.queries import page_links, position_of, sparse
from sandbox.klaviyo.state import Call

MAPPINGS: Final = (
    "added_to_cart",
    "cancelled_sales",
    "ordered_product",
    "refunded_sales",
    "revenue",
    "started_checkout",
    "viewed_product",
)
_METRICS_PER_PAGE: Final = 200


def get_accounts(call: Call) -> Answer:
    """The one account of the simulator, a test account."""
    attributes = {
        "test_account": True,
        "contact_information": {
            "default_sender_name": "Sandbox",
            "default_sender_email": "sender@example.com",
            "website_url": "https://shop.example.com",
            "organization_name": "Sandbox",
            "street_address": dict.fromkeys(("address1", "address2", "city", "region", "country", "zip")),
        },
        "industry": "Ecommerce, Other",
        "timezone": "Europe/Berlin",
        "preferred_currency": "EUR",
        "public_api_key": "SANDBX",
        "locale": "en-US",
    }
    url = call.url("accounts")
    account = {
        "type": "account",
        "id": "SANDBX",
        "attributes": sparse(attributes, call.query, "account"),
        "links": {"self": f"{url}/SANDBX"},
    }
    return Answer(200, {"data": [account], "links": {"self": url}})


def get_metrics(call: Call) -> Answer:
    """All metrics, 200 a page."""
    metrics = [
        metric for metric in call.account.events.metrics if all(condition.value == "API" for condition in call.query.conditions)
    ]
    start = position_of(call.query.cursor)
    page = metrics[start : start + _METRICS_PER_PAGE]
    more = start + len(page) if start + len(page) < len(metrics) else None
    data = [_metric(call, metric) for metric in page]
    return Answer(200, {"data": data, "links": page_links(call.url("metrics"), call.query, start, more)})


def get_metric(call: Call) -> Answer:
    """One metric."""
    resource = _metric(call, _existing(call, call.path["id"], "/data/"))
    return Answer(200, {"data": resource, "links": resource["links"]})


def get_mapped_metrics(call: Call) -> Answer:
    """All mappings."""
    data = [_mapping(call, name) for name in MAPPINGS]
    return Answer(200, {"data": data, "links": {"self": call.url("mapped-metrics")}})


def get_mapped_metric(call: Call) -> Answer:
    """One mapping."""
    resource = _mapping(call, call.path["id"])
    return Answer(200, {"data": resource, "links": resource["links"]})


def update_mapped_metric(call: Call) -> Answer:
    """Point a mapping to a metric."""
    name, body = call.path["id"], call.body["data"]
    if body["id"] != name:
        raise refuse(400, "The id in the body differs from the one in the path.", "/data/id")
    target = body.get("relationships", {}).get("metric", {}).get("data")
    if target is None:
        raise refuse(400, "A metric must be given.", "/data/relationships/metric/data")
    metric = _existing(call, target["id"], "/data/relationships/metric/data/id")
    changed = call.account.mapped_metrics.get(name) != metric.id
    call.account.mapped_metrics[name] = metric.id
    call.effect("metric_mapped" if changed else "metric_mapping_unchanged", name)
    resource = _mapping(call, name)
    return Answer(200, {"data": resource, "links": resource["links"]}, [name])


def _existing(call: Call, metric_id: str, pointer: str) -> Metric:
    metric = call.account.events.metric(metric_id)
    if metric is None:
        raise refuse(404, f"A metric with id {metric_id} does not exist.", pointer)
    return metric


def _metric(call: Call, metric: Metric) -> dict[str, Any]:
    attributes = {
        "name": metric.name,
        "created": iso(metric.created),
        "updated": iso(metric.created),
        "integration": {"object": "integration", "id": "0eMvjm", "key": "api", "name": "API", "category": "API"},
    }
    url = call.url("metrics", metric.id)
    return {
        "type": "metric",
        "id": metric.id,
        "attributes": sparse(attributes, call.query, "metric"),
        "links": {"self": url},
    }


def _mapping(call: Call, name: str) -> dict[str, Any]:
    url = call.url("mapped-metrics", name)
    links = {"self": f"{url}/relationships/metric", "related": f"{url}/metric"}
    target = call.account.mapped_metrics.get(name)
    metric = {"links": links} if target is None else {"data": {"type": "metric", "id": target}, "links": links}
    return {
        "type": "mapped-metric",
        "id": name,
        "attributes": {"updated": iso(call.now)},
        "relationships": {"metric": metric},
        "links": {"self": url},
    }
