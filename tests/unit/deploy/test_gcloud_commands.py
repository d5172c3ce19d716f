"""The real gcloud understands every command of `deploy/gcloud.sh`; those about Pub/Sub are carried out on its emulator."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import gcloud_runs
import pytest
from gcloud_runs import NO_LOGIN, PROJECT, Script, Words, flag, named
from google_emulators import IN_ONE_PROCESS

from sandbox.emulators import Emulators

PREFIX = "klaviyo-sync"
PUSH = f"{PREFIX}-push@{PROJECT}.iam.gserviceaccount.com"
WEEK = "604800s"


@pytest.fixture
def script(tmp_path: Path) -> Script:
    """The script with everything that can be configured."""
    everything = {
        "IMPORT_API_KEY_ENABLED": "true",
        "FIRESTORE_DATABASE": "(default)",
        "SYNC_CONFIG": '{"disabledEvents": ["OrderRefunded", "CustomerCreated"]}',
        "PRODUCT_URL_TEMPLATE": "https://shop.example/it's/{{productSlug}}?a=b,c;d",
    }
    return Script(tmp_path, everything)


def test_gcloud_understands_every_command(script: Script) -> None:
    """Whatever the script does in an empty project, the next time, with a secret, and at the end stops only for a login."""
    first = script.calls()
    calls = [*first, *script.calls("secret", "BULK_IMPORT_API_KEY", stdin="0123456789abcdef")]
    script.there = _everything(first)
    calls += [*script.calls(), *script.calls("remove", PREFIX)]
    answers = gcloud_runs.installed().answers(list(dict.fromkeys(calls)))
    assert len(answers) > 100
    assert [(answer.words, answer.err) for answer in answers if not answer.understood] == []


def test_gcloud_would_not_understand_a_wrong_one(script: Script) -> None:
    """The check above can fail: by a flag, a number or a name that is none, a variable that is cut off, a missing flag."""
    calls = script.calls("functions", "topics", "subscriptions")
    deploy = named(calls, "functions", "deploy")[0]
    subscribe = next(call for call in named(calls, "pubsub", "subscriptions", "create") if "--max-delivery-attempts=100" in call)
    wrong = {
        _changed(deploy, "--trigger-http", "--trigger-htttp"): "unrecognized arguments: --trigger-htttp",
        _changed(deploy, "--timeout=60s", "--timeout=soon"): "argument --timeout",
        _changed(deploy, f"--set-env-vars={flag(deploy, 'set-env-vars')}", "--set-env-vars=A=1,B"): "Bad syntax for dict arg",
        _changed(subscribe, "--max-delivery-attempts=100", "--max-delivery-attempts=3"): "must be greater than or equal to 5",
        _changed(subscribe, f"--topic={PREFIX}-events", ""): "--topic",
        ("pubsub", "topics", "creat", "some-topic"): "Invalid choice: 'creat'",
        _changed(subscribe, "--min-retry-delay=10s", "--min-retry-delay=soon"): "argument --min-retry-delay",
    }
    answers = gcloud_runs.installed().answers(list(wrong))
    for answer, complaint in zip(answers, wrong.values(), strict=True):
        assert not answer.understood, answer.words
        assert NO_LOGIN not in answer.err
        assert complaint in answer.err


def test_gcloud_in_a_process_of_its_own_says_the_same(script: Script) -> None:
    """The tests start gcloud once for many commands, by a way of their own."""
    call = script.calls("functions")[-1]
    gcloud = gcloud_runs.installed()
    assert gcloud.process(call).understood
    wrong = gcloud.process((*call, "--no-such-flag"))
    assert (wrong.code, NO_LOGIN in wrong.err) == (2, False)


@IN_ONE_PROCESS
def test_topics_and_subscriptions_come_to_be_as_they_should(script: Script, google: Emulators) -> None:
    """Carried out by Pub/Sub's emulator, and a second time, which changes nothing."""
    script.config["GOOGLE_CLOUD_PROJECT"] = project = "shop-cloud-emulated"
    push = PUSH.replace(PROJECT, project)
    ((topics, subscriptions),) = _carried_out(google, project, script.calls("topics", "subscriptions"))
    assert {_short(one["name"]) for one in topics} == {f"{PREFIX}-{name}{dead}" for name in STREAMS for dead in ("", "-dead")}
    held = {
        f"{PREFIX}-{stream}-dead-hold": {"ackDeadlineSeconds": 60, "messageRetentionDuration": WEEK, "topic": f"{stream}-dead"}
        for stream in STREAMS
    }
    assert {name: one for name, one in subscriptions.items() if name.endswith("-hold")} == held
    assert {name: one for name, one in subscriptions.items() if not name.endswith("-hold")} == {
        f"{PREFIX}-events-push": _pushed("events", "realtime", "/", 120, "600s", push, dead="events-dead"),
        f"{PREFIX}-plan-push": _pushed("plan", "dispatch", "/tasks/plan", 360, "60s", push, dead="plan-dead"),
        f"{PREFIX}-work-push": _pushed("work", "worker", "/", 600, "60s", push, dead="work-dead"),
        f"{PREFIX}-plan-dead-push": _pushed("plan-dead", "dispatch", "/tasks/plan", 360, "600s", push),
        f"{PREFIX}-work-dead-push": _pushed("work-dead", "worker", "/dead", 600, "600s", push),
    }
    script.there = [_short(one["name"]) for one in topics] + list(subscriptions)
    again = script.calls("topics", "subscriptions")
    assert not any("create" in call for call in again)
    assert len([call for call in again if "update" in call]) == len(subscriptions)
    spoil = ("pubsub", "subscriptions", "update", f"{PREFIX}-work-push", "--ack-deadline=10", "--clear-dead-letter-policy")
    as_before, spoilt, mended = _carried_out(google, project, again, [spoil], again)
    assert as_before == mended == (topics, subscriptions)
    assert spoilt != mended


