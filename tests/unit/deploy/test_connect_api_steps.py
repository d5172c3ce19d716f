"""Every step of a deployment to Connect, with every way in which the API can answer it (decisions.md 16)."""

from __future__ import annotations

from pathlib import Path

import pytest
from connect_api_world import (
    ADDRESS,
    BROKEN_TAG,
    CONNECTOR,
    DEPLOYMENT,
    EMPTY_TAG,
    NEXT_TAG,
    QUICK,
    SOURCE_TAG,
    STAGE,
    TAG,
    World,
    make_repository,
    world,
)

DRAFT_PATH = f"/connectors/drafts/key={CONNECTOR}"
DEPLOYMENT_PATH = f"/sandbox/deployments/key={DEPLOYMENT}"


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Read by the simulated API alone."""
    return make_repository(tmp_path_factory.mktemp("repository"))


@pytest.fixture
def connect(repository: Path) -> World:
    """A project without connectors."""
    return world(repository)


def test_a_first_deployment_from_nothing(connect: World) -> None:
    """Connector created, validated, deployed: the application gets its values, the secured ones apart."""
    connect.deployed()
    [application] = connect.api.deployments.all[DEPLOYMENT]["applications"]
    standard = {pair["key"]: pair["value"] for pair in application["standardConfiguration"]}
    secured = {pair["key"]: pair["value"] for pair in application["securedConfiguration"]}
    assert application["applicationName"] == "realtime_event"
    assert secured == {name: connect.environ[name] for name in ("CT_API_CLIENT", "KLAVIYO_AUTH_KEY")}
    given = ("CT_API_URL", "CT_AUTH_URL", "CT_PROJECT_ID", "PREFERRED_LOCALE", "CONNECT_ENV")
    assert standard == {name: connect.environ[name] for name in given}
    assert connect.step("status").out.splitlines() == [
        f"staged connector {CONNECTOR} version 3: {TAG}, isPreviewable is true",
        f"deployment {DEPLOYMENT} (preview, europe-west1.gcp): {TAG} is Deployed",
    ]


def test_the_connector_is_created_for_this_project_alone(connect: World) -> None:
    """Private, in one region, with the address that commercetools may write to."""
    connect.steps((*STAGE, TAG))
    [draft] = connect.sent("POST", "/connectors/drafts")
    assert draft["privateProjects"] == ["europe-west1.gcp:sandbox"]
    assert draft["supportedRegions"] == ["europe-west1.gcp"]
    assert draft["creator"] == {"email": "ops@example.com"}
    assert draft["repository"] == {"url": ADDRESS, "tag": TAG}


def test_creating_it_needs_an_address_to_write_to(connect: World) -> None:
    """The API demands one; updating does not."""
    ended = connect.step(*STAGE, TAG, CONNECT_CREATOR_EMAIL="")
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith("CONNECT_CREATOR_EMAIL: is missing")
    connect.steps((*STAGE, TAG))
    assert connect.step(*STAGE, NEXT_TAG, CONNECT_CREATOR_EMAIL="").code == 0


def test_staging_the_same_tag_again_changes_nothing(connect: World) -> None:
    """The version stays, so that what was previewable stays so."""
    connect.previewable()
    before = len(connect.sent("POST"))
    connect.steps((*STAGE, TAG))
    assert len(connect.sent("POST")) == before


def test_another_project_and_region_are_added(connect: World) -> None:
    """What other projects have is kept."""
    connect.steps((*STAGE, TAG))
    ended = connect.step(*STAGE, NEXT_TAG, CONNECT_REGION="us-central1.gcp")
    connector = connect.api.connectors.staged[CONNECTOR]
    assert ended.code == 0
    assert connector["supportedRegions"] == ["europe-west1.gcp", "us-central1.gcp"]
    assert connector["privateProjects"] == ["europe-west1.gcp:sandbox", "us-central1.gcp:sandbox"]


@pytest.mark.parametrize(
    ("tag", "advice"),
    [
        ("v9.9.9", "connect-mu"),
        (EMPTY_TAG, "has connect.yaml at its root"),
        (BROKEN_TAG, "check connect.yaml"),
    ],
)
def test_a_tag_that_connect_cannot_use_is_refused_with_advice(connect: World, tag: str, advice: str) -> None:
    """Not pushed or not readable; without connect.yaml at its root; with a malformed one."""
    ended = connect.step(*STAGE, tag)
    assert ended.code == 1
    assert advice in ended.err


def test_a_rejected_validation_names_the_reasons(connect: World) -> None:
    """Those of the report."""
    connect.api.outcomes.preview = "rejected"
    connect.steps((*STAGE, TAG), ("request-preview",))
    ended = connect.step("wait-preview", *QUICK)
    assert ended.code == 1
    assert ended.out.splitlines() == ["0:00 isPreviewable is pending", "0:20 isPreviewable is false"]
    assert ended.err.splitlines() == [
        f"the validation of {TAG} has failed",
        "  Error: Build failed: npm run gcp-build ended with 1",
        "what to do: mend what the report names and push a new bundle; a tag of the sources lacks the application's folder, "
        "only a bundle's has it",
    ]


def test_the_tag_of_the_sources_is_rejected(connect: World) -> None:
    """It has connect.yaml at its root, but not the application's folder beside it, which only a bundle has."""
    connect.steps((*STAGE, SOURCE_TAG), ("request-preview",))
    ended = connect.step("wait-preview", *QUICK)
    assert ended.code == 1
    assert f"the tag {SOURCE_TAG} has no folder realtime_event" in ended.err
    assert "only a bundle's has it" in ended.err
    assert connect.step("deploy", "--staged").code == 1
    connect.previewable()


