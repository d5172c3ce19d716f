"""Where to deliver: what the deployment scripts need of the settings, and that every missing variable is named."""

from __future__ import annotations

import pytest

from shared.errors import ConfigError
from shared.settings import SubscriptionDestination, load, load_removal

REQUIRED = {
    "CT_API_URL": "https://api.example.com",
    "CT_AUTH_URL": "https://auth.example.com",
    "CT_PROJECT_ID": "shop-1",
    "CT_API_CLIENT": '{"clientId": "client", "secret": "secret"}',
    "KLAVIYO_AUTH_KEY": "pk_test",
}
KIND, TOPIC, PROJECT, ARN = (
    "CONNECT_SUBSCRIPTION_DESTINATION",
    "CONNECT_GCP_TOPIC_NAME",
    "CONNECT_GCP_PROJECT_ID",
    "CONNECT_AWS_TOPIC_ARN",
)
SNS_ARN = "arn:aws:sns:eu-central-1:123456789012:t"


def _problems(environ: dict[str, str]) -> list[tuple[str, str]]:
    with pytest.raises(ConfigError) as refused:
        load(environ, destination_needed=True)
    return [(problem.field, problem.message) for problem in refused.value.problems]


@pytest.mark.parametrize(
    ("given", "names"),
    [
        ({}, [KIND]),
        ({KIND: "GoogleCloudPubSub"}, [TOPIC, PROJECT]),
        ({KIND: "GoogleCloudPubSub", ARN: SNS_ARN}, [TOPIC, PROJECT]),
        ({KIND: "SNS", TOPIC: "notices", PROJECT: "cloud-1"}, [ARN]),
        ({TOPIC: "notices"}, [PROJECT]),
        ({PROJECT: "cloud-1"}, [TOPIC]),
        ({TOPIC: "notices", PROJECT: "cloud-1", ARN: SNS_ARN}, [KIND]),
        ({KIND: "SNS", ARN: "notifications"}, [ARN]),
        ({TOPIC: "projects/cloud-1/topics/t", PROJECT: "cloud-1"}, [TOPIC]),
        ({KIND: "Pigeon"}, [KIND]),
    ],
)
def test_what_is_missing_or_malformed_is_named(given: dict[str, str], names: list[str]) -> None:
    """Each variable once."""
    assert [name for name, _ in _problems({**REQUIRED, **given})] == names


def test_missing_destinations_are_reported_with_everything_else() -> None:
    """One run shows all that is to be done, and no value."""
    found = _problems({name: value for name, value in REQUIRED.items() if name != "CT_API_URL"} | {KIND: "GoogleCloudPubSub"})
    assert [name for name, _ in found] == ["CT_API_URL", TOPIC, PROJECT]
    assert found[1][1] == (
        "is missing; set it to the name of a Pub/Sub topic, without its project, which the destination GoogleCloudPubSub needs"
    )


@pytest.mark.parametrize(
    ("given", "destination"),
    [
        ({TOPIC: "notices", PROJECT: "cloud-1"}, SubscriptionDestination.GOOGLE_PUBSUB),
        ({ARN: SNS_ARN}, SubscriptionDestination.SNS),
        ({KIND: "SNS", ARN: SNS_ARN, TOPIC: "notices", PROJECT: "cloud-1"}, SubscriptionDestination.SNS),
    ],
)
def test_the_topic_says_which_cloud_it_is(given: dict[str, str], destination: SubscriptionDestination) -> None:
    """Where only one is given, nobody has to name the destination; a name that is given counts."""
    assert load({**REQUIRED, **given}, destination_needed=True).connect.destination is destination


def test_nobody_else_needs_a_destination() -> None:
    """The functions start without one, and with whatever a platform sets."""
    assert load(REQUIRED).connect.destination is None
    assert load({**REQUIRED, TOPIC: "projects/cloud-1/topics/t"}).connect.gcp_topic_name == "projects/cloud-1/topics/t"


COMMERCETOOLS = {name: value for name, value in REQUIRED.items() if name.startswith("CT_")}
UNUSABLE = {"NODE_CONFIG": "{", "PREFERRED_CURRENCY": "euros", "WORKERS": "x", "KLAVIYO_AUTH_KYE": "pk_test", "ON_CONNECT": "?"}


@pytest.mark.parametrize(
    ("given", "destination"),
    [({}, None), ({ARN: SNS_ARN}, SubscriptionDestination.SNS)],
)
def test_removing_takes_few_settings(given: dict[str, str], destination: SubscriptionDestination | None) -> None:
    """commercetools, the environment's name and, if it is given, the destination; whatever is wrong elsewhere is not read."""
    removal = load_removal({**COMMERCETOOLS, **UNUSABLE, "CONNECT_ENV": "connect_prod", **given})
    assert removal.commercetools == load(REQUIRED).commercetools
    assert (removal.connect_env, removal.connect.destination) == ("connect_prod", destination)


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ({"CT_PROJECT_ID": ""}, "CT_PROJECT_ID"),
        ({"CT_SCOPPES": "view_orders:shop-1"}, "CT_SCOPPES"),
        ({"CONNECT_ENV": "prod/1"}, "CONNECT_ENV"),
        ({TOPIC: "notices"}, PROJECT),
        ({TOPIC: "notices", PROJECT: "cloud-1", ARN: SNS_ARN}, KIND),
    ],
)
def test_removing_refuses_what_it_cannot_understand(given: dict[str, str], name: str) -> None:
    """Rather than to remove what another deployment needs."""
    with pytest.raises(ConfigError) as refused:
        load_removal({**COMMERCETOOLS, **given})
    assert [problem.field for problem in refused.value.problems] == [name]