STREAMS = ("events", "plan", "work")


def _pushed(topic: str, function: str, path: str, ack_s: int, longest: str, push: str, dead: str = "") -> dict[str, Any]:
    url = f"https://{PREFIX}-{function}-{gcloud_runs.PROJECT_NUMBER}.europe-west1.run.app"
    policy = {"deadLetterPolicy": {"deadLetterTopic": dead, "maxDeliveryAttempts": 100}} if dead else {}
    return {
        "topic": topic,
        "ackDeadlineSeconds": ack_s,
        "messageRetentionDuration": WEEK,
        "pushConfig": {"pushEndpoint": f"{url}{path}", "oidcToken": {"serviceAccountEmail": push, "audience": url}},
        "retryPolicy": {"minimumBackoff": "10s", "maximumBackoff": longest},
        **policy,
    }


Listed = tuple[list[dict[str, Any]], dict[str, dict[str, Any]]]


def _carried_out(google: Emulators, project: str, *rounds: list[Words]) -> list[Listed]:
    """What there is after each round of calls. Grants are left out: the emulator has none."""
    lists = [("pubsub", kind, "list", "--format=json") for kind in ("topics", "subscriptions")]
    calls = [call for some in rounds for call in (*(one for one in some if {"create", "update"} & set(one)), *lists)]
    answers = gcloud_runs.installed().answers(
        calls,
        CLOUDSDK_API_ENDPOINT_OVERRIDES_PUBSUB=f"http://{google.pubsub.url}/",
        CLOUDSDK_AUTH_DISABLE_CREDENTIALS="1",
        CLOUDSDK_CORE_PROJECT=project,
    )
    assert [(answer.words, answer.err) for answer in answers if answer.code != 0] == []
    told = [json.loads(answer.out) for answer in answers if "list" in answer.words]
    return [_listed(topics, subscriptions) for topics, subscriptions in zip(told[::2], told[1::2], strict=True)]


def _listed(topics: list[dict[str, Any]], subscriptions: list[dict[str, Any]]) -> Listed:
    """Topics, and subscriptions by name, with short names of topics and without what is the same for all."""
    found = {}
    for one in subscriptions:
        assert one.pop("expirationPolicy") == {}
        one["topic"] = _short(one["topic"]).removeprefix(f"{PREFIX}-")
        if policy := one.get("deadLetterPolicy"):
            policy["deadLetterTopic"] = _short(policy["deadLetterTopic"]).removeprefix(f"{PREFIX}-")
        name = _short(one.pop("name"))
        found[name] = {field: value for field, value in one.items() if value != {}}
    return sorted(topics, key=lambda one: str(one["name"])), found


def _everything(calls: list[Words]) -> list[str]:
    """Names of all that was made, and of all service accounts, as gcloud lists them."""
    made = [word.removeprefix("gs://") for call in calls if {"create", "deploy"} & set(call) for word in call]
    return [*made, *(f"{name}@{PROJECT}.iam.gserviceaccount.com" for name in made)]


def _changed(call: Words, word: str, other: str) -> Words:
    assert word in call
    return tuple(other if one == word else one for one in call if one != word or other)


def _short(name: str) -> str:
    return name.rpartition("/")[2]