def test_a_rejected_tag_may_be_followed_by_another(connect: World) -> None:
    """A new tag needs a new request, and gets one."""
    connect.api.outcomes.preview = "rejected"
    connect.steps((*STAGE, TAG), ("request-preview",))
    assert connect.step("wait-preview", *QUICK).code == 1
    connect.api.outcomes.preview = "granted"
    connect.previewable(NEXT_TAG)


def test_waiting_has_an_end(connect: World) -> None:
    """A validation and a deployment that never end are told of in time, with what to do."""
    connect.api.outcomes.preview = connect.api.outcomes.deployment = "hangs"
    connect.steps((*STAGE, TAG), ("request-preview",))
    ended = connect.step("wait-preview", "--interval", "10", "--timeout", "60")
    assert ended.code == 1
    assert "not done after 60 s; it is still isPreviewable is pending" in ended.err
    assert connect.slept_s == [10.0] * 6
    connect.api.connectors.staged[CONNECTOR]["isPreviewable"] = "true"
    connect.steps(("deploy", "--staged"))
    ended = connect.step("wait-deployed", "--interval", "10", "--timeout", "60")
    assert ended.code == 1
    assert f"it is still {DEPLOYMENT} is Deploying" in ended.err
    assert "wait-deployed again" in ended.err


def test_nothing_to_wait_for_is_said_at_once(connect: World) -> None:
    """Without a request there will be no preview; a connector of another tag is the wrong one."""
    connect.steps((*STAGE, TAG))
    assert "run the step request-preview" in connect.step("wait-preview", *QUICK).err
    connect.steps(("request-preview",))
    assert f"names the tag {TAG}, not {NEXT_TAG}" in connect.step("wait-preview", "--tag", NEXT_TAG, *QUICK).err
    assert connect.slept_s == []


def test_a_request_in_progress_is_not_repeated(connect: World) -> None:
    """The API would refuse it."""
    connect.steps((*STAGE, TAG), ("request-preview",), ("request-preview",))
    actions = [body["actions"] for body in connect.sent("POST", DRAFT_PATH)]
    assert actions == [[{"action": "updatePreviewable"}]]


def test_deploying_before_the_preview_is_granted_is_refused(connect: World) -> None:
    """With the steps to take first."""
    connect.steps((*STAGE, TAG))
    ended = connect.step("deploy", "--staged")
    assert ended.code == 1
    assert "run the steps request-preview and wait-preview first" in ended.err


def test_a_failed_deployment_names_the_reasons(connect: World) -> None:
    """Those of the build's report."""
    connect.api.outcomes.deployment = "failed"
    connect.previewable()
    connect.steps(("deploy", "--staged"))
    ended = connect.step("wait-deployed", *QUICK)
    assert ended.code == 1
    assert "it has ended as Failed" in ended.err
    assert "  Error: Build failed: npm run gcp-build ended with 1" in ended.err
    assert connect.step("status").code == 1


