"""Google's ID tokens are accepted when Google made them, for us, for our account, and not too long ago."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID

from shared.access import Allowed, InvalidToken, check_push_caller
from shared.errors import TransientError
from shared.google_tokens import (
    FAILURE_PAUSE_S,
    FETCH_S,
    LONGEST_LIFE_S,
    RETRY_PAUSE_S,
    SHORTEST_LIFE_S,
    STALE_S,
    GoogleIdTokens,
)
from shared.settings import Settings, load

URL = "https://certificates.example.com/certs"
ACCOUNT, AUDIENCE = "push@cloud.example.com", "https://sync.example.com"


@dataclass(frozen=True)
class Key:
    """A key pair with its certificate, as the real ones are published."""

    name: str
    private: rsa.RSAPrivateKey
    certificate: str

    def signed(self, claims: Mapping[str, Any], **header: Any) -> str:
        """A token signed with this key (RS256)."""
        head = {"alg": "RS256", "typ": "JWT", "kid": self.name, **header}
        content = f"{encoded(head)}.{encoded(claims)}"
        signature = self.private.sign(content.encode(), padding.PKCS1v15(), hashes.SHA256())
        return f"{content}.{base64.urlsafe_b64encode(signature).decode().rstrip('=')}"


def encoded(part: Mapping[str, Any]) -> str:
    """A part of a token."""
    return base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")


def new_key(name: str) -> Key:
    """A key pair that nobody else has."""
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "federated-signon.system.example.com")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(private, hashes.SHA256())
    )
    return Key(name, private, certificate.public_bytes(serialization.Encoding.PEM).decode())


@pytest.fixture(scope="module")
def google() -> Key:
    return new_key("key-1")


@pytest.fixture(scope="module")
def stranger() -> Key:
    return new_key("key-1")


@dataclass
class Certificates:
    """The host that publishes certificates; `status`, `body` and `cache_control` are its answer, None for none at all."""

    published: dict[str, str]
    status: int | None = 200
    body: bytes | None = None
    cache_control: str = "public, max-age=3600, must-revalidate, no-transform"
    fetched: int = 0
    now: float = 1_000.0
    headers: dict[str, str] = field(default_factory=dict)
    opened: threading.Event = field(default_factory=threading.Event)
    """Until it is set, the host does not answer."""

    asked: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.opened.set()

    def __call__(self, request: httpx.Request) -> httpx.Response:
        assert str(request.url) == URL
        assert "authorization" not in request.headers
        self.fetched += 1
        self.asked.set()
        assert self.opened.wait(20)
        if self.status is None:
            raise httpx.ConnectTimeout("no answer")
        content = json.dumps(self.published).encode() if self.body is None else self.body
        return httpx.Response(self.status, content=content, headers={"cache-control": self.cache_control, **self.headers})

    def verifier(self, fetch_s: float = FETCH_S) -> GoogleIdTokens:
        """A verifier that asks this host, on this host's clock."""
        return GoogleIdTokens(httpx.Client(transport=httpx.MockTransport(self)), URL, lambda: self.now, fetch_s)


@pytest.fixture
def certificates(google: Key) -> Certificates:
    return Certificates({google.name: google.certificate, "key-2": google.certificate})


def claims(**changed: Any) -> dict[str, Any]:
    """The claims of a push subscription's token."""
    now = int(time.time())
    genuine = {
        "iss": "https://accounts.google.com",
        "aud": AUDIENCE,
        "azp": "1",
        "sub": "1",
        "email": ACCOUNT,
        "email_verified": True,
        "iat": now - 60,
        "exp": now + 3_500,
    }
    return {**genuine, **changed}


def push_settings() -> Settings:
    """Settings that ask for tokens of `ACCOUNT` for `AUDIENCE`."""
    return load(
        {
            "CT_API_URL": "https://api.example.com",
            "CT_AUTH_URL": "https://auth.example.com",
            "CT_PROJECT_ID": "shop",
            "CT_API_CLIENT": '{"clientId": "client", "secret": "word"}',
            "KLAVIYO_AUTH_KEY": "pk_word",
            "PUSH_SERVICE_ACCOUNT": ACCOUNT,
            "PUSH_AUDIENCE": AUDIENCE,
        }
    )


def is_allowed(token: str | None, certificates: Certificates) -> bool:
    """Whether a delivery with this token is let in."""
    headers = {} if token is None else {"authorization": f"Bearer {token}"}
    return isinstance(check_push_caller(headers, push_settings(), certificates.verifier().claims), Allowed)


def test_a_genuine_token_for_us_is_accepted(google: Key, certificates: Certificates) -> None:
    """With each of the two spellings of the issuer that Google has."""
    assert is_allowed(google.signed(claims()), certificates)
    assert is_allowed(google.signed(claims(iss="accounts.google.com")), certificates)
    assert is_allowed(google.signed(claims(), kid="key-2"), certificates)


