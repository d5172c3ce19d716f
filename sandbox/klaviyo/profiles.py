"""The profiles of the account: matching by identifiers, upsert, and a compact record of each.

A million profiles of some 450 bytes fit into about a gigabyte: identifiers are kept as they are, everything else as
one encoded JSON object, and the profile's id is made from its number.
"""

from collections.abc import Iterator
from typing import Any, Final, Literal, NamedTuple

import msgspec

from sandbox.klaviyo.rules import IDENTIFIERS, plausible_phone

_ID_PREFIX: Final = "01SANDBX"
_NOT_KEPT: Final = frozenset((*IDENTIFIERS, "_kx", "anonymous_id", "meta"))
_OBJECTS: Final = ("location", "properties")

Kind = Literal["created", "updated", "unchanged", "conflict", "missing", "unidentified"]


class Profile(msgspec.Struct, gc=False, eq=False):
    """One profile. `versions` counts accepted writes, `changes` those that had an effect (creation included).

    Out of the garbage collector's sight: walking over a million of these would stop the server for a while.
    """

    seq: int
    created: float
    updated: float
    external_id: str | None = None
    email: str | None = None
    phone: str | None = None
    rest: bytes = b"{}"
    versions: int = 0
    changes: int = 0

    @property
    def id(self) -> str:
        """Klaviyo's id of this profile."""
        return f"{_ID_PREFIX}{self.seq:018d}"

    @property
    def identity(self) -> str:
        """What the ledger calls it: external id, else email, else id."""
        return self.external_id or self.email or self.id

    def attributes(self) -> dict[str, Any]:
        """Everything stored, as the API names it."""
        return {
            "external_id": self.external_id,
            "email": self.email,
            "phone_number": self.phone,
            **msgspec.json.decode(self.rest),
        }


class Upsert(NamedTuple):
    """What became of an upsert. `other` is the clashing profile of a conflict."""

    kind: Kind
    profile: Profile | None = None
    other: Profile | None = None
    phone_dropped: bool = False


class MatchRules(NamedTuple):
    """How doubtful matches are read; see `KlaviyoSandboxSettings`."""

    phone: Literal["conflict", "overwrite"] = "conflict"
    email: Literal["update", "conflict"] = "update"