def test_an_existing_deployment_is_redeployed_with_its_subscriptions(connect: World) -> None:
    """The API's own action: connector and values are updated, nothing is undeployed in between."""
    connect.deployed()
    connect.environ["PREFERRED_LOCALE"] = "de-DE"
    connect.previewable(NEXT_TAG)
    ended = connect.step("deploy", "--staged")
    assert ended.out == f"{DEPLOYMENT} in europe-west1.gcp: redeployed, and now Queued\n"
    connect.steps(("wait-deployed", "--tag", NEXT_TAG, *QUICK))
    [update] = connect.sent("POST", DEPLOYMENT_PATH)
    [action] = update["actions"]
    assert (action["action"], action["updateConnector"]) == ("redeploy", True)
    assert {"key": "PREFERRED_LOCALE", "value": "de-DE"} in action["configurationValues"][0]["standardConfiguration"]
    assert connect.sent("DELETE") == []


def test_a_failed_deployment_may_be_redeployed(connect: World) -> None:
    """Nobody has to remove it first."""
    connect.api.outcomes.deployment = "failed"
    connect.previewable()
    connect.steps(("deploy", "--staged"))
    assert connect.step("wait-deployed", *QUICK).code == 1
    connect.api.outcomes.deployment = "deployed"
    connect.steps(("deploy", "--staged"), ("wait-deployed", "--tag", TAG, *QUICK))


def test_a_deployment_in_progress_is_waited_for_first(connect: World) -> None:
    """The API would refuse it; which step to take is said."""
    connect.previewable()
    connect.steps(("deploy", "--staged"))
    assert "run the step wait-deployed, then this one" in connect.step("deploy", "--staged").err
    connect.steps(("wait-deployed", *QUICK), ("undeploy",))
    assert "run the step wait-undeployed, then this one" in connect.step("deploy", "--staged").err


def test_a_redeployment_that_keeps_the_old_tag_is_noticed(connect: World) -> None:
    """`Deployed` is not believed: after three looks it counts as the last word, and names the way out, which works."""
    connect.deployed()
    connect.previewable(NEXT_TAG)
    connect.api.outcomes.redeploy = "ignored"
    connect.steps(("deploy", "--staged"))
    ended = connect.step("wait-deployed", "--tag", NEXT_TAG, *QUICK)
    assert ended.code == 1
    assert f"it is up with the tag {TAG}, not {NEXT_TAG}" in ended.err
    connect.steps(("deploy", "--staged", "--replace", *QUICK), ("wait-deployed", "--tag", NEXT_TAG, *QUICK))
    assert len(connect.sent("DELETE")) == 1


def test_a_redeployment_that_is_late_to_show_its_tag_is_waited_for(connect: World) -> None:
    """One look that still sees the old tag is no last word."""
    connect.deployed()
    connect.previewable(NEXT_TAG)
    connect.api.outcomes.redeploy = "late"
    connect.steps(("deploy", "--staged"), ("wait-deployed", "--tag", NEXT_TAG, *QUICK))
    assert connect.api.deployments.all[DEPLOYMENT]["connector"]["repository"]["tag"] == NEXT_TAG


def test_waiting_for_what_is_being_taken_down_ends_at_once(connect: World) -> None:
    """It will not come up; `wait-deployed` does not wait its half hour for that."""
    connect.deployed()
    connect.api.outcomes.looks = 5
    connect.steps(("undeploy",))
    slept = len(connect.slept_s)
    ended = connect.step("wait-deployed", *QUICK)
    assert ended.code == 1
    assert ended.err.splitlines() == ["it is being taken down", "what to do: run the step wait-undeployed, then deploy again"]
    assert len(connect.slept_s) == slept