@pytest.mark.parametrize(
    "changed",
    [
        {"exp": 1_700_000_000, "iat": 1_699_996_400},
        {"exp": None},
        {"exp": "never"},
        {"iat": 4_000_000_000, "exp": 4_000_003_600},
        {"aud": "https://other.example.com"},
        {"aud": [AUDIENCE]},
        {"aud": None},
        {"iss": "https://issuer.example.com"},
        {"iss": None},
        {"email": "other@cloud.example.com"},
        {"email": None},
        {"email_verified": False},
        {"email_verified": "true"},
    ],
    ids=str,
)
def test_a_genuine_token_with_other_claims_is_refused(changed: dict[str, Any], google: Key, certificates: Certificates) -> None:
    """Expired, not yet valid, for another audience, of another issuer or account, or of an account that nobody verified."""
    assert not is_allowed(google.signed(claims(**changed)), certificates)


def test_a_token_without_its_times_is_refused(google: Key, certificates: Certificates) -> None:
    """It would be valid for ever."""
    for missing in ("iat", "exp"):
        assert not is_allowed(google.signed({name: value for name, value in claims().items() if name != missing}), certificates)


def test_a_token_of_another_key_is_refused(stranger: Key, certificates: Certificates) -> None:
    """Also when it bears the name of Google's key."""
    assert not is_allowed(stranger.signed(claims()), certificates)


def test_a_token_changed_after_signing_is_refused(google: Key, certificates: Certificates) -> None:
    """The signature is that of other claims."""
    head, _, signature = google.signed(claims(aud="https://other.example.com")).split(".")
    assert not is_allowed(f"{head}.{encoded(claims())}.{signature}", certificates)


@pytest.mark.parametrize("algorithm", ["none", "None", "HS256", "ES256", "RS512", None, 7])
def test_a_token_of_another_algorithm_is_refused(algorithm: Any, google: Key, certificates: Certificates) -> None:
    """Unsigned, and signed by whoever knows the public key, which is everybody."""
    content = f"{encoded({'alg': algorithm, 'typ': 'JWT', 'kid': google.name})}.{encoded(claims())}"
    for secret in (google.certificate.encode(), public_key(google)):
        mac = hmac.new(secret, content.encode(), hashlib.sha256).digest()
        assert not is_allowed(f"{content}.{base64.urlsafe_b64encode(mac).decode().rstrip('=')}", certificates)
    assert not is_allowed(f"{content}.", certificates)
    assert not is_allowed(google.signed(claims(), alg=algorithm), certificates)


def public_key(key: Key) -> bytes:
    """The public key as PEM."""
    return key.private.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def test_a_token_that_names_no_known_key_is_refused(google: Key, certificates: Certificates) -> None:
    """It is not tried against all of them."""
    assert not is_allowed(google.signed(claims(), kid="key-9"), certificates)
    assert not is_allowed(google.signed(claims(), kid=None), certificates)
    assert not is_allowed(google.signed(claims(), kid=["key-1"]), certificates)


@pytest.mark.parametrize("token", [None, "", ".", "..", "a.b.c", "é.é.é", "eyJ.eyJ.x", f"{'a' * 9_000}.b.c", "W10.W10.W10"])
def test_no_token_and_no_such_thing_as_a_token_are_refused(token: str | None, certificates: Certificates) -> None:
    """Whatever stands there; the certificates are not even asked for."""
    assert not is_allowed(token, certificates)
    assert certificates.fetched == 0


def test_the_refusal_quotes_nothing_of_the_token(google: Key, certificates: Certificates) -> None:
    """The error may be logged."""
    token = google.signed(claims(exp=1_700_000_000))
    with pytest.raises(InvalidToken) as caught:
        certificates.verifier().claims(token)
    assert str(caught.value) == "not genuine, or expired"
    assert caught.value.__cause__ is None


def test_certificates_are_kept_as_long_as_their_host_says(google: Key, certificates: Certificates) -> None:
    """`max-age` of the answer, in seconds."""
    verifier = certificates.verifier()
    for elapsed, fetched in ((0, 1), (3_599, 1), (3_600, 2), (7_199, 2), (7_200, 3)):
        certificates.now = 1_000.0 + elapsed
        verifier.claims(google.signed(claims()))
        assert certificates.fetched == fetched


@pytest.mark.parametrize(
    ("cache_control", "life_s"),
    [("", SHORTEST_LIFE_S), ("no-store", SHORTEST_LIFE_S), ("max-age=0", SHORTEST_LIFE_S), ("max-age=99999999", LONGEST_LIFE_S)],
)
def test_the_life_of_certificates_has_bounds(cache_control: str, life_s: float, google: Key, certificates: Certificates) -> None:
    """Neither fetched for each delivery nor kept for ever."""
    certificates.cache_control = cache_control
    verifier = certificates.verifier()
    verifier.claims(google.signed(claims()))
    certificates.now += life_s - 1
    verifier.claims(google.signed(claims()))
    assert certificates.fetched == 1
    certificates.now += 1
    verifier.claims(google.signed(claims()))
    assert certificates.fetched == 2


