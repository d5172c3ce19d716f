"""From the environment to `Settings`: the only reader of the environment in the product (configuration.md).

Every problem is collected before anything is refused, and no message quotes a value.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from shared.errors import ConfigError, Problem
from shared.settings.destination import destination_given, read_destination
from shared.settings.document import SyncDocument
from shared.settings.document_check import check_document
from shared.settings.hosts import is_host
from shared.settings.model import (
    AccessSettings,
    AppType,
    BudgetSettings,
    CommercetoolsSettings,
    GoogleSettings,
    KlaviyoSettings,
    LogFormat,
    LoggingSettings,
    LogLevel,
    MappingSettings,
    QueueBackend,
    RemovalSettings,
    ServeSettings,
    Settings,
    StateBackend,
    StateSettings,
    serves_bulk,
    serves_realtime,
)
from shared.settings.nearest import nearest
from shared.settings.reader import SLIP, Reader
from shared.settings.secret import Secret

_TEMPLATE_TOKENS = ("productSlug", "productId", "productKey", "sku")
_PUBLIC_KEY = re.compile("[A-Za-z0-9]{6}")
_LONGEST_DEADLINE_S = 3600  # no invocation on Google Cloud may last longer


def load(environ: Mapping[str, str] | None = None, *, destination_needed: bool = False) -> Settings:
    """The settings that `environ` (absent: this process's environment) describes. Raises ConfigError with every problem.

    With `destination_needed` it is a problem too when they do not say where commercetools is to deliver.
    """
    reader = Reader(os.environ if environ is None else environ)
    on_connect = reader.flag("ON_CONNECT")
    settings = Settings(
        commercetools=_commercetools(reader),
        klaviyo=_klaviyo(reader),
        mapping=_mapping(reader),
        serve=_serve(reader),
        access=_access(reader),
        state=_state(reader),
        google=_google(reader),
        budgets=_budgets(reader),
        logging=_logging(reader, on_connect),
        connect=read_destination(reader, needed=destination_needed),
        k_service=reader.text("K_SERVICE"),
        on_connect=on_connect,
    )
    reader.refuse_misspelt_names()
    if reader.problems:
        raise ConfigError(reader.problems)
    return settings


def load_logging(environ: Mapping[str, str] | None = None) -> LoggingSettings:
    """How to log before, or in spite of, everything else: what cannot be read counts as absent. Never raises."""
    reader = Reader(os.environ if environ is None else environ)
    return _logging(reader, reader.flag("ON_CONNECT"))


def load_removal(environ: Mapping[str, str]) -> RemovalSettings:
    """The few settings that removing subscriptions needs; nothing else in `environ` can keep it from being done.

    Raises ConfigError with every problem of these; a destination that is given in part is one.
    """
    reader = Reader({name: value for name, value in environ.items() if name.startswith(("CT_", "CONNECT_"))})
    removal = RemovalSettings(
        commercetools=_commercetools(reader),
        connect_env=_connect_env(reader),
        connect=read_destination(reader, needed=destination_given(environ)),
    )
    reader.refuse_misspelt_names()
    if reader.problems:
        raise ConfigError(reader.problems)
    return removal


def environment(env_file: Path | None = None) -> dict[str, str]:
    """This process's environment, over what `env_file` holds when it exists. For programs that a person starts.

    The file is never needed; a variable that is set both here and there has the environment's value.
    """
    values: dict[str, str] = {}
    if env_file is not None and env_file.is_file():
        from dotenv import dotenv_values  # only where a person starts the program: the functions never pay for it

        values = {name: value for name, value in dotenv_values(env_file, interpolate=False).items() if value is not None}
    return {**values, **os.environ}


def _commercetools(reader: Reader) -> CommercetoolsSettings:
    client_id, client_secret = _api_client(reader)
    return CommercetoolsSettings(
        api_url=reader.url("CT_API_URL"),
        auth_url=reader.url("CT_AUTH_URL"),
        project_id=reader.matching("CT_PROJECT_ID", "[A-Za-z0-9_-]{2,36}", "a project key: 2 to 36 letters, digits, - and _"),
        client_id=client_id,
        client_secret=Secret(client_secret),
        scopes=tuple(reader.text("CT_SCOPES").split()),
    )


def _api_client(reader: Reader) -> tuple[str, str]:
    text = reader.text("CT_API_CLIENT")
    if not text:
        return "", ""
    advice = 'write {"clientId": "...", "secret": "..."}'
    try:
        client: Any = json.loads(text)
    except (ValueError, RecursionError):
        reader.fault("CT_API_CLIENT", f"is not JSON; {advice}")
        return "", ""
    if not isinstance(client, dict):
        reader.fault("CT_API_CLIENT", f"is not a JSON object; {advice}")
        return "", ""
    found = {}
    for key in ("clientId", "secret"):
        value = client.get(key)
        if not isinstance(value, str) or not value.strip():
            reader.fault("CT_API_CLIENT", f"has no {key}, or it is not a text; {advice}")
            value = ""
        found[key] = value.strip()
    return found["clientId"], found["secret"]


def _klaviyo(reader: Reader) -> KlaviyoSettings:
    key = reader.header_text("KLAVIYO_AUTH_KEY")
    if _PUBLIC_KEY.fullmatch(key):
        reader.fault("KLAVIYO_AUTH_KEY", "looks like the public key; use a private key, which begins with pk_")
    return KlaviyoSettings(
        api_url=reader.url("KLAVIYO_API_URL"),
        auth_key=Secret(key),
        rate_share=reader.number("KLAVIYO_RATE_SHARE", above=0, up_to=1),
    )


def _mapping(reader: Reader) -> MappingSettings:
    return MappingSettings(
        product_url_template=_url_template(reader),
        preferred_locale=reader.matching(
            "PREFERRED_LOCALE", "[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8})*", "a locale, such as en or en-GB"
        ),
        preferred_currency=reader.matching(
            "PREFERRED_CURRENCY", "[A-Za-z]{3}", "a currency code of three letters, such as EUR"
        ).upper(),
        document=_document(reader),
    )


def _url_template(reader: Reader) -> str:
    name = "PRODUCT_URL_TEMPLATE"
    template = reader.text(name)
    known = ", ".join(f"{{{{{token}}}}}" for token in _TEMPLATE_TOKENS)
    for token in re.findall(r"\{\{([^{}]*)\}\}", template):
        if token in _TEMPLATE_TOKENS:
            continue
        meant = nearest(token.strip(), _TEMPLATE_TOKENS, cutoff=SLIP)
        reader.fault(name, f"has an unknown token; {f'did you mean {{{{{meant}}}}}?' if meant else f'known: {known}'}")
    if re.search(r"\{\{|\}\}", re.sub(r"\{\{[^{}]*\}\}", "", template)):
        reader.fault(name, f"has braces that do not match; known tokens: {known}")
    return template


def _document(reader: Reader) -> SyncDocument:
    ours, older = "SYNC_CONFIG", "NODE_CONFIG"
    name = ours if reader.given(ours) else older
    text = reader.given(name)
    if reader.given(ours) and reader.given(older):
        reader.fault(ours, f"and {older} are both set; keep one of them")
        return SyncDocument()
    if not text:
        return SyncDocument()
    if text[0] not in '{["':
        try:
            text = Path(text).read_text("utf-8-sig")
        except (OSError, ValueError):
            reader.fault(name, "is neither JSON text, which begins with {, nor the path of a readable JSON file")
            return SyncDocument()
    try:
        content = json.loads(text)
    except json.JSONDecodeError as error:
        reader.fault(name, f"is not JSON: {error.msg} at line {error.lineno}, column {error.colno}")
        return SyncDocument()
    except RecursionError:
        reader.fault(name, "is nested too deeply")
        return SyncDocument()
    document, problems = check_document(content)
    reader.problems += [Problem(problem.field or name, problem.message) for problem in problems]
    return document


def _serve(reader: Reader) -> ServeSettings:
    serve = ServeSettings(
        app_type=reader.choice("APP_TYPE", AppType),
        connect_env=_connect_env(reader),
        pub_sub_port=reader.whole("PUB_SUB_PORT", 1, 65535),
        bulk_import_port=reader.whole("BULK_IMPORT_PORT", 1, 65535),
        bind_host=reader.text("BIND_HOST").removeprefix("[").removesuffix("]"),
        skip_base64_decode=reader.flag("SKIP_BASE64_DECODE"),
    )
    if not is_host(serve.bind_host):
        reader.fault("BIND_HOST", "must be a host name or an address, without scheme and port")
    if serve.pub_sub_port == serve.bulk_import_port and serves_realtime(serve) and serves_bulk(serve):
        reader.fault("BULK_IMPORT_PORT", "is the port of PUB_SUB_PORT too; give each server its own")
    return serve


def _connect_env(reader: Reader) -> str:
    return reader.matching("CONNECT_ENV", "[A-Za-z0-9_-]{1,200}", "letters, digits, - and _ only")


def _access(reader: Reader) -> AccessSettings:
    access = AccessSettings(
        bulk_import_api_key=reader.secret("BULK_IMPORT_API_KEY"),
        push_service_account=reader.matching(
            "PUSH_SERVICE_ACCOUNT", r"[^@\s]+@[^@\s]+\.[^@\s]+", "the e-mail address of a service account"
        ),
        push_audience=reader.text("PUSH_AUDIENCE"),
        local_task_key=reader.secret("LOCAL_TASK_KEY"),
    )
    if bool(access.push_service_account) != bool(access.push_audience):
        missing = "PUSH_AUDIENCE" if access.push_service_account else "PUSH_SERVICE_ACCOUNT"
        reader.fault(missing, "is missing; PUSH_SERVICE_ACCOUNT and PUSH_AUDIENCE work only together")
    return access


def _state(reader: Reader) -> StateSettings:
    return StateSettings(
        state_backend=reader.choice("STATE_BACKEND", StateBackend) or StateBackend.SQLITE,
        queue_backend=reader.choice("QUEUE_BACKEND", QueueBackend) or QueueBackend.SQLITE,
        state_path=Path(reader.text("STATE_PATH")),
        workers=reader.whole("WORKER_SLOTS" if reader.text("WORKER_SLOTS") else "WORKERS", 1, 64),
    )


def _google(reader: Reader) -> GoogleSettings:
    return GoogleSettings(
        project=reader.matching("GOOGLE_CLOUD_PROJECT", r"[a-z0-9.:-]{4,62}", "a Google Cloud project id"),
        name_prefix=reader.matching(
            "GOOGLE_NAME_PREFIX", "[a-z][a-z0-9-]{1,20}[a-z0-9]", "3 to 22 small letters, digits and -, a letter first"
        ),
        firestore_database=reader.matching(
            "FIRESTORE_DATABASE",
            r"\(default\)|[a-z][a-z0-9-]{2,61}[a-z0-9]",
            "(default), or 4 to 63 small letters, digits and -",
        ),
    )


def _budgets(reader: Reader) -> BudgetSettings:
    return BudgetSettings(
        realtime_deadline_s=reader.number("REALTIME_DEADLINE_S", above=0, up_to=_LONGEST_DEADLINE_S),
        worker_deadline_s=reader.number("WORKER_DEADLINE_S", above=0, up_to=_LONGEST_DEADLINE_S),
    )


def _logging(reader: Reader, on_connect: bool) -> LoggingSettings:
    default = LogFormat.JSON if reader.text("K_SERVICE") or on_connect else LogFormat.TEXT
    return LoggingSettings(
        level=reader.choice("LOG_LEVEL", LogLevel) or LogLevel.INFO,
        format=reader.choice("LOG_FORMAT", LogFormat) or default,
    )
