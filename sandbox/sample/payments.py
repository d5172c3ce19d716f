"""Payments: of every ten orders eight have one, one has two, one has three, and one has none.

The last digit of an order's index decides how many, so that an order's payments and a payment's order are found by
arithmetic. The transactions follow one of sixteen courses, most of which know a refund.
"""

from itertools import accumulate
from typing import Any

from sandbox.sample import heads, identity, order_plan, timeline
from sandbox.sample.money import cents
from sandbox.sample.order_plan import Plan
from sandbox.sample.scale import Scale

Resource = dict[str, Any]

_PER_ORDER = (1, 1, 1, 0, 1, 2, 1, 1, 3, 1)
_STARTS = (0, *accumulate(_PER_ORDER))

COURSES: tuple[tuple[tuple[str, str, int], ...], ...] = (
    # type, state and percentage of the amount of each transaction
    (("Charge", "Success", 100),),
    (("Authorization", "Success", 100), ("Charge", "Success", 100)),
    (("Authorization", "Success", 100),),
    (("Charge", "Pending", 100),),
    (("Charge", "Failure", 100),),
    (("Charge", "Success", 100), ("Refund", "Success", 30)),
    (("Charge", "Success", 100), ("Refund", "Initial", 30)),
    (("Charge", "Success", 100), ("Refund", "Pending", 30)),
    (("Charge", "Success", 100), ("Refund", "Failure", 30), ("Refund", "Success", 30)),
    (("Charge", "Success", 100), ("Refund", "Success", 20), ("Refund", "Success", 50)),
    (("Charge", "Success", 100), ("Refund", "Success", 100)),
    (("Charge", "Success", 60), ("Charge", "Success", 40), ("Refund", "Initial", 10), ("Refund", "Success", 10)),
    (("Authorization", "Success", 100), ("CancelAuthorization", "Success", 100)),
    (("Charge", "Success", 100), ("Chargeback", "Success", 100)),
    (("Charge", "Pending", 100), ("Refund", "Success", 10)),
    (),
)


def total(orders: int) -> int:
    """Return how many payments that many orders have together."""
    return _first(orders)


def indexes_of_order(order: int) -> range:
    """Return the indexes of the payments of an order."""
    return range(_first(order), _first(order + 1))


def order_of(payment: int) -> int:
    """Return the index of the order that a payment is for."""
    block, rest = divmod(payment, _STARTS[-1])
    return block * len(_PER_ORDER) + next(d for d in range(len(_PER_ORDER)) if rest < _STARTS[d + 1])


def payment_references(seed: int, order: int, orders: int) -> list[dict[str, str]]:
    """Return references to an order's payments; those of every other ten orders are not in the order of their ids."""
    size = total(orders)
    found = [{"typeId": "payment", "id": identity.id_at(seed, "payment", i, size)} for i in indexes_of_order(order)]
    return found[::-1] if order // 10 % 2 else found


def payment_head(seed: int, index: int, size: int) -> Resource:
    """Return the head of a payment; it is as old as its order."""
    return heads.head("payment", seed, index, size, lived=identity.entropy(seed, "order", order_of(index)))


def completed(head: Resource, seed: int, index: int, scale: Scale) -> Resource:
    """Return the whole payment of a head; the head is left alone."""
    order = order_of(index)
    plan = order_plan.plan(seed, order, scale)
    roll = identity.entropy(seed, "payment", index, "body")
    result = dict(head)
    if roll[0] % 4:
        result["key"] = f"payment-{index}"
    if plan.buyer is not None:
        result["customer"] = {"typeId": "customer", "id": plan.buyer.id}
    elif plan.anonymous:
        result["anonymousId"] = f"session-{order}"
    if roll[1] % 3:
        result["interfaceId"] = f"psp-{index:010d}"
    amount = _amount(plan, index)
    method = ("CREDIT_CARD", "PAYPAL", "INVOICE")[roll[2] % 3]
    info: Resource = {"paymentInterface": "example-psp", "method": method}
    if roll[2] % 5:
        info["name"] = {"en": method.replace("_", " ").title(), "de": "Zahlung"}
    result |= {
        "amountPlanned": cents(plan.currency, amount),
        "paymentMethodInfo": info,
        "paymentStatus": {"interfaceCode": "ok", "interfaceText": "Done"} if roll[3] % 3 else {},
        "transactions": _transactions(seed, index, plan, amount, roll),
        "interfaceInteractions": [],
        "createdBy": {"clientId": "checkout"},
        "lastModifiedBy": {"clientId": "checkout"},
    }
    return result


def payment(seed: int, index: int, size: int, scale: Scale) -> Resource:
    """Return payment `index`."""
    return completed(payment_head(seed, index, size), seed, index, scale)


def index_of_key(key: str, size: int) -> int | None:
    """Return the only index whose payment can have this key, or None."""
    digits = key.removeprefix("payment-")
    if digits == key or not digits.isdecimal() or int(digits) >= size:
        return None
    return int(digits)


def _amount(plan: Plan, index: int) -> int:
    """The share of the order that a payment is for; the last of several takes the rest."""
    of_order = indexes_of_order(plan.index)
    part = plan.gross // len(of_order)
    return part if index < of_order[-1] else plan.gross - part * (len(of_order) - 1)


def _transactions(seed: int, index: int, plan: Plan, amount: int, roll: tuple[int, ...]) -> list[Resource]:
    course = COURSES[roll[4] % len(COURSES)] if roll[5] % 3 == 0 else COURSES[roll[4] % 2]
    ids = identity.loose_ids(seed, "transaction", index, len(course))
    found = []
    for position, (kind, state, share) in enumerate(course):
        transaction: Resource = {
            "id": ids[position],
            "type": kind,
            "amount": cents(plan.currency, amount * share // 100),
            "state": state,
        }
        if roll[6 + position] % 5:
            transaction["timestamp"] = timeline.instant(plan.created + (plan.modified - plan.created) * position // len(course))
        if roll[6 + position] % 2:
            transaction["interactionId"] = f"tx/{index}/{position}"
        found.append(transaction)
    return found


def _first(order: int) -> int:
    block, rest = divmod(order, len(_PER_ORDER))
    return block * _STARTS[-1] + _STARTS[rest]
