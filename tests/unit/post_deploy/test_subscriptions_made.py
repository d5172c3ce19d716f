"""The subscriptions are made, verified and removed at the simulated commercetools, over real connections on loopback."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from subscription_samples import SNS, TOPIC, wanted_of

from post_deploy.bringing import Project, Report, brought, compared, removed
from post_deploy.destinations import PubSubTopic
from post_deploy.probe import KEY, probed
from post_deploy.wanted import Wanted, nothing_wanted
from shared.budget import budget_of
from shared.commercetools.client import open_commercetools
from shared.commercetools.dead_letters import CONTAINER

pytestmark = pytest.mark.xdist_group("subscriptions")  # one simulator for all of them

ORDER, PRODUCT = "connect-connect_dev-order", "connect-connect_dev-product"
PATH = "/sandbox/subscriptions"
ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """The address of a simulated project without any resources."""
    command = [sys.executable, "-m", "sandbox.commercetools", "--port", "0", "--customers", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield process.stdout.readline().removeprefix("listening on ").strip()
        process.terminate()


class Shop:
    """The simulated project: what a person sees and does there, and its faults."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._control = httpx.Client(base_url=f"{url}/_sandbox", trust_env=False)
        self._control.delete("/faults").raise_for_status()
        self._control.post("/reset").raise_for_status()
        granted = httpx.post(
            f"{url}/oauth/token",
            data={"grant_type": "client_credentials"},
            auth=("sandbox-client", "sandbox-secret"),
            trust_env=False,
        )
        self._api = httpx.Client(
            base_url=f"{url}/sandbox", headers={"Authorization": f"Bearer {granted.json()['access_token']}"}, trust_env=False
        )
        self._projects: list[Project] = []

    def project(self, *, each_s: float = 20.0, secret: str = "sandbox-secret", scopes: tuple[str, ...] = ()) -> Project:
        """What the scripts know of it."""
        connection = open_commercetools(
            api_url=self.url, auth_url=self.url, project_id="sandbox", client_id="sandbox-client", secret=secret, scopes=scopes
        )
        self._projects.append(Project("sandbox", connection, lambda: budget_of(each_s), rng=lambda: 0.0))
        return self._projects[-1]

    def held(self) -> dict[str, dict[str, Any]]:
        """All subscriptions by key."""
        found = self._api.get("/subscriptions", params={"limit": 500}).raise_for_status().json()["results"]
        return {one["key"]: one for one in found}

    def change(self, key: str, *actions: dict[str, Any]) -> None:
        """Somebody changes a subscription."""
        body = {"version": self.held()[key]["version"], "actions": actions}
        self._api.post(f"/subscriptions/key={key}", json=body).raise_for_status()

    def suffer(self, key: str, status: str) -> None:
        """Deliveries of a subscription fail."""
        self._control.patch(f"/subscriptions/{key}", json={"status": status}).raise_for_status()

    def fail(self, *rules: dict[str, Any]) -> None:
        """Faults from now on."""
        self._control.post("/faults", json=list(rules)).raise_for_status()

    def written(self) -> int:
        """How many requests were made that may write, but for tokens."""
        seen = self._control.get("/requests").json()["requests"]
        return sum(one["count"] for one in seen if one["method"] != "GET" and "oauth" not in one["endpoint"])

    def dead_letters(self) -> list[dict[str, Any]]:
        """What stands in the container of dead letters."""
        found: list[dict[str, Any]] = self._api.get(f"/custom-objects/{CONTAINER}").raise_for_status().json()["results"]
        return found

    def close(self) -> None:
        """End all connections."""
        for project in self._projects:
            project.connection.close()
        self._control.close()
        self._api.close()


@pytest.fixture
def shop(url: str) -> Iterator[Shop]:
    """A project without subscriptions."""
    shop = Shop(url)
    yield shop
    shop.close()


def _texts(reports: Iterator[Report]) -> dict[str, str]:
    return {report.key: report.text for report in reports}


def _bodies() -> dict[str, Any]:
    return {
        one.key: {
            "messages": [{"resourceTypeId": one.resource_type, "types": list(one.messages)}] if one.messages else [],
            "changes": [{"resourceTypeId": one.resource_type}] if one.changes else [],
            "destination": {"type": "GoogleCloudPubSub", "projectId": "cloud-1", "topic": "notifications"},
            "format": {"type": "Platform"},
            "status": "Healthy",
        }
        for one in wanted_of().values()
        if one
    }