def test_nothing_is_taken_down_when_nothing_could_come_up(connect: World) -> None:
    """A tag without a preview, another region, another project, another connector: known before, and said before."""
    connect.deployed()
    replace = ("deploy", "--staged", "--replace", *QUICK)
    connect.steps((*STAGE, NEXT_TAG))
    ended = connect.step(*replace)
    assert ended.code == 1
    assert f"nothing is taken down: {NEXT_TAG} may not be deployed yet, isPreviewable is none" in ended.err
    assert "run the steps request-preview and wait-preview first" in ended.err
    connect.steps(("request-preview",))
    assert "isPreviewable is pending" in connect.step(*replace).err
    connect.steps(("wait-preview", *QUICK))
    connector = connect.api.connectors.staged[CONNECTOR]
    assert "does not support us-central1.gcp" in connect.step(*replace, CONNECT_REGION="us-central1.gcp").err
    connector["supportedRegions"] = []
    ended = connect.step(*replace, CONNECT_REGION="us-central1.gcp")
    assert f"us-central1.gcp:sandbox may not deploy the connector {CONNECTOR}" in ended.err
    other = {"CONNECT_CONNECTOR_KEY": "another", "CONNECT_DEPLOYMENT_KEY": DEPLOYMENT}
    assert connect.step(*STAGE, TAG, **other).code == 0
    assert f"is of the connector {CONNECTOR}, not another" in connect.step(*replace, **other).err
    assert connect.sent("DELETE") == []
    connect.steps(replace)
    assert len(connect.sent("DELETE")) == 1


def test_a_redeployment_of_another_kind_is_refused(connect: World) -> None:
    """It would succeed and change nothing of that: production stays a sandbox, a preview is not replaced by what is published."""
    connect.deployed()
    connect.api.connectors.publish(CONNECTOR)
    ended = connect.step("deploy", "--type", "production")
    assert ended.code == 1
    assert f"the deployment {DEPLOYMENT} is of the type preview, not production" in ended.err
    assert "run the step deploy with --replace, or set another CONNECT_ENV (and CONNECT_DEPLOYMENT_KEY, if you" in ended.err
    assert "with the same CONNECT_ENV two deployments take each other's subscriptions" in ended.err
    connect.steps(("deploy", "--type", "sandbox", "--replace", *QUICK), ("wait-deployed", *QUICK))
    connect.steps(("deploy", "--type", "sandbox"), ("wait-deployed", *QUICK))
    assert "is of the type sandbox, not production" in connect.step("deploy", "--type", "production").err
    assert "is of the type sandbox, not preview" in connect.step("deploy", "--staged").err
    ended = connect.step("deploy", "--type", "sandbox", CONNECT_REGION="us-central1.gcp")
    assert "is of the region europe-west1.gcp, not us-central1.gcp" in ended.err
    [redeployed] = connect.sent("POST", DEPLOYMENT_PATH)
    assert redeployed["actions"][0]["action"] == "redeploy"


def test_a_refused_redeployment_names_the_way_out(connect: World) -> None:
    """The API cannot take over the new connector."""
    connect.deployed()
    connect.previewable(NEXT_TAG)
    connect.api.outcomes.redeploy = "refused"
    ended = connect.step("deploy", "--staged")
    assert ended.code == 1
    assert "run the step deploy with --replace" in ended.err


def test_a_deployment_of_another_connector_is_left_alone(connect: World) -> None:
    """Two connectors with one deployment key would overwrite each other."""
    connect.deployed()
    other = {"CONNECT_CONNECTOR_KEY": "another", "CONNECT_DEPLOYMENT_KEY": DEPLOYMENT}
    for arguments in ((*STAGE, TAG), ("request-preview",), ("wait-preview", *QUICK)):
        assert connect.step(*arguments, **other).code == 0
    ended = connect.step("deploy", "--staged", **other)
    assert ended.code == 1
    assert f"is of the connector {CONNECTOR}, not another" in ended.err


def test_undeploying_and_what_is_not_there(connect: World) -> None:
    """Gone is what was wanted, whoever did it; a removal that fails is a failure."""
    connect.steps(("undeploy",), ("wait-undeployed", *QUICK))
    connect.deployed()
    connect.steps(("undeploy",), ("wait-undeployed", *QUICK))
    ended = connect.step("status")
    assert ended.code == 1
    assert f"deployment {DEPLOYMENT}: not there" in ended.out
    connect.steps(("deploy", "--staged"), ("wait-deployed", *QUICK), ("undeploy",))
    connect.api.outcomes.undeploy = "failed"
    ended = connect.step("wait-undeployed", *QUICK)
    assert ended.code == 1
    assert "could not be taken down" in ended.err