class Profiles:
    """All profiles, with one index per identifier; emails are held in lower case."""

    def __init__(self) -> None:
        self._by_seq: list[Profile | None] = []
        self._by_external_id: dict[str, Profile] = {}
        self._by_email: dict[str, Profile] = {}
        self._by_phone: dict[str, Profile] = {}
        self.count = 0

    def __iter__(self) -> Iterator[Profile]:
        return (profile for profile in self._by_seq if profile is not None)

    def after(self, seq: int) -> Iterator[Profile]:
        """Profiles in the order of their creation whose number is `seq` or higher."""
        for position in range(seq, len(self._by_seq)):
            profile = self._by_seq[position]
            if profile is not None:
                yield profile

    def by_id(self, profile_id: str) -> Profile | None:
        """The profile with Klaviyo's id `profile_id`."""
        number = profile_id.removeprefix(_ID_PREFIX)
        if len(number) != 18 or len(profile_id) != 26 or not (number.isascii() and number.isdigit()):
            return None
        seq = int(number)
        return self._by_seq[seq] if seq < len(self._by_seq) else None

    def by_external_id(self, external_id: str) -> Profile | None:
        """The profile with this external id."""
        return self._by_external_id.get(external_id)

    def by_email(self, email: str) -> Profile | None:
        """The profile with this email, in any case."""
        return self._by_email.get(email.lower())

    def by_phone(self, phone: str) -> Profile | None:
        """The profile with this phone number."""
        return self._by_phone.get(phone)

    def matches(self, attributes: dict[str, Any], profile_id: str | None) -> list[Profile]:
        """Distinct profiles that carry one of the identifiers given, strongest first: id, external id, email, phone."""
        found: list[Profile] = []
        if profile_id:
            by_id = self.by_id(profile_id)
            if by_id is not None:
                found.append(by_id)
        email = attributes.get("email")
        for profile in (
            self._by_external_id.get(attributes.get("external_id") or ""),
            self._by_email.get(email.lower()) if email else None,
            self._by_phone.get(attributes.get("phone_number") or ""),
        ):
            if profile is not None and profile not in found:
                found.append(profile)
        return found

    def upsert(
        self,
        attributes: dict[str, Any],
        profile_id: str | None,
        now: float,
        *,
        rules: MatchRules,
        clear_nulls: bool,
        meta: dict[str, Any] | None = None,
    ) -> Upsert:
        """Create or update the profile these identifiers name.

        `clear_nulls`: a null clears its field (single requests), otherwise it is ignored (bulk). An implausible
        phone is left out. Nothing is written on a conflict, nor when `profile_id` names no profile.
        """
        phone = attributes.get("phone_number")
        dropped = phone is not None and not plausible_phone(phone)
        if dropped:
            attributes = {name: value for name, value in attributes.items() if name != "phone_number"}
        if not (profile_id or any(attributes.get(name) for name in (*IDENTIFIERS, "_kx", "anonymous_id"))):
            return Upsert("unidentified", phone_dropped=dropped)
        found = self.matches(attributes, profile_id)
        if profile_id and (not found or found[0].id != profile_id):
            return Upsert("missing", phone_dropped=dropped)
        if len(found) > 1:
            return Upsert("conflict", found[0], found[1], dropped)
        if not found:
            profile = Profile(len(self._by_seq), now, now)
            self._by_seq.append(profile)
            self.count += 1
            self._write(profile, attributes, meta, now, clear_nulls=clear_nulls)
            return Upsert("created", profile, None, dropped)
        profile = found[0]
        if not profile_id and _is_doubtful(profile, attributes, rules):
            return Upsert("conflict", None, profile, dropped)
        changed = self._write(profile, attributes, meta, now, clear_nulls=clear_nulls)
        return Upsert("updated" if changed else "unchanged", profile, None, dropped)

    def update(self, profile: Profile, attributes: dict[str, Any], meta: dict[str, Any] | None, now: float) -> bool:
        """Write to a known profile; identifiers of others must have been ruled out. Whether anything changed."""
        return self._write(profile, attributes, meta, now, clear_nulls=True)

    def delete(self, profile: Profile) -> None:
        """Remove a profile; its number is not used again."""
        self._by_seq[profile.seq] = None
        self.count -= 1
        for index, key in (
            (self._by_external_id, profile.external_id),
            (self._by_email, profile.email),
            (self._by_phone, profile.phone),
        ):
            if key is not None:
                index.pop(key, None)

    def _write(
        self, profile: Profile, attributes: dict[str, Any], meta: dict[str, Any] | None, now: float, *, clear_nulls: bool
    ) -> bool:
        changed = profile.versions == 0
        email = attributes.get("email")
        for slot, index, name, value in (
            ("external_id", self._by_external_id, "external_id", attributes.get("external_id")),
            ("email", self._by_email, "email", email.lower() if email else None),
            ("phone", self._by_phone, "phone_number", attributes.get("phone_number")),
        ):
            old = getattr(profile, slot)
            if value == old or (value is None and not (clear_nulls and name in attributes)):
                continue
            if old is not None:
                del index[old]
            if value is not None:
                index[value] = profile
            setattr(profile, slot, value)
            changed = True
        before = profile.rest
        rest = merge(msgspec.json.decode(before), attributes, clear_nulls=clear_nulls)
        if meta:
            _patch_properties(rest, meta.get("patch_properties") or {})
        after = msgspec.json.encode(rest, order="sorted")
        if after != before:
            profile.rest = after
            changed = True
        profile.versions += 1
        if changed:
            profile.changes += 1
            profile.updated = now
        return changed


def merge(rest: dict[str, Any], attributes: dict[str, Any], *, clear_nulls: bool) -> dict[str, Any]:
    """Lay attributes over the stored ones, `location` and `properties` key by key; identifiers are left out."""
    for name, value in attributes.items():
        if name in _NOT_KEPT:
            continue
        if value is None:
            if clear_nulls:
                rest.pop(name, None)
        elif name in _OBJECTS:
            inner = rest.setdefault(name, {})
            for key, part in value.items():
                if part is not None:
                    inner[key] = part
                elif clear_nulls:
                    inner.pop(key, None)
            if not inner:
                del rest[name]
        else:
            rest[name] = value
    return rest


def _is_doubtful(profile: Profile, attributes: dict[str, Any], rules: MatchRules) -> bool:
    """Whether the only match is too weak to be the same person, by the rules in force."""
    external_id, email = attributes.get("external_id"), attributes.get("email")
    foreign_id = bool(external_id and profile.external_id and profile.external_id != external_id)
    same_email = bool(email and profile.email == email.lower())
    if external_id and profile.external_id == external_id:
        return False
    if same_email:
        return foreign_id and rules.email == "conflict"
    foreign_email = bool(email and profile.email)
    return (foreign_id or foreign_email) and rules.phone == "conflict"


def _patch_properties(rest: dict[str, Any], patch: dict[str, Any]) -> None:
    properties = rest.setdefault("properties", {})
    for key, value in (patch.get("append") or {}).items():
        held = properties.get(key, [])
        held = held if isinstance(held, list) else [held]
        properties[key] = [*held, *(value if isinstance(value, list) else [value])]
    for key, value in (patch.get("unappend") or {}).items():
        gone = value if isinstance(value, list) else [value]
        if isinstance(properties.get(key), list):
            properties[key] = [item for item in properties[key] if item not in gone]
    unset = patch.get("unset") or []
    for key in [unset] if isinstance(unset, str) else unset:
        properties.pop(key, None)
    if not properties:
        del rest["properties"]
