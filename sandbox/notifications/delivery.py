"""Posts requests to a function as Pub/Sub push does: acknowledged by its status, else delivered again, later and later."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from random import Random
from threading import Condition, Thread

from sandbox.notifications.envelopes import Request
from sandbox.notifications.wire import Connection, NoAnswer

ACKNOWLEDGED = frozenset({102, 200, 201, 202, 204})
"""What a push subscription takes for an acknowledgement (commercetools.md 1, "Delivery into a Connect event app")."""

NO_ANSWER = 0
"""Stands for a status where none came: refused, broken off, or too late."""

RequestOf = Callable[[int], Request]
"""The request of an attempt, 1 the first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long an answer is waited for, and the pauses before a message is delivered again, in seconds.

    The pause doubles from `first_s` to `most_s`, less up to half of it at random. After `attempts` a message is given up,
    which Pub/Sub itself would do only at the end of its retention.
    """

    answer_s: float = 10.0
    first_s: float = 0.05
    most_s: float = 1.0
    attempts: int = 100

    def pause_s(self, attempt: int, random: Random) -> float:
        """Before the attempt that follows this one."""
        return min(self.most_s, self.first_s * 2.0 ** min(attempt - 1, 60)) * (1 - random.random() / 2)


@dataclass(frozen=True, slots=True)
class Delivery:
    """What became of one message: the status of every attempt in order, and the seconds that the answers took.

    `faults` has a word for each attempt without an answer, such as `TimeoutError`.
    """

    name: str
    statuses: tuple[int, ...]
    answers_s: tuple[float, ...]
    faults: tuple[str, ...] = ()

    @property
    def acknowledged(self) -> bool:
        """Whether the last answer was an acknowledgement."""
        return self.statuses[-1] in ACKNOWLEDGED


@dataclass(frozen=True, slots=True)
class Report:
    """All deliveries, in the order in which they ended, and the seconds from the first to the last."""

    deliveries: tuple[Delivery, ...]
    took_s: float

    @property
    def lost(self) -> list[Delivery]:
        """Those that were given up."""
        return [delivery for delivery in self.deliveries if not delivery.acknowledged]

    @property
    def statuses(self) -> Counter[int]:
        """How often each status was answered."""
        return Counter(status for delivery in self.deliveries for status in delivery.statuses)

    @property
    def faults(self) -> Counter[str]:
        """How often no answer came, by what came instead."""
        return Counter(fault for delivery in self.deliveries for fault in delivery.faults)

    @property
    def attempts(self) -> int:
        """How many requests were made."""
        return sum(len(delivery.statuses) for delivery in self.deliveries)

    def latency_s(self, *percentiles: float) -> list[float]:
        """Seconds to an answer, by nearest rank; 0 where there was none."""
        ordered = sorted(seconds for delivery in self.deliveries for seconds in delivery.answers_s)
        return [ordered[min(len(ordered) - 1, int(len(ordered) * p / 100))] if ordered else 0.0 for p in percentiles]

    def __str__(self) -> str:
        p50, p95, p99, longest = (1000 * seconds for seconds in self.latency_s(50, 95, 99, 100))
        answers = [f"{count} x {status}" for status, count in sorted(self.statuses.items()) if status != NO_ANSWER]
        counts = ", ".join(answers + [f"{count} x {fault}" for fault, count in sorted(self.faults.items())])
        rate = len(self.deliveries) / self.took_s if self.took_s else 0.0
        return (
            f"{len(self.deliveries)} deliveries in {self.attempts} attempts ({counts}), {len(self.lost)} given up, "
            f"{self.took_s:.1f} s, {rate:.0f}/s, answers p50 {p50:.0f} ms, p95 {p95:.0f} ms, p99 {p99:.0f} ms, "
            f"longest {longest:.0f} ms"
        )


@dataclass(frozen=True, slots=True)
class Parcel:
    """One message to deliver; `name` is for the report."""

    name: str
    request: RequestOf


@dataclass(slots=True)
class _Under:
    """A parcel on its way."""

    parcel: Parcel
    statuses: list[int] = field(default_factory=list)
    answers_s: list[float] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def delivery(self) -> Delivery:
        """What has become of it so far."""
        return Delivery(self.parcel.name, tuple(self.statuses), tuple(self.answers_s), tuple(self.faults))


@dataclass(slots=True)
class Courier:
    """Delivers to `urls`, at most `workers` messages at once; several are instances of one function.

    `clock` gives seconds that only grow. Randomness is for the pauses. `per_second` limits how many messages are begun.
    """

    urls: Sequence[str]
    clock: Callable[[], float]
    random: Random
    workers: int = 8
    patience: Patience = field(default_factory=Patience)
    per_second: float | None = None

    def deliver(self, parcels: Iterable[Parcel]) -> Report:
        """Deliver all. `parcels` is walked by the calling thread, one parcel ahead of the workers.

        An error that `parcels` raises ends the delivery and is raised here. Raises ValueError when an address is not plain http.
        """
        round_ = _Round(self)
        hosts = [self.urls[number % len(self.urls)] for number in range(self.workers)]
        connections = [Connection(url, self.patience.answer_s) for url in hosts]
        threads = [Thread(target=round_.work, args=(connection,), daemon=True) for connection in connections]
        begun = self.clock()
        for thread in threads:
            thread.start()
        try:
            for number, parcel in enumerate(parcels):
                round_.put(parcel, begun if self.per_second is None else begun + number / self.per_second)
            round_.close()
        except BaseException as error:
            round_.fail(error)
            raise
        finally:
            for thread in threads:
                thread.join()
        if round_.error is not None:
            raise round_.error
        return Report(tuple(round_.ended), self.clock() - begun)


class _Round:
    """One call of `Courier.deliver`: what is due, now or later."""

    def __init__(self, courier: Courier) -> None:
        self._courier = courier
        self._due: list[tuple[float, int, _Under]] = []
        self._changed = Condition()
        self._put = 0
        self._fresh = 0
        self._open = 0
        self._closed = False
        self.ended: list[Delivery] = []
        self.error: BaseException | None = None

    def put(self, parcel: Parcel, due: float) -> None:
        """Hand over a parcel as soon as a worker has taken the one before."""
        with self._changed:
            self._changed.wait_for(lambda: not self._fresh or self.error is not None)
            if self.error is not None:
                raise self.error
            self._put += 1
            self._fresh += 1
            self._open += 1
            heapq.heappush(self._due, (due, self._put, _Under(parcel)))
            self._changed.notify_all()

    def close(self) -> None:
        """Say that nothing more comes."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def fail(self, error: BaseException) -> None:
        """End the work with an error."""
        with self._changed:
            self.error = self.error or error
            self._changed.notify_all()

    def work(self, connection: Connection) -> None:
        """Deliver until nothing is left and nothing can come back."""
        try:
            while (under := self._next()) is not None:
                begun = self._courier.clock()
                status = _post(connection, under)
                self._settle(under, status, self._courier.clock() - begun)
        except BaseException as error:
            self.fail(error)
        finally:
            connection.close()

    def _next(self) -> _Under | None:
        with self._changed:
            while self.error is None:
                now = self._courier.clock()
                if self._due and self._due[0][0] <= now:
                    under = heapq.heappop(self._due)[2]
                    if not under.statuses:
                        self._fresh -= 1
                        self._changed.notify_all()
                    return under
                if self._closed and not self._open:
                    return None
                self._changed.wait(max(0.001, self._due[0][0] - now) if self._due else None)
            return None

    def _settle(self, under: _Under, status: int, took_s: float) -> None:
        under.statuses.append(status)
        under.answers_s.append(took_s)
        attempts, patience = len(under.statuses), self._courier.patience
        with self._changed:
            if status in ACKNOWLEDGED or attempts >= patience.attempts:
                self.ended.append(under.delivery())
                self._open -= 1
            else:
                self._put += 1
                due = self._courier.clock() + patience.pause_s(attempts, self._courier.random)
                heapq.heappush(self._due, (due, self._put, under))
            self._changed.notify_all()


def _post(connection: Connection, under: _Under) -> int:
    request = under.parcel.request(len(under.statuses) + 1)
    try:
        return connection.send("POST", connection.path, request.headers, request.body).status
    except NoAnswer as fault:
        under.faults.append(str(fault))
        return NO_ANSWER