def _held(shop: Shop) -> dict[str, Any]:
    names = ("messages", "changes", "destination", "format", "status")
    return {key: {name: one[name] for name in names} for key, one in shop.held().items()}


def test_all_are_created_and_then_left_alone(shop: Shop) -> None:
    """Case 98, Case 99: as wanted, word for word; a second time nothing is written."""
    project = shop.project()
    assert _texts(brought(project, wanted_of())) == dict.fromkeys(wanted_of(), "created")
    assert _held(shop) == _bodies()
    written = shop.written()
    again = list(brought(project, wanted_of()))
    assert {report.text for report in again} == {"unchanged"}
    assert all(report.as_wanted for report in again)
    assert shop.written() == written == 6


def test_what_somebody_changed_is_changed_back(shop: Shop) -> None:
    """Case 99: only that, in one update; a subscription of somebody else stays as it is."""
    project = shop.project()
    list(brought(project, wanted_of()))
    shop.change(
        ORDER, {"action": "setMessages", "messages": [{"resourceTypeId": "order", "types": ["OrderCreated", "OrderDeleted"]}]}
    )
    shop.change(
        PRODUCT,
        {"action": "setChanges", "changes": [{"resourceTypeId": "recurring-order"}]},  # younger than the SDK's list
        {"action": "setMessages", "messages": [{"resourceTypeId": "shopping-list"}]},
    )
    versions = {key: one["version"] for key, one in shop.held().items()}
    found = _texts(brought(project, wanted_of()))
    assert _held(shop) == _bodies()
    assert found.pop(ORDER).startswith("updated (messages +OrderImported +")
    assert found.pop(PRODUCT) == (
        "updated (messages -all of shopping-list +ProductPublished +ProductUnpublished, changes +product -recurring-order)"
    )
    assert set(found.values()) == {"unchanged"}
    actions = {key: one["version"] - versions[key] for key, one in shop.held().items() if one["version"] != versions[key]}
    assert actions == {ORDER: 1, PRODUCT: 2}


def test_another_destination_moves_all_of_them(shop: Shop) -> None:
    """To SNS, which commercetools reaches through IAM, and back."""
    project = shop.project()
    list(brought(project, wanted_of()))
    moved = _texts(brought(project, wanted_of(destination=SNS)))
    assert set(moved.values()) == {f"updated (destination {TOPIC} -> {SNS})"}
    assert [one["destination"] for one in shop.held().values()] == [
        {"type": "SNS", "topicArn": SNS.arn, "authenticationMode": "IAM"}
    ] * 6
    assert all(report.as_wanted for report in brought(project, wanted_of()))
    assert _held(shop) == _bodies()


def test_what_is_wholly_disabled_is_removed(shop: Shop) -> None:
    """Only the one of that resource; disabled from the beginning it is never made."""
    project = shop.project()
    list(brought(project, wanted_of()))
    found = _texts(brought(project, wanted_of("OrderRefunded")))
    assert found.pop("connect-connect_dev-payment") == "removed"
    assert set(found.values()) == {"unchanged"}
    assert _texts(brought(project, wanted_of("OrderRefunded")))["connect-connect_dev-payment"] == "not there"
    assert "connect-connect_dev-payment" not in shop.held()


def test_removing_takes_ours_only_and_may_be_repeated(shop: Shop) -> None:
    """Case 101: those of another environment stay; what is gone is no failure."""
    project = shop.project()
    list(brought(project, wanted_of()))
    list(brought(project, wanted_of(env="connect_prod")))
    assert set(_texts(removed(project, "", None)).values()) == {"removed"}
    assert shop.held().keys() == wanted_of(env="connect_prod").keys()
    again = list(removed(project, "", None))
    assert {report.text for report in again} == {"not there"}
    assert all(report.as_wanted for report in again)


def test_what_another_deployment_has_taken_over_is_not_removed(shop: Shop) -> None:
    """It delivers elsewhere by now, which is no failure; where no destination is known, all are removed."""
    project = shop.project()
    list(brought(project, wanted_of()))
    taken = wanted_of(destination=SNS)
    list(brought(project, {key: taken[key] for key in (ORDER, PRODUCT)}))
    found = list(removed(project, "", TOPIC))
    assert all(report.as_wanted for report in found)
    assert {report.key for report in found if report.text == f"left: it delivers to {SNS}"} == {ORDER, PRODUCT}
    assert [report.text for report in found].count("removed") == 4
    assert shop.held().keys() == {ORDER, PRODUCT}
    assert set(_texts(removed(project, "", None)).values()) == {"removed", "not there"}
    assert shop.held() == {}