def test_a_published_connector_is_found_and_deployed(connect: World) -> None:
    """The default way: no ConnectorStaged of one's own, a deployment for trial or for production."""
    assert connect.step("search").code == 1
    connect.steps((*STAGE, TAG))
    connect.api.connectors.publish(CONNECTOR)
    ended = connect.step("search", "--text", "klaviyo")
    assert ended.out.splitlines()[0] == f"{CONNECTOR}  version 1  commercetools → Klaviyo sync"
    assert "  realtime_event: CT_API_URL, " in ended.out
    assert connect.step("search", "--text", "no such thing").code == 1
    connect.steps(("deploy", "--type", "production"), ("wait-deployed", *QUICK))
    [draft] = connect.sent("POST", "/deployments")
    assert (draft["type"], draft["connector"]) == ("production", {"key": CONNECTOR, "version": 1})


def test_the_search_shows_all_of_many_connectors(connect: World) -> None:
    """The API gives 20 unless it is asked for more, and 500 at most."""
    connect.steps((*STAGE, TAG))
    connect.api.connectors.publish(CONNECTOR)
    published = connect.api.connectors.published
    published |= {key: {**published[CONNECTOR], "key": key} for key in (f"other-{number}" for number in range(24))}
    ended = connect.step("search")
    assert len([line for line in ended.out.splitlines() if not line.startswith(" ")]) == 25


def test_only_the_tag_that_is_named_is_deployed(connect: World) -> None:
    """Somebody else's run may have brought the connector to theirs meanwhile: nothing is sent then, nor taken down."""
    connect.deployed()
    connect.previewable(NEXT_TAG)
    before = len(connect.sent("POST"))
    for more in ((), ("--replace", *QUICK), ("--print",)):
        ended = connect.step("deploy", "--staged", "--tag", TAG, *more)
        assert ended.code == 1
        assert f"the staged connector {CONNECTOR} names the tag {NEXT_TAG}, not {TAG}" in ended.err
        assert "run the steps stage-connector, request-preview and wait-preview, then this one" in ended.err
    assert len(connect.sent("POST")) == before
    assert connect.sent("DELETE") == []
    connect.steps(("deploy", "--staged", "--tag", NEXT_TAG), ("wait-deployed", "--tag", NEXT_TAG, *QUICK))


def test_a_connector_that_is_not_yet_published_with_the_tag_is_not_deployed(connect: World) -> None:
    """Publishing takes time, until which the older one is there."""
    connect.previewable()
    connect.api.connectors.publish(CONNECTOR)
    connect.previewable(NEXT_TAG)
    ended = connect.step("deploy", "--type", "production", "--tag", NEXT_TAG)
    assert ended.code == 1
    assert f"the published connector {CONNECTOR} names the tag {TAG}, not {NEXT_TAG}" in ended.err
    assert "wait until the step status shows the published connector with that tag" in ended.err
    assert connect.sent("POST", "/deployments") == []
    connect.api.connectors.publish(CONNECTOR)
    connect.steps(("deploy", "--type", "production", "--tag", NEXT_TAG), ("wait-deployed", "--tag", NEXT_TAG, *QUICK))


@pytest.mark.parametrize("retag", ["ends", "stays"])
def test_a_validation_in_progress_is_not_taken_for_another_tags(connect: World, retag: str) -> None:
    """Whatever becomes of it when the tag changes, it is waited for first; the same tag may be staged again."""
    connect.api.outcomes.retag = retag
    connect.steps((*STAGE, TAG), ("request-preview",))
    ended = connect.step(*STAGE, NEXT_TAG)
    assert ended.code == 1
    assert f"the validation of {TAG} is in progress, and its result would be taken for that of {NEXT_TAG}" in ended.err
    assert "run the step wait-preview first" in ended.err
    connect.steps((*STAGE, TAG), ("wait-preview", "--tag", TAG, *QUICK))
    connect.previewable(NEXT_TAG)
    actions = [action["action"] for body in connect.sent("POST", DRAFT_PATH) for action in body["actions"]]
    assert actions == ["updatePreviewable", "setRepository", "updatePreviewable"]


