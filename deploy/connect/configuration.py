"""What connect.yaml says of its configuration, from the product's own table of variables. Pure."""

from __future__ import annotations

from shared.settings.environment import BY_NAME, VARIABLES

STANDARD = (
    "CT_API_URL",
    "CT_AUTH_URL",
    "CT_PROJECT_ID",
    "CT_SCOPES",
    "PRODUCT_URL_TEMPLATE",
    "PREFERRED_LOCALE",
    "PREFERRED_CURRENCY",
    "NODE_CONFIG",
    "CONNECT_ENV",
    "KLAVIYO_RATE_SHARE",
    "LOG_LEVEL",
)
"""The keys of the older product (reference.md 5), and of ours those that somebody may want to change on Connect."""

SECURED = ("CT_API_CLIENT", "KLAVIYO_AUTH_KEY")

_MEANINGS_HERE = {
    "NODE_CONFIG": "the configuration document; it may be partial",
    "CONNECT_ENV": "a part of the subscriptions' keys; none: `connect_dev`",
}
"""Where what the table says is more than can be done on Connect."""

_FORMS_HERE = {"NODE_CONFIG": "JSON text"}


def configuration() -> str:
    """The text of `configuration` in connect.yaml; the merchant reads the descriptions where they deploy."""
    lines = ["    configuration:", "      standardConfiguration:"]
    for key in STANDARD:
        lines += _entry(key)
    lines.append("      securedConfiguration:")
    for key in SECURED:
        lines += _entry(key)
    return "\n".join(lines) + "\n"


def _entry(key: str) -> list[str]:
    variable = BY_NAME.get(key) or next(one for one in VARIABLES if one.also == key)
    meaning, form = _MEANINGS_HERE.get(key, variable.meaning), _FORMS_HERE.get(key, variable.form)
    meaning = f"{meaning[0].upper()}{meaning[1:]}. {form[0].upper()}{form[1:]}"
    example = f"; for example {variable.example}" if variable.example else ""
    lines = [f"        - key: {key}", f"          description: '{_plain(meaning + example)}'"]
    lines.append(f"          required: {'true' if variable.required else 'false'}")
    if variable.default and key in BY_NAME and not variable.secret:
        lines.append(f"          default: '{_plain(variable.default)}'")
    return lines


def _plain(text: str) -> str:
    """For YAML in single quotes, without Markdown."""
    return text.replace("`", "").replace("'", "''")