def test_a_comparison_without_a_destination_shows_the_one_there_is(shop: Shop) -> None:
    """It is no difference; everything else still is, and so is delivery that has stopped."""
    project = shop.project()
    list(brought(project, wanted_of()))
    list(brought(project, {PRODUCT: wanted_of(destination=SNS)[PRODUCT]}))
    found = list(compared(project, wanted_of(destination=None)))
    assert all(report.as_wanted for report in found)
    assert {report.text for report in found if report.key != PRODUCT} == {f"as wanted (delivers to {TOPIC})"}
    assert {report.text for report in found if report.key == PRODUCT} == {f"as wanted (delivers to {SNS})"}
    shop.change(PRODUCT, {"action": "setChanges"})
    shop.suffer(ORDER, "ConfigurationErrorDeliveryStopped")
    differing = {report.key: report for report in compared(project, wanted_of(destination=None)) if not report.as_wanted}
    assert differing.pop(PRODUCT).text == f"differs: changes +product (delivers to {SNS})"
    stopped = differing.pop(ORDER)
    assert stopped.text == f"as wanted (delivers to {TOPIC}), but its status is ConfigurationErrorDeliveryStopped"
    assert stopped.next_step.startswith(f"the {TOPIC} must exist; let serviceAccount:")
    assert differing == {}


def test_a_comparison_writes_nothing(shop: Shop) -> None:
    """It says what is missing, what differs and what is not wanted."""
    project = shop.project()
    assert set(_texts(compared(project, wanted_of())).values()) == {"missing"}
    list(brought(project, wanted_of()))
    shop.change(PRODUCT, {"action": "setChanges"})
    written = shop.written()
    found = list(compared(project, wanted_of("OrderRefunded")))
    assert [str(report) for report in found if not report.as_wanted] == [
        "connect-connect_dev-payment: not wanted",
        f"{PRODUCT}: differs: changes +product",
    ]
    assert {report.text for report in found if report.as_wanted} == {"as wanted"}
    assert shop.written() == written


@pytest.mark.parametrize(("method", "times"), [("POST", 2), ("DELETE", 1)])
def test_a_version_conflict_is_met_by_reading_again(shop: Shop, method: str, times: int) -> None:
    """Somebody wrote between the reading and the writing."""
    project = shop.project()
    list(brought(project, wanted_of()))
    shop.change(ORDER, {"action": "setChanges", "changes": [{"resourceTypeId": "order"}]})
    shop.fail({"kind": "status", "method": method, "path": f"{PATH}/key={ORDER}", "status": 409, "first": times})
    found = list(brought(project, wanted_of() if method == "POST" else nothing_wanted("")))
    assert all(report.as_wanted for report in found)
    assert (ORDER in shop.held()) is (method == "POST")
    assert {"POST": "updated (changes -order)", "DELETE": "removed"}[method] in {report.text for report in found}


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "status", "status": 429, "retry_after": "1"},
        {"kind": "status", "status": 503},
        {"kind": "status", "status": 502, "body": "html"},
        {"kind": "reset"},
        {"kind": "truncate"},
    ],
    ids=lambda fault: f"{fault['kind']}-{fault.get('status', '')}",
)
def test_a_failure_that_passes_costs_a_retry(shop: Shop, fault: dict[str, Any]) -> None:
    """Of a reading and of a writing; nothing is made twice."""
    shop.fail({**fault, "path": PATH, "method": "GET", "first": 1}, {**fault, "path": PATH, "method": "POST", "first": 1})
    found = list(brought(shop.project(), wanted_of()))
    assert all(report.as_wanted for report in found)
    assert _held(shop) == _bodies()


def test_a_lost_answer_is_found_out(shop: Shop) -> None:
    """It was made, and the second try is refused for its key; it was changed or removed, and the second try is too late."""
    project = shop.project()
    shop.fail({"kind": "lost", "path": PATH, "method": "POST", "first": 1})
    first, *others = brought(project, wanted_of())
    assert str(first) == "connect-connect_dev-customer: as wanted now"
    assert {report.text for report in others} == {"created"}
    shop.change(ORDER, {"action": "setChanges", "changes": [{"resourceTypeId": "order"}]})
    shop.fail(
        {"kind": "lost", "path": PATH, "method": "POST", "first": 1},
        {"kind": "lost", "path": PATH, "method": "DELETE", "first": 1},
    )
    assert _texts(brought(project, wanted_of()))[ORDER] == "as wanted now"
    assert all(report.as_wanted for report in brought(project, nothing_wanted("")))
    assert shop.held() == {}