def test_a_new_key_is_fetched_early_but_not_for_every_stranger(google: Key, certificates: Certificates) -> None:
    """A key that is not known yet makes us look again, once a minute at most."""
    verifier = certificates.verifier()
    token = google.signed(claims(), kid="key-3")
    for _ in range(3):
        with pytest.raises(InvalidToken):
            verifier.claims(token)
    assert certificates.fetched == 1
    certificates.published["key-3"] = google.certificate
    certificates.now += RETRY_PAUSE_S
    assert verifier.claims(token)["email"] == ACCOUNT
    assert certificates.fetched == 2


@pytest.mark.parametrize(
    ("status", "body"),
    [(None, None), (500, None), (404, None), (302, None), (200, b"<html>"), (200, b"[]"), (200, b"{}"), (200, b'{"key-1": 5}')],
)
def test_without_certificates_the_delivery_comes_again(
    status: int | None, body: bytes | None, google: Key, certificates: Certificates
) -> None:
    """It is not refused, and a while later they are asked for again; a redirect is not followed."""
    certificates.status, certificates.body = status, body
    certificates.headers = {"location": "https://elsewhere.example.com"}
    verifier = certificates.verifier()
    with pytest.raises(TransientError):
        check_push_caller({"authorization": f"Bearer {google.signed(claims())}"}, push_settings(), verifier.claims)
    certificates.status, certificates.body = 200, None
    with pytest.raises(TransientError):
        verifier.claims(google.signed(claims()))
    assert certificates.fetched == 1, "not by each delivery in turn"
    certificates.now += FAILURE_PAUSE_S
    assert verifier.claims(google.signed(claims()))["aud"] == AUDIENCE
    assert certificates.fetched == 2


def test_many_deliveries_at_once_fetch_once(google: Key, certificates: Certificates) -> None:
    """The others wait for the one."""
    certificates.opened.clear()
    verifier, together = certificates.verifier(fetch_s=20.0), threading.Barrier(9)

    def verified(_: int) -> Any:
        together.wait()
        return verifier.claims(google.signed(claims()))["email"]

    with ThreadPoolExecutor(8) as threads:
        emails = threads.map(verified, range(8))
        together.wait()
        certificates.opened.set()
        assert set(emails) == {ACCOUNT}
    assert certificates.fetched == 1


def test_while_certificates_are_renewed_the_others_go_on_with_the_old_ones(google: Key, certificates: Certificates) -> None:
    """Only the delivery that asked for new ones waits for them."""
    verifier = certificates.verifier(fetch_s=20.0)
    verifier.claims(google.signed(claims()))
    certificates.now += 3_600
    certificates.opened.clear()
    certificates.asked.clear()
    with ThreadPoolExecutor(1) as thread:
        renewing = thread.submit(verifier.claims, google.signed(claims()))
        assert certificates.asked.wait(20)
        assert verifier.claims(google.signed(claims()))["email"] == ACCOUNT
        assert not renewing.done()
        certificates.opened.set()
        assert renewing.result()["email"] == ACCOUNT
    assert certificates.fetched == 2


def test_certificates_that_cannot_be_renewed_are_good_for_another_day(google: Key, certificates: Certificates) -> None:
    """A host that publishes them being down stops no delivery; of a key that is not known nothing can be said."""
    verifier = certificates.verifier()
    verifier.claims(google.signed(claims()))
    certificates.status = 503
    certificates.now += 3_600
    for _ in range(3):
        assert verifier.claims(google.signed(claims()))["email"] == ACCOUNT
    assert certificates.fetched == 2
    with pytest.raises(TransientError):
        verifier.claims(google.signed(claims(), kid="key-3"))
    certificates.now += STALE_S
    with pytest.raises(TransientError):
        verifier.claims(google.signed(claims()))


def test_a_host_that_hangs_holds_each_delivery_up_once_and_briefly(google: Key, certificates: Certificates) -> None:
    """All at the same time, not in turn; whoever comes later does not wait; a late answer is still good."""
    certificates.opened.clear()
    verifier, together = certificates.verifier(fetch_s=0.05), threading.Barrier(6)

    def refused(_: int) -> None:
        together.wait()
        with pytest.raises(TransientError):
            verifier.claims(google.signed(claims()))

    with ThreadPoolExecutor(6) as threads:
        list(threads.map(refused, range(6)))
    verifier.fetch_s = 20.0
    with pytest.raises(TransientError):
        verifier.claims(google.signed(claims()))
    assert certificates.fetched == 1
    certificates.opened.set()
    certificates.now += FAILURE_PAUSE_S
    assert verifier.claims(google.signed(claims()))["email"] == ACCOUNT
    assert certificates.fetched == 1


def test_the_library_is_loaded_only_for_a_verifier() -> None:
    """A process that checks no tokens does not pay for it."""
    never = ("google.auth", "cryptography")
    check = f"import sys, shared.google_tokens; print([name for name in sys.modules if name.startswith({never})])"
    shown = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"
