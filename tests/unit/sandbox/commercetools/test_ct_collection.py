"""A collection of generated rows under an overlay behaves like a plain dictionary of resources."""

import random
from typing import Any

import pytest

from sandbox.commercetools.collection import Collection
from sandbox.sample.identity import entropy, id_from_words
from sandbox.sample.kinds import sample_kinds

SIZE = 200
KIND = sample_kinds()["customers"]


def changed_both_ways(seed: int, steps: int = 300) -> tuple[Collection, dict[str, dict[str, Any]]]:
    """Apply the same random puts and removals to a collection and to a dictionary."""
    rng = random.Random(seed)
    collection = Collection(KIND, 7, SIZE)
    model = {row["id"]: row for row in (KIND.generate(7, index, SIZE) for index in range(SIZE))}
    known = list(model)
    for step in range(steps):
        choice = rng.random()
        if choice < 0.3:
            new = {**KIND.generate(7, 0, SIZE), "id": id_from_words(entropy(seed, "new", step), 0, 1), "key": f"n{step}"}
            collection.put(new)
            model[new["id"]] = new
            known.append(new["id"])
        elif choice < 0.7:
            identifier = rng.choice(known)
            if identifier in model:
                time = f"2027-01-01T00:00:{step % 60:02d}.000Z"
                new = {**model[identifier], "version": 99, "lastModifiedAt": time}
                collection.put(new)
                model[identifier] = new
        else:
            identifier = rng.choice(known)
            collection.remove(identifier)
            model.pop(identifier, None)
        if rng.random() < 0.1 and identifier_gone(model, known):
            back = rng.choice([i for i in known if i not in model])
            again = {**KIND.generate(7, 0, SIZE), "id": back}
            collection.put(again)
            model[back] = again
    return collection, model


def identifier_gone(model: dict[str, Any], known: list[str]) -> bool:
    """Whether any known id is not there any more."""
    return any(identifier not in model for identifier in known)


@pytest.mark.parametrize("seed", range(5))
def test_the_overlay_behaves_like_a_dictionary(seed: int) -> None:
    """After any changes: the same number, the same resources, the same order by id and by time, both directions."""
    collection, model = changed_both_ways(seed)
    assert collection.count == len(model)
    by_id = sorted(model)
    assert [collection.full(row) for row in collection.by_id(None, None)] == [model[i] for i in by_id]
    assert [row[0]["id"] for row in collection.by_id(None, None, descending=True)] == by_id[::-1]
    by_time = sorted(by_id, key=lambda i: (model[i]["lastModifiedAt"], i))
    assert [row[0]["id"] for row in collection.by_time("lastModifiedAt", None, None)] == by_time
    assert [row[0]["id"] for row in collection.by_time("lastModifiedAt", None, None, descending=True)] == by_time[::-1]
    assert all(collection.get(i) == model[i] for i in by_id)


@pytest.mark.parametrize("seed", range(5))
def test_bounds_are_inclusive(seed: int) -> None:
    """A walk within bounds holds the rows from the lower to the upper one, both included."""
    collection, model = changed_both_ways(seed)
    rng = random.Random(seed)
    for _ in range(20):
        low, high = sorted(rng.sample(sorted(model), 2))
        assert [r[0]["id"] for r in collection.by_id(low, high)] == [i for i in sorted(model) if low <= i <= high]
        first, last = sorted((model[low]["createdAt"], model[high]["createdAt"]))
        wanted = sorted((r["createdAt"], i) for i, r in model.items() if first <= r["createdAt"] <= last)
        found = [(r[0]["createdAt"], r[0]["id"]) for r in collection.by_time("createdAt", first, last)]
        assert found == wanted


def test_keys_are_found_in_rows_and_overlay() -> None:
    """By key: generated rows, put ones, and not the ones that were removed or lost their key."""
    collection = Collection(KIND, 7, SIZE)
    held = next(row for row in (KIND.generate(7, i, SIZE) for i in range(SIZE)) if "key" in row)
    assert collection.by_key(held["key"]) == held
    collection.put({**held, "key": "renamed"})
    assert collection.by_key(held["key"]) is None
    assert (collection.by_key("renamed") or {})["id"] == held["id"]
    collection.remove(held["id"])
    assert collection.by_key("renamed") is None
    collection.reset()
    assert collection.by_key(held["key"]) == held


def test_an_empty_collection_is_a_store() -> None:
    """Without a kind there are only the resources that were put."""
    collection = Collection(None, 7, 0)
    collection.put({"id": "b", "createdAt": "2", "version": 1})
    collection.put({"id": "a", "createdAt": "3", "version": 1})
    assert [row[0]["id"] for row in collection.by_id(None, None)] == ["a", "b"]
    assert [row[0]["id"] for row in collection.by_time("createdAt", None, None)] == ["b", "a"]
    collection.remove("a")
    assert (collection.count, collection.get("a")) == (1, None)