def test_one_that_is_refused_does_not_stop_the_others(shop: Shop) -> None:
    """Case 100: it is named, with the code and what to do."""
    shop.fail({"kind": "status", "method": "POST", "path": PATH, "status": 400, "skip": 1, "first": 1})
    found = {report.key: report for report in brought(shop.project(), wanted_of())}
    assert shop.held().keys() == wanted_of().keys() - {ORDER}
    refused = found.pop(ORDER)
    assert refused.text == "FAILED: commercetools answered 400 (InvalidInput)"
    assert refused.next_step == (
        "most likely it cannot deliver: the Pub/Sub topic notifications of project cloud-1 must exist; "
        "let serviceAccount:subscriptions@commercetools-platform.iam.gserviceaccount.com publish to it (roles/pubsub.publisher), "
        "and run it again"
    )
    assert all(report.as_wanted for report in found.values())


def test_one_that_hangs_has_its_time_and_no_more(shop: Shop) -> None:
    """The others are made all the same."""
    shop.fail({"kind": "hang", "path": f"{PATH}/key={ORDER}", "seconds": 30})
    found = {report.key: report for report in brought(shop.project(each_s=0.6), wanted_of())}
    assert found.pop(ORDER).as_wanted is False
    assert all(report.as_wanted for report in found.values())


def test_one_that_somebody_keeps_changing_is_given_up(shop: Shop) -> None:
    """Within its time, naming what differs."""
    shop.fail({"kind": "status", "method": "POST", "path": PATH, "status": 409})
    (found,) = brought(shop.project(each_s=0.6), {ORDER: wanted_of()[ORDER]})
    assert found.text.startswith("FAILED: after 2 tries it is not as wanted (missing)")
    assert (found.as_wanted, found.next_step) == (False, "run it again")


def test_what_the_sdk_refuses_does_not_stop_the_others(shop: Shop) -> None:
    """A type of resource that it does not know: its own text, which may quote what was sent, is not shown."""
    wanted = wanted_of()
    weather = Wanted("connect-connect_dev-weather", "weather", ("WeatherChanged",), False, TOPIC)
    first, *others = brought(shop.project(), {weather.key: weather, **wanted})
    assert str(first) == f"{weather.key}: FAILED: ValueError in the commercetools SDK; run it again"
    assert all(report.as_wanted for report in others)


def test_the_limit_of_the_project_is_named(shop: Shop) -> None:
    """Fifty subscriptions, of whoever."""
    for number in range(9):
        list(brought(shop.project(), wanted_of(env=f"other-{number}", destination=PubSubTopic("cloud-1", "elsewhere"))))
    (found,) = [report for report in brought(shop.project(), {ORDER: wanted_of()[ORDER], PRODUCT: None}) if not report.as_wanted]
    assert "MaxResourceLimitExceeded" in found.text
    assert found.next_step.startswith("the project has all of its 50 subscriptions")


@pytest.mark.parametrize(
    ("status", "next_step", "fails"),
    [
        ("ConfigurationError", "the Pub/Sub topic notifications of project cloud-1 must exist; let serviceAccount:", True),
        ("TemporaryError", "commercetools says that it will pass", False),
        ("ManuallySuspended", "ask the support of commercetools", True),
    ],
)
def test_one_that_does_not_deliver_is_a_failure(shop: Shop, status: str, next_step: str, fails: bool) -> None:
    """Though it is as wanted: nothing is written, to bring and to compare say so; what will pass fails only the latter."""
    project = shop.project()
    list(brought(project, wanted_of()))
    shop.suffer(ORDER, status)
    for found, text, as_wanted in (
        (brought(project, wanted_of()), "unchanged", not fails),
        (compared(project, wanted_of()), "as wanted", False),
    ):
        (failed,) = [report for report in found if report.next_step]
        assert (failed.key, failed.text, failed.as_wanted) == (ORDER, f"{text}, but its status is {status}", as_wanted)
        assert failed.next_step.startswith(next_step)
    assert shop.written() == 6


