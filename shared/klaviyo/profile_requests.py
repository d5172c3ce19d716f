"""Requests that concern one profile: upsert, patch, find, suppress, erase. Pure (klaviyo.md 1.5)."""

from __future__ import annotations

import msgspec

from shared.klaviyo import limits
from shared.klaviyo.profiles import ProfileAttributes
from shared.klaviyo.requests import Answer, Request, body_as, equals, nothing

_FIELDS = ("fields[profile]", "email")


class _Profile(msgspec.Struct, frozen=True, tag_field="type", tag="profile"):
    attributes: ProfileAttributes


class _IdentifiedProfile(msgspec.Struct, frozen=True, tag_field="type", tag="profile"):
    id: str
    attributes: ProfileAttributes


class _Document(msgspec.Struct, frozen=True):
    data: _IdentifiedProfile


class FoundAttributes(msgspec.Struct, frozen=True):
    """Of a profile in Klaviyo what we read."""

    email: str | None = None


class FoundProfile(msgspec.Struct, frozen=True):
    """A profile as Klaviyo shows it; `id` is Klaviyo's."""

    id: str
    attributes: FoundAttributes = FoundAttributes()


class ProfilePage(msgspec.Struct, frozen=True):
    """The profiles that a filter found; identifiers are unique, so there is no second page."""

    data: list[FoundProfile]


_encode = msgspec.json.Encoder().encode
_decode_profile = msgspec.json.Decoder(_Profile).decode
_profiles = body_as(ProfilePage)


def encode_profile(attributes: ProfileAttributes) -> bytes:
    """A profile as a row of a bulk body, and as the `data` of a single request."""
    return _encode(_Profile(attributes))


def decode_profile(row: bytes) -> ProfileAttributes:
    """The profile that `encode_profile` made a row of."""
    return _decode_profile(row).attributes


def upsert_profile(row: bytes) -> Request[bool]:
    """Create the profile that `encode_profile` made, or update the one that its identifiers name; whether it may be new.

    After a lost answer it may: that of the creation would be the lost one.
    """
    return Request(limits.UPSERT_PROFILE, limits.UPSERT_PROFILE.path, _created, b"".join((b'{"data":', row, b"}")))


def patch_profile(profile_id: str, attributes: ProfileAttributes) -> Request[None]:
    """Update the profile with Klaviyo's id `profile_id`; what is left out stays as it is."""
    body = _encode(_Document(_IdentifiedProfile(profile_id, attributes)))
    return Request(limits.PATCH_PROFILE, limits.PATCH_PROFILE.path_of(profile_id), nothing, body)


def find_by_email(email: str) -> Request[ProfilePage]:
    """The profile with this e-mail address, if there is one."""
    return Request(limits.FIND_PROFILES, limits.FIND_PROFILES.path, _profiles, query=(equals("email", email), _FIELDS))


def find_by_external_id(external_id: str) -> Request[ProfilePage]:
    """The profile of this customer, if there is one."""
    query = (equals("external_id", external_id), _FIELDS)
    return Request(limits.FIND_PROFILES, limits.FIND_PROFILES.path, _profiles, query=query)


def suppress_profile(email: str) -> Request[None]:
    """No more marketing to this address; Klaviyo does it later."""
    body = {
        "data": {
            "type": "profile-suppression-bulk-create-job",
            "attributes": {"profiles": {"data": [{"type": "profile", "attributes": {"email": email}}]}},
        }
    }
    return Request(limits.SUPPRESS_PROFILE, limits.SUPPRESS_PROFILE.path, nothing, _encode(body))


def erase_profile(profile_id: str) -> Request[None]:
    """Delete the person with Klaviyo's id `profile_id` and all that Klaviyo knows of them; Klaviyo does it later.

    Exactly one identifier may be named.
    """
    profile = {"type": "profile", "id": profile_id, "attributes": {}}
    body = {"data": {"type": "data-privacy-deletion-job", "attributes": {"profile": {"data": profile}}}}
    return Request(limits.ERASE_PROFILE, limits.ERASE_PROFILE.path, nothing, _encode(body))


def _created(answer: Answer) -> bool:
    return answer.status == 201 or answer.after_loss
