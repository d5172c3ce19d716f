"""Payments to Refunded Order events: one for each successful refund, under an id that never changes (mapping.md "Refunds")."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from shared.commercetools.orders import Payment, Transaction
from shared.klaviyo.events import Event
from shared.mapping.choices import Choices
from shared.mapping.money import amount_of
from shared.mapping.order_summary import MappedEvents, OrderSummary, mapped_events, order_summary
from shared.mapping.result import Skip, SkipReason
from shared.mapping.sources import PaidOrderSource

REFUND = "Refund"
CHARGE = "Charge"
SUCCESS = "Success"


def refunded_orders(
    source: PaidOrderSource, choices: Choices, payment_id: str, transaction_id: str | None
) -> MappedEvents | Skip:
    """Refunded Order for the successful refunds of one payment; only for that transaction, when one is named.

    A payment that the order does not name (any more) is none of the order's: where its refund stands among the others, and so
    its id, cannot be told. It is skipped like one without a successful refund.
    """
    if source.order is None:
        return Skip(SkipReason.NO_SUCCESSFUL_REFUND)
    payments = _each_once(source.payments)
    wanted = [
        (payment, refund)
        for payment, refund in _successful_refunds(payments)
        if payment.id == payment_id and transaction_id in (None, refund.id)
    ]
    if not wanted:
        return Skip(SkipReason.NO_SUCCESSFUL_REFUND)
    summary = order_summary(source.order, choices)
    if isinstance(summary, Skip):
        return summary
    return mapped_events(_refunded(summary, payments, wanted, choices), summary.adjustments)


def refund_events(summary: OrderSummary, payments: Sequence[Payment], choices: Choices) -> list[Event]:
    """Refunded Order for every successful refund of an order; `payments` are all of its payments, in its order."""
    each_once = _each_once(payments)
    return _refunded(summary, each_once, list(_successful_refunds(each_once)), choices)


def _each_once(payments: Iterable[Payment]) -> list[Payment]:
    """The payments without repetitions: an order may name one twice."""
    return list({payment.id: payment for payment in payments}.values())


def _successful_refunds(payments: Sequence[Payment]) -> Iterator[tuple[Payment, Transaction]]:
    for payment in payments:
        for transaction in payment.transactions:
            if transaction.type == REFUND and transaction.state == SUCCESS:
                yield payment, transaction


def _refunded(
    summary: OrderSummary, payments: Sequence[Payment], refunds: Sequence[tuple[Payment, Transaction]], choices: Choices
) -> list[Event]:
    linked = _linked_refund(payments)
    order_id = summary.order.id
    return [
        summary.part(
            choices.document.order.metrics.refundedOrder,
            unique_id=order_id if refund is linked else f"{order_id}:{refund.id}",
            time=summary.moment(refund.timestamp, payment.lastModifiedAt),
            value=amount_of(refund.amount),
            currency=refund.amount.currencyCode,
        )
        for payment, refund in refunds
    ]


def _linked_refund(payments: Sequence[Payment]) -> Transaction | None:
    """The one refund that goes under the order's own id, so that Klaviyo takes it off the order's revenue.

    The first refund, whatever its state, of the first payment with a successful charge: transactions are only ever appended, so
    which one it is does not depend on which refund succeeds, or when. Every other one has an id of its own.
    """
    for payment in payments:
        if any(transaction.type == CHARGE and transaction.state == SUCCESS for transaction in payment.transactions):
            return next((transaction for transaction in payment.transactions if transaction.type == REFUND), None)
    return None