def test_delivery_that_has_stopped_is_resumed(shop: Shop) -> None:
    """By naming its destination again, as the API asks for."""
    project = shop.project()
    list(brought(project, wanted_of()))
    shop.suffer(ORDER, "ConfigurationErrorDeliveryStopped")
    assert _texts(compared(project, wanted_of()))[ORDER] == "differs: delivery stopped -> resumed"
    found = _texts(brought(project, wanted_of()))
    assert found[ORDER] == "updated (delivery stopped -> resumed)"
    assert shop.held()[ORDER]["status"] == "Healthy"


def test_a_missing_scope_for_subscriptions_is_named(shop: Shop) -> None:
    """For each of them."""
    found = list(brought(shop.project(scopes=("manage_key_value_documents:sandbox",)), wanted_of()))
    assert {report.next_step for report in found} == {
        "give the API client the scope manage_subscriptions:sandbox (in CT_SCOPES too, if that is set) and run it again"
    }
    assert len([report for report in found if "answered 403" in report.text]) == 6


def test_refused_credentials_end_it_at_once(shop: Shop) -> None:
    """Nothing else could succeed; no secret is shown."""
    first, *others = brought(shop.project(secret="wrong-secret"), wanted_of())
    assert "check the credentials, CT_API_CLIENT and CT_AUTH_URL (invalid_client)" in first.text
    assert {report.text for report in others} == {"not tried, because commercetools refuses the credentials"}
    assert "wrong-secret" not in f"{first} {others}"


def test_dead_letters_can_be_written(shop: Shop) -> None:
    """An object is written and removed; one that was left over does not matter."""
    project = shop.project()
    assert str(probed(project)) == "dead letters: can be written"
    assert shop.dead_letters() == []
    shop.fail({"kind": "status", "method": "DELETE", "path": "/sandbox/custom-objects", "status": 400, "first": 1})
    assert not probed(project).as_wanted
    assert [one["key"] for one in shop.dead_letters()] == [KEY]
    assert probed(project).as_wanted
    assert shop.dead_letters() == []


def test_a_missing_scope_for_dead_letters_is_named(shop: Shop) -> None:
    """Before the first of them is lost."""
    found = probed(shop.project(scopes=("manage_subscriptions:sandbox",)))
    assert not found.as_wanted
    assert found.next_step.startswith("give the API client the scope manage_key_value_documents:sandbox")


def test_dead_letters_whose_host_hangs_are_given_up(shop: Shop) -> None:
    """Within the time of one subscription."""
    shop.fail({"kind": "hang", "path": "/sandbox/custom-objects", "seconds": 30})
    assert not probed(shop.project(each_s=0.4)).as_wanted


class Scripts:
    """The deployment scripts as processes, in a folder without any settings."""

    def __init__(self, shop: Shop, folder: Path) -> None:
        self.folder = folder
        self.environ = {
            "PYTHONPATH": str(ROOT),
            "CT_API_URL": shop.url,
            "CT_AUTH_URL": shop.url,
            "CT_PROJECT_ID": "sandbox",
            "CT_API_CLIENT": json.dumps({"clientId": "sandbox-client", "secret": "sandbox-secret"}),
            "KLAVIYO_AUTH_KEY": "pk_sandbox_0123456789",
        }

    def run(self, *arguments: str, **environ: str) -> tuple[int, str, str]:
        """The exit code and what was said on both outputs."""
        command = [sys.executable, "-m", *arguments]
        ended = subprocess.run(
            command, env={**self.environ, **environ}, cwd=self.folder, capture_output=True, text=True, timeout=60, check=False
        )
        assert "secret" not in ended.stdout + ended.stderr
        assert "pk_sandbox" not in ended.stdout + ended.stderr
        return ended.returncode, ended.stdout, ended.stderr


@pytest.fixture
def scripts(shop: Shop, tmp_path: Path) -> Scripts:
    """With the settings of the simulated project, but no destination."""
    return Scripts(shop, tmp_path)


def test_the_scripts_make_and_remove_all(shop: Shop, scripts: Scripts) -> None:
    """A line for each subscription and one for the dead letters; settings also from `.env`.

    Removing leaves what has been moved to another topic, and asks only for the settings that it needs.
    """
    (scripts.folder / ".env").write_text("CONNECT_GCP_TOPIC_NAME=notifications\nCONNECT_GCP_PROJECT_ID=cloud-1\n")
    code, said, complaints = scripts.run("post_deploy", CONNECT_ENV="connect_prod")
    keys = list(wanted_of(env="connect_prod"))
    assert (code, complaints) == (0, "")
    assert said.splitlines() == ["dead letters: can be written", *(f"{key}: created" for key in keys)]
    moved = {"type": "GoogleCloudPubSub", "projectId": "cloud-1", "topic": "newer"}
    shop.change(keys[1], {"action": "changeDestination", "destination": moved})
    scripts.environ.pop("KLAVIYO_AUTH_KEY")
    code, said, complaints = scripts.run(
        "post_deploy.pre_undeploy", CONNECT_ENV="connect_prod", NODE_CONFIG="{", PREFERRED_CURRENCY="euros"
    )
    ends = dict.fromkeys(keys, "removed") | {keys[1]: "left: it delivers to Pub/Sub topic newer of project cloud-1"}
    assert (code, said.splitlines(), complaints) == (0, [f"{key}: {end}" for key, end in ends.items()], "")
    assert shop.held().keys() == {keys[1]}