def test_a_value_that_a_redeployment_keeps_is_noticed(connect: World) -> None:
    """A setting that somebody has taken away would go on being in force; the way out that is named works."""
    connect.environ["NODE_CONFIG"] = '{"product": {"unpublished": "hide"}}'
    connect.deployed()
    connect.environ["NODE_CONFIG"] = ""
    connect.environ["PREFERRED_LOCALE"] = "de-DE"
    connect.api.outcomes.values = "merged"
    connect.steps(("deploy", "--staged"))
    ended = connect.step("wait-deployed", *QUICK)
    assert ended.code == 1
    assert "it is up, but has values that are not set here: NODE_CONFIG" in ended.err
    assert "run deploy with --replace, then this one" in ended.err
    connect.steps(("deploy", "--staged", "--replace", *QUICK), ("wait-deployed", *QUICK))
    connect.api.outcomes.values = "replaced"
    connect.environ["PREFERRED_LOCALE"] = ""
    connect.steps(("deploy", "--staged"), ("wait-deployed", *QUICK))


def test_a_default_that_connect_fills_in_is_no_value_that_was_kept(connect: World) -> None:
    """Nor is the document under its other name, or an empty text."""
    connect.environ["SYNC_CONFIG"] = "{}"
    connect.deployed()
    [application] = connect.api.deployments.all[DEPLOYMENT]["applications"]
    application["standardConfiguration"] += [{"key": "LOG_LEVEL", "value": "INFO"}, {"key": "CT_SCOPES", "value": ""}]
    connect.steps(("wait-deployed", *QUICK))
    application["standardConfiguration"] += [{"key": "LOG_LEVEL", "value": "DEBUG"}]
    assert "not set here: LOG_LEVEL" in connect.step("wait-deployed", *QUICK).err


def test_a_connector_without_a_version_is_told_with_what_to_do(connect: World) -> None:
    """It would be an answer of something else."""
    connect.steps((*STAGE, TAG))
    del connect.api.connectors.staged[CONNECTOR]["version"]
    ended = connect.step("request-preview")
    assert ended.code == 1
    assert f"the connector {CONNECTOR} has no version\nwhat to do: check CONNECT_API_URL" in ended.err


def test_what_would_be_deployed_can_be_looked_at(connect: World) -> None:
    """Nothing is sent, and the secured values are not shown."""
    connect.previewable()
    ended = connect.step("deploy", "--staged", "--print")
    assert connect.sent("POST", "/deployments") == []
    assert '"version": 3' in ended.out
    assert '"value": "***"' in ended.out


def test_somebody_elses_change_is_taken_into_account(connect: World) -> None:
    """A version conflict is read again and tried again, three times in all."""
    connect.steps((*STAGE, TAG))
    connect.fail(409, code="ConcurrentModification", method="POST", path=DRAFT_PATH, times=2)
    connect.steps((*STAGE, NEXT_TAG))
    connect.fail(409, code="ConcurrentModification", method="POST", path=DRAFT_PATH, times=3)
    ended = connect.step("request-preview")
    assert ended.code == 1
    assert "somebody else changes the same thing" in ended.err


@pytest.mark.parametrize(
    ("path", "arguments"),
    [
        ("/connectors/drafts", (*STAGE, TAG)),
        (DRAFT_PATH, (*STAGE, NEXT_TAG)),
        (DRAFT_PATH, ("request-preview",)),
        ("/sandbox/deployments", ("deploy", "--staged")),
        (DEPLOYMENT_PATH, ("deploy", "--staged")),
    ],
)
def test_a_lost_answer_does_no_harm(connect: World, path: str, arguments: tuple[str, ...]) -> None:
    """The request has taken effect, its answer was a 502: the second try finds that out and is content."""
    if path != "/connectors/drafts":
        connect.deployed() if path == DEPLOYMENT_PATH else connect.previewable()
    connect.fail(502, method="POST", path=path, after=True)
    before = len(connect.sent("POST", path))
    assert connect.step(*arguments).code == 0
    assert not connect.api.faults[-1].times
    assert len(connect.sent("POST", path)) == before + 2
