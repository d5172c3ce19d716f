"""Every environment variable of the product: one table, from which the loader, the documentation and `.env.example` are made."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Audience(StrEnum):
    """Who sets a variable."""

    PEOPLE = "people"
    PLATFORM = "platform"
    PRODUCT = "product"


@dataclass(frozen=True, slots=True)
class Variable:
    """One environment variable.

    `form` describes its type for people; `default` is the text that stands for an absent or empty variable, `shown_default`
    what the documentation says instead, where the text alone would not be understood. The `example` of a required
    variable is a value that nobody has: it is refused, as left over from `.env.example`.
    """

    name: str
    form: str
    read_by: str
    meaning: str
    default: str = ""
    shown_default: str = ""
    required: bool = False
    secret: bool = False
    also: str = ""
    example: str = ""
    set_by: Audience = Audience.PEOPLE


VARIABLES: tuple[Variable, ...] = (
    Variable(
        "CT_API_URL",
        "URL",
        "all",
        "the commercetools API host; plain http only for loopback",
        required=True,
        example="https://api.your-region.gcp.commercetools.com",
    ),
    Variable(
        "CT_AUTH_URL",
        "URL",
        "all",
        "the commercetools authentication host; plain http only for loopback",
        required=True,
        example="https://auth.your-region.gcp.commercetools.com",
    ),
    Variable("CT_PROJECT_ID", "project key", "all", "the commercetools project", required=True, example="your-project-key"),
    Variable(
        "CT_API_CLIENT",
        "JSON",
        "all",
        "the commercetools API client: an object with `clientId` and `secret`",
        required=True,
        secret=True,
        example='{"clientId": "...", "secret": "..."}',
    ),
    Variable(
        "CT_SCOPES",
        "scopes, separated by spaces",
        "all",
        "the scopes to ask for; none: whatever the API client has",
        also="CT_SCOPE",
        example="view_customers:your-project-key view_orders:your-project-key",
    ),
    Variable("KLAVIYO_AUTH_KEY", "text", "all", "the Klaviyo private API key", required=True, secret=True, example="pk_..."),
    Variable("KLAVIYO_API_URL", "URL", "all", "the Klaviyo API host", default="https://a.klaviyo.com"),
    Variable(
        "KLAVIYO_RATE_SHARE",
        "number above 0, up to 1",
        "clients",
        "the share of the account's rate limits that this process may use; with N processes 1/N each",
        default="1",
    ),
    Variable(
        "PRODUCT_URL_TEMPLATE",
        "text",
        "mapping",
        "a product's address, with `{{productSlug}}`, `{{productId}}`, `{{productKey}}` or `{{sku}}`; none: `None` is sent",
        example="https://shop.example.com/p/{{productSlug}}",
    ),
    Variable(
        "PREFERRED_LOCALE",
        "locale",
        "mapping",
        "the language of names and slugs; none: the first that a record has",
        example="en-GB",
    ),
    Variable(
        "PREFERRED_CURRENCY",
        "three letters",
        "mapping",
        "the currency of prices; none: that of the first price",
        example="EUR",
    ),
    Variable(
        "SYNC_CONFIG",
        "JSON text, or the path of a JSON file",
        "mapping, realtime",
        "the configuration document, whole or in part; `NODE_CONFIG` is its older name, and setting both is an error",
        default="{}",
        also="NODE_CONFIG",
        example='{"product": {"unpublished": "hide"}}',
    ),
    Variable(
        "APP_TYPE",
        "`EVENT` or `BULK_IMPORT`",
        "`serve`",
        "starts only that server",
        shown_default="both",
        example="EVENT",
    ),
    Variable(
        "CONNECT_ENV",
        "letters, digits, `-` and `_`",
        "`serve`, post-deploy",
        "a part of the subscriptions' keys; when set, the bulk server is off and realtime runs",
        shown_default="none; deployment scripts: `connect_dev`",
        example="connect_prod",
    ),
    Variable("PUB_SUB_PORT", "port", "`serve`", "the port of the realtime server", default="8080"),
    Variable("BULK_IMPORT_PORT", "port", "`serve`", "the port of the import API", default="6779"),
    Variable(
        "BIND_HOST",
        "host name or address",
        "`serve`",
        "where the servers listen; anything but loopback needs a guard (`BULK_IMPORT_API_KEY`, `PUSH_SERVICE_ACCOUNT`)",
        default="127.0.0.1",
    ),
    Variable(
        "SKIP_BASE64_DECODE",
        "`true` or `false`",
        "realtime",
        "a delivery may also be the bare notification, without an envelope",
        default="false",
        also="SKIP_BASE64_ENCODING",
    ),
    Variable(
        "BULK_IMPORT_API_KEY",
        "text",
        "import API",
        "the key that callers of the import API send as `X-Api-Key` (off Google Cloud also as `Authorization: Bearer`)",
        secret=True,
        example="a long random text",
    ),
    Variable(
        "BULK_IMPORT_AUDIENCE",
        "text",
        "command line",
        "the audience of the Google ID token that is sent to `--url`; for a service on Google Cloud with a domain of its own",
        shown_default="on `run.app` and `cloudfunctions.net` the address; elsewhere none is sent",
        example="https://bulk-dispatch-123456789012.europe-west1.run.app",
    ),
    Variable(
        "PUSH_SERVICE_ACCOUNT",
        "e-mail address of a service account",
        "push endpoints",
        "whose Google ID tokens are accepted; needs `PUSH_AUDIENCE`",
        example="pusher@my-cloud-project.iam.gserviceaccount.com",
    ),
    Variable(
        "PUSH_AUDIENCE",
        "text",
        "push endpoints",
        "the audience that those tokens must be made for; needs `PUSH_SERVICE_ACCOUNT`",
        example="https://sync.example.com",
    ),
    Variable("STATE_BACKEND", "`sqlite` or `firestore`", "bulk", "where runs and batches are recorded", default="sqlite"),
    Variable("QUEUE_BACKEND", "`sqlite` or `pubsub`", "bulk", "what carries the batches", default="sqlite"),
    Variable(
        "GOOGLE_CLOUD_PROJECT",
        "project id",
        "Firestore and Pub/Sub adapters",
        "the Google Cloud project of state and queue",
        shown_default="that of the credentials",
        example="my-cloud-project",
    ),
    Variable(
        "GOOGLE_NAME_PREFIX",
        "letters, digits and `-`",
        "Pub/Sub adapter",
        "what the names of topics and subscriptions begin with",
        default="klaviyo-sync",
    ),
    Variable(
        "FIRESTORE_DATABASE",
        "text",
        "Firestore adapter",
        "the Firestore database that runs and batches are recorded in",
        default="(default)",
    ),
    Variable("STATE_PATH", "path", "SQLite adapters", "the SQLite file", default=".data/state.sqlite3"),
    Variable(
        "REALTIME_DEADLINE_S",
        "seconds, up to 3600",
        "realtime function",
        "the time for one notification; what is not done by then is delivered again",
        default="8.5",
    ),
    Variable(
        "WORKER_DEADLINE_S",
        "seconds, up to 3600",
        "bulk functions",
        "after this time an invocation starts no new work and leaves its cursor",
        default="480",
    ),
    Variable("WORKERS", "whole number, 1 to 64", "`serve`, bulk worker", "how many batches are worked at once", default="4"),
    Variable(
        "LOG_LEVEL", "`DEBUG`, `INFO`, `WARNING` or `ERROR`", "logging", "the least severe line that is written", default="INFO"
    ),
    Variable(
        "LOG_FORMAT",
        "`json` or `text`",
        "logging",
        "how log lines are written; JSON is in the form that Google Cloud reads",
        shown_default="`json` on Google Cloud and on Connect, else `text`",
    ),
    Variable(
        "CONNECT_SUBSCRIPTION_DESTINATION",
        "`GoogleCloudPubSub` or `SNS`",
        "post-deploy",
        "where commercetools is to deliver",
        set_by=Audience.PLATFORM,
    ),
    Variable("CONNECT_GCP_TOPIC_NAME", "text", "post-deploy", "the Pub/Sub topic", set_by=Audience.PLATFORM),
    Variable("CONNECT_GCP_PROJECT_ID", "text", "post-deploy", "the topic's Google Cloud project", set_by=Audience.PLATFORM),
    Variable("CONNECT_AWS_TOPIC_ARN", "text", "post-deploy", "the SNS topic", set_by=Audience.PLATFORM),
    Variable(
        "K_SERVICE",
        "text",
        "access, logging, User-Agent",
        "set by Cloud Run: the platform guards the endpoint",
        set_by=Audience.PLATFORM,
    ),
    Variable(
        "ON_CONNECT",
        "`true` or `false`",
        "access, dead letters, logging",
        "set by the bundle for commercetools Connect: the platform guards the endpoint, and its disk does not last",
        default="false",
        set_by=Audience.PRODUCT,
    ),
    Variable(
        "WORKER_SLOTS",
        "whole number, 1 to 64",
        "bulk worker",
        "`WORKERS` as the supervisor or the deployment hands it down, since the functions framework takes that name for its own "
        "processes",
        set_by=Audience.PRODUCT,
    ),
    Variable(
        "LOCAL_TASK_KEY",
        "text",
        "tasks",
        "made at start by the local supervisor for its own processes; not for people",
        secret=True,
        set_by=Audience.PRODUCT,
    ),
)

BY_NAME: dict[str, Variable] = {variable.name: variable for variable in VARIABLES}

KNOWN_NAMES: frozenset[str] = frozenset(BY_NAME) | {variable.also for variable in VARIABLES if variable.also}

# A variable that begins like ours but is not ours is refused when it resembles one of ours.
OUR_PREFIXES = (
    "CT_",
    "KLAVIYO_",
    "PREFERRED_",
    "BULK_",
    "PUSH_",
    "STATE_",
    "QUEUE_",
    "GOOGLE_NAME",
    "FIRESTORE_DATA",
    "WORKER",
    "REALTIME_",
    "PRODUCT_URL",
    "SKIP_BASE64",
)

# Deployments of the older product set it; nothing ever read it (reference.md 4.3).
IGNORED_NAMES = frozenset({"KLAVIYO_COMPANY_ID"})