def test_the_scripts_fail_when_anything_does(shop: Shop, scripts: Scripts) -> None:
    """Case 100: what failed is named on standard error, what went well on standard output; to compare takes no destination."""
    shop.fail({"kind": "status", "method": "POST", "path": PATH, "status": 400, "first": 1})
    code, said, complaints = scripts.run("post_deploy", CONNECT_AWS_TOPIC_ARN=SNS.arn)
    assert code == 1
    assert len(said.splitlines()) == 6
    assert complaints.startswith("connect-connect_dev-customer: FAILED: commercetools answered 400 (InvalidInput); ")
    code, said, complaints = scripts.run("post_deploy", "--check")
    assert (code, complaints) == (1, "connect-connect_dev-customer: missing\n")
    assert [line.partition(": ")[2] for line in said.splitlines()] == [f"as wanted (delivers to {SNS})"] * 5


def test_without_dead_letters_no_subscription_is_touched(shop: Shop, scripts: Scripts) -> None:
    """What a new deployment could lose must not be delivered to it: each goes on delivering to where it did, and is named."""
    list(brought(shop.project(), wanted_of()))
    before = shop.held()
    code, said, complaints = scripts.run("post_deploy", CONNECT_AWS_TOPIC_ARN=SNS.arn, CT_SCOPES="manage_subscriptions:sandbox")
    assert (code, said) == (1, "")
    first, *others = complaints.splitlines()
    assert first.startswith("dead letters: FAILED: they cannot be written")
    assert "the scope manage_key_value_documents:sandbox" in first
    assert others == [f"{key}: not tried, because dead letters cannot be written" for key in wanted_of()]
    assert shop.held() == before


def test_what_passes_by_itself_is_told_and_fails_no_deployment(shop: Shop, scripts: Scripts) -> None:
    """A comparison does fail: it is asked how things stand."""
    list(brought(shop.project(), wanted_of(destination=SNS)))
    shop.suffer(ORDER, "TemporaryError")
    told = f"{ORDER}: unchanged, but its status is TemporaryError; commercetools says that it will pass"
    code, said, complaints = scripts.run("post_deploy", CONNECT_AWS_TOPIC_ARN=SNS.arn)
    assert (code, len(said.splitlines())) == (0, 6)
    assert complaints.startswith(told)
    assert scripts.run("post_deploy", "--check", CONNECT_AWS_TOPIC_ARN=SNS.arn)[0] == 1


def test_the_scripts_name_every_missing_setting(scripts: Scripts) -> None:
    """Before anything is asked of commercetools; a destination that is begun must be complete, also to compare."""
    scripts.environ.pop("CT_PROJECT_ID")
    code, said, complaints = scripts.run("post_deploy")
    assert (code, said) == (2, "")
    names = [line.partition(":")[0] for line in complaints.splitlines()]
    assert names == ["CT_PROJECT_ID", "CONNECT_SUBSCRIPTION_DESTINATION"]
    code, said, complaints = scripts.run("post_deploy", "--check", CONNECT_SUBSCRIPTION_DESTINATION="GoogleCloudPubSub")
    assert (code, said) == (2, "")
    assert [line.partition(":")[0] for line in complaints.splitlines()] == [
        "CT_PROJECT_ID",
        "CONNECT_GCP_TOPIC_NAME",
        "CONNECT_GCP_PROJECT_ID",
    ]


def test_the_sdk_is_loaded_only_to_write() -> None:
    """It takes a third of a second; help, a comparison and a run that finds everything in place go without."""
    loaded = "import sys, post_deploy.command, post_deploy.bringing, post_deploy.probe; print('commercetools' in sys.modules)"
    ended = subprocess.run([sys.executable, "-c", loaded], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    assert ended.stdout == "False\n"
