"""`terraform/` says what the code says: names, variables, deadlines, fields, log lines, entry points."""

from __future__ import annotations

import ast
import re
from datetime import UTC, datetime

import pytest
from terraform_files import EXAMPLE, MODULE, ROOT, blocks, number, text_of, texts
from workflow_files import workflow

import main
from shared.bulk.http.tasks import PLAN_SLICE_S
from shared.bulk.plan import BATCH_SIZES, MOST_RANGES
from shared.bulk.records import LINKS, Batch, BatchResult, BatchStatus, FailedItem, IdRange, Kind, Run, RunStatus
from shared.errors import ConfigError, Host, RateLimited
from shared.google import names
from shared.google.batch_documents import fields_of
from shared.google.names import Stream
from shared.google.run_documents import range_fields, run_fields
from shared.google.run_summaries import PlannedRange
from shared.local.serve import ANSWER_MARGIN_S, DELIVERIES_PER_WORKER, REALTIME_THREADS
from shared.logs.safety import FIELDS
from shared.retrying import retry_reason
from shared.settings import load
from shared.settings.environment import BY_NAME

PREFIX = "acme-sync"
OF_THE_PLATFORM = {"THREADS", "MALLOC_ARENA_MAX", "MALLOC_MMAP_THRESHOLD_", "LOG_EXECUTION_ID", "SECRETS_VERSION"}
"""What the framework, glibc and Google look at; the product ignores it."""

AT = datetime(2026, 1, 1, tzinfo=UTC)
ENVIRONMENT = {
    "CT_API_URL": "https://api.example.com",
    "CT_AUTH_URL": "https://auth.example.com",
    "CT_PROJECT_ID": "acme",
    "CT_API_CLIENT": '{"clientId": "an-id", "secret": "not-a-secret"}',
    "KLAVIYO_AUTH_KEY": "pk_not_a_secret",
}
MODULE_TEXT = {path.name: path.read_text(encoding="utf-8") for path in sorted(MODULE.glob("*.tf"))}


def test_topics_and_subscriptions_are_those_that_the_code_looks_for() -> None:
    """The module's own test compares what Terraform makes with these names, and this one compares them with the code."""
    tests = text_of("tests/defaults.tftest.hcl")
    stated = {
        message: dict(re.findall(r'(\w+) *= "([^"]+)"', condition))
        for condition, message in re.findall(r'condition *= \{[^}]+\} == \{([^}]+)\}\n +error_message = "([a-z ]+)"', tests)
    }
    assert stated == {
        "topics": {stream: names.topic(PREFIX, stream) for stream in Stream},
        "push subscriptions": {stream: names.push_subscription(PREFIX, stream) for stream in Stream},
        "dead topics": {stream: names.dead_topic(PREFIX, stream) for stream in Stream},
        "holding subscriptions": {stream: names.holding_subscription(PREFIX, stream) for stream in Stream},
        "dead push subscriptions": {stream: names.dead_push_subscription(PREFIX, stream) for stream in names.DEAD_PUSHED},
    }
    assert f'name_prefix    = "{PREFIX}"' in tests


@pytest.mark.parametrize(
    ("variable", "setting", "values"),
    [
        ("name_prefix", "GOOGLE_NAME_PREFIX", ["abc", "a-1", "a" * 22, "ab", "a" * 23, "1bc", "abc-", "aBc", "a_c", ""]),
        ("firestore_database", "FIRESTORE_DATABASE", ["(default)", "abcd", "a" * 63, "abc", "a" * 64, "default)", "Abcd"]),
        ("ct_project_id", "CT_PROJECT_ID", ["ab", "a-B_1", "a" * 36, "a", "a" * 37, "a b"]),
    ],
)
def test_terraform_accepts_the_values_that_the_functions_accept(variable: str, setting: str, values: list[str]) -> None:
    """What they would refuse at their start is refused before anything is made."""
    (pattern,) = re.findall(r'regex\("((?:[^"\\]|\\.)*)"', blocks("variable", MODULE_TEXT["variables.tf"])[variable])
    for value in filter(None, values):
        try:
            load(ENVIRONMENT | {setting: value})
            accepted = True
        except ConfigError:
            accepted = False
        assert bool(re.fullmatch(pattern.replace("\\\\", "\\"), value)) is accepted, value


def test_every_variable_that_is_handed_down_is_one_of_the_product() -> None:
    """A misspelt one would be refused at the start of a function, or be ignored."""
    handed_down = set(re.findall(r"(?<![\w.\"])([A-Z][A-Z0-9_]+) += ", MODULE_TEXT["functions.tf"]))
    assert handed_down - OF_THE_PLATFORM <= set(BY_NAME)
    assert handed_down >= {"WORKER_SLOTS", "PUSH_AUDIENCE", "KLAVIYO_RATE_SHARE", "SYNC_CONFIG"} | OF_THE_PLATFORM
    assert "WORKERS" not in handed_down
    load(ENVIRONMENT | dict.fromkeys(OF_THE_PLATFORM, "1"))


def test_secrets_are_exactly_those_of_the_product() -> None:
    """What the product calls a secret is handed down as one, and as nothing else; the local supervisor's key stays local."""
    secrets = set(re.findall(r'([A-Z_]+) *= "[a-z-]+"', MODULE_TEXT["secrets.tf"]))
    assert secrets == {name for name, variable in BY_NAME.items() if variable.secret} - {"LOCAL_TASK_KEY"}
    assert not any(re.search(rf"^ +{name} +=", MODULE_TEXT["functions.tf"], re.MULTILINE) for name in secrets)


def test_no_output_is_a_secret_and_no_value_goes_where_state_keeps_it() -> None:
    """The argument that Terraform keeps is never used."""
    for text in MODULE_TEXT.values():
        assert not re.search(r"\bsecret_data\b", text)
    uses = [name for name, text in MODULE_TEXT.items() if "local.values" in text or "var.klaviyo_auth_key" in text]
    assert uses == ["secrets.tf", "variables.tf"]
    assert "local.values" not in MODULE_TEXT["outputs.tf"]


def test_entry_points_are_those_of_the_archive() -> None:
    """`main.py` resolves them."""
    assert set(re.findall(r'entry_point +=\s+"(\w+)"', MODULE_TEXT["functions.tf"])) == set(main.ENTRY_POINTS)


def test_deadlines_leave_the_code_the_time_that_it_takes() -> None:
    """A slice of planning, and the margin of an answer, are the code's."""
    functions, variables = MODULE_TEXT["functions.tf"], blocks("variable", MODULE_TEXT["variables.tf"])
    margin_s = number("margin_s", functions)
    assert margin_s == ANSWER_MARGIN_S
    assert number("timeout_s", variables["dispatcher"]) - margin_s == PLAN_SLICE_S
    assert number("timeout_s", variables["worker"]) - margin_s == float(BY_NAME["WORKER_DEADLINE_S"].default)
    assert number("deadline_s", variables["realtime"]) == float(BY_NAME["REALTIME_DEADLINE_S"].default)


def test_a_worker_has_as_many_deliveries_under_way_as_on_one_machine() -> None:
    """Four for each slot; and realtime as many threads."""
    variables = blocks("variable", MODULE_TEXT["variables.tf"])
    assert number("deliveries_per_slot", MODULE_TEXT["functions.tf"]) == DELIVERIES_PER_WORKER
    assert number("slots", variables["worker"]) == float(BY_NAME["WORKERS"].default)
    assert number("concurrency", variables["realtime"]) == REALTIME_THREADS


def test_a_stop_is_let_in_while_every_kind_is_planned() -> None:
    """Each kind's ranges may take their whole slices at once, and there are places left; other numbers are held to the same."""
    dispatcher = blocks("variable", MODULE_TEXT["variables.tf"])["dispatcher"]
    ((kinds, ranges, more),) = (map(int, rule) for rule in re.findall(r"concurrency >= (\d+) \* (\d+) \+ (\d+)", dispatcher))
    assert (kinds, ranges) == (len(LINKS), MOST_RANGES)
    assert more >= 10
    assert number("concurrency", dispatcher) * number("max_instances", dispatcher) >= kinds * ranges + more


def test_what_is_wide_in_a_record_is_not_indexed() -> None:
    """Everything that is stored packed, in whatever collection."""
    item = FailedItem(id="an-id", reason="invalid")
    result = BatchResult(
        seen=3, skipped={"gone": 1}, failed={"invalid": 1}, failed_ids=["an-id"], failed_items=[item], examples=[{"a": "b"}]
    )
    batch = Batch(
        run_id="r",
        range_index=0,
        number=1,
        size=1,
        first="a",
        last="b",
        ids=["a"],
        status=BatchStatus.DONE,
        result=result,
        carried={"a": 1},
    )
    run = Run(
        run_id="r",
        kind=Kind.CUSTOMERS,
        status=RunStatus.RUNNING,
        fence=1,
        lease_until=AT,
        started_at=AT,
        updated_at=AT,
        resumed_at=AT,
    )
    stored = {
        "runs": run_fields(run),
        "ranges": range_fields(PlannedRange(IdRange(index=0), 0, 0)),
        "batches": fields_of(batch, 1),
    }
    wide = {name: sorted(key for key, value in fields.items() if isinstance(value, bytes)) for name, fields in stored.items()}
    listed = re.search(r"wide_fields = \{(.*?)\n  \}", MODULE_TEXT["firestore.tf"], re.DOTALL)
    assert listed
    assert {line.split()[0]: texts(line) for line in listed[1].strip().splitlines()} == wide
    assert texts(re.search(r"expiring_collections = .*", MODULE_TEXT["firestore.tf"])[0]) == list(stored)  # type: ignore[index]


def test_every_line_that_is_counted_is_written() -> None:
    """An alert on a text that nobody logs would never come."""
    listed = re.search(r"  lines = \{\n(.*?)\n  \}\n", MODULE_TEXT["metrics.tf"], re.DOTALL)
    assert listed
    counted = texts(listed[1])
    assert len(counted) > 8
    written = _logged()
    assert [line for line in counted if line not in written] == []


def test_every_field_that_is_counted_by_may_be_logged() -> None:
    """And `rate_limited` is what a 429 is called."""
    fields = set(re.findall(r"jsonPayload\.(\w+)", MODULE_TEXT["metrics.tf"])) - {"message"}
    assert fields == {"reason", "outcome", "kind", "endpoint"}
    assert fields <= FIELDS
    limited = retry_reason(RateLimited("too many", host=Host.KLAVIYO))
    assert f'jsonPayload.reason=\\"{limited}\\"' in MODULE_TEXT["metrics.tf"]


def test_alerts_look_at_lines_that_call_for_it() -> None:
    """Each text of the module's own test of its alerts is logged; a halted run and a dead letter are among them."""
    tests = text_of("tests/defaults.tftest.hcl")
    alerting = {text for line in re.findall(r"^      [a-z_]+ += (\[\"[a-z].*\])$", tests, re.MULTILINE) for text in texts(line)}
    assert {"run halted", "dead letter stored", "the settings cannot be used"} <= alerting <= _logged()


def test_every_grant_of_the_module_is_in_the_list_of_grants() -> None:
    """The module's own test compares them with that list, so it must look at each resource that grants something."""
    granting = set(re.findall(r'^resource "(google_\w+_iam_\w+)" "(\w+)"', "".join(MODULE_TEXT.values()), re.MULTILINE))
    tests = text_of("tests/defaults.tftest.hcl")
    compared = tests.split('jsondecode(file("tests/grants.json"))')[1].split("error_message")[0]
    assert set(re.findall(r"(google_\w+_iam_\w+)\.(\w+)", compared)) == granting


def test_each_secret_gets_the_value_that_was_given_for_it() -> None:
    """A plan shows nothing of a value that is only written, so what is written is looked at as text."""
    text = MODULE_TEXT["secrets.tf"]
    given = {"CT_API_CLIENT": "ct_api_client", "KLAVIYO_AUTH_KEY": "klaviyo_auth_key", "BULK_IMPORT_API_KEY": "import_api_key"}
    lists = {
        name: dict(re.findall(r"(\w+) += (.+)", body))
        for name, body in re.findall(r"\n  (\w+) = \{\n(.*?)\n  \}", text, re.DOTALL)
    }
    assert lists["values"] == {name: f"var.{variable}" for name, variable in given.items()}
    assert lists["given"] == {name: f"nonsensitive(var.{variable} != null)" for name, variable in given.items()}
    version = _resource("google_secret_manager_secret_version", "value")
    assert dict(re.findall(r"^  (secret\w*) += (.+)$", version, re.MULTILINE)) == {
        "secret": "google_secret_manager_secret.secret[each.key].id",
        "secret_data_wo": "local.values[each.key]",
        "secret_data_wo_version": "var.secrets_version",
    }


INVOKERS = "google_cloud_run_v2_service_iam_binding.invokers"


@pytest.mark.parametrize(
    ("kind", "name", "waits_for"),
    [
        (
            "google_cloudfunctions2_function",
            "function",
            {
                "google_artifact_registry_repository_iam_member.build_images",
                "google_firestore_database.state",
                "google_project_iam_member.build_logs",
                "google_project_iam_member.build_source",
                "google_secret_manager_secret_iam_member.function",
                "google_secret_manager_secret_version.value",
            },
        ),
        (
            "google_pubsub_subscription",
            "push",
            {INVOKERS, "google_pubsub_subscription.holding", "google_pubsub_topic_iam_member.dead"},
        ),
        ("google_pubsub_subscription", "dead_push", {INVOKERS}),
        ("google_cloud_scheduler_job", "import", {INVOKERS}),
        ("google_service_account_iam_member", "tokens", {"google_pubsub_topic.stream"}),
        ("google_monitoring_alert_policy", "query", {"google_logging_metric.lines"}),
        ("google_monitoring_dashboard", "overview", {"google_logging_metric.lines"}),
    ],
)
def test_what_needs_something_else_waits_for_it(kind: str, name: str, waits_for: set[str]) -> None:
    """A function without its secret does not start, a push that may not call is refused; no plan shows who waits for whom."""
    (waits,) = re.findall(r"depends_on = \[(.*?)\]", _resource(kind, name), re.DOTALL)
    assert set(re.findall(r"google_[\w.]+", waits)) == waits_for


def test_what_needs_an_api_waits_until_it_is_switched_on() -> None:
    """Everything that is made first of its API, but what is said above to wait for something that itself does."""
    waiting = {
        f"{kind}.{name}"
        for text in MODULE_TEXT.values()
        for kind, name in re.findall(r'^resource "(\w+)" "(\w+)"', text, re.MULTILINE)
        if "depends_on = [google_project_service.api]" in _resource(kind, name)
    }
    assert waiting == {
        "google_artifact_registry_repository.images",
        "google_firestore_database.state",
        "google_logging_metric.lines",
        "google_monitoring_alert_policy.line",
        "google_pubsub_topic.dead",
        "google_pubsub_topic.stream",
        "google_secret_manager_secret.secret",
        "google_service_account.account",
        "google_storage_bucket.source",
    }


def test_a_function_that_is_replaced_may_be_called_again() -> None:
    """Its permissions go with it, and its name stays, so they are told to come again with its id, which an update keeps."""
    (replaced,) = re.findall(r"replace_triggered_by = \[(.*)\]", _resource(*INVOKERS.split(".")))
    assert replaced == "google_cloudfunctions2_function.function[each.key].id"


def test_the_public_pipeline_checks_the_module_with_the_real_provider() -> None:
    """In a job of its own, by the target of the Makefile, with a Terraform that the module accepts."""
    job = workflow("test").jobs["terraform"]
    assert [step["run"] for step in job["steps"] if "run" in step] == ["make terraform-check"]
    (setup,) = (step["with"] for step in job["steps"] if "hashicorp/setup-terraform@" in step.get("uses", ""))
    least = re.search(r'required_version = ">= ([0-9.]+)"', MODULE_TEXT["versions.tf"])
    assert least
    assert f"{setup['terraform_version']}.".startswith(f"{least[1]}.")
    assert setup["terraform_wrapper"] is False
    recipe = re.search(r"^terraform-check:.*?\nelse\n(.*?)^endif", (ROOT / "Makefile").read_text(), re.DOTALL | re.MULTILINE)
    assert recipe
    assert re.findall(r"^\tterraform -chdir=(\S+) (\w+)", recipe[1], re.MULTILINE) == [
        ("terraform", "fmt"),
        ("terraform", "init"),
        ("terraform", "validate"),
        ("terraform", "test"),
        ("terraform/examples/basic", "init"),
        ("terraform/examples/basic", "validate"),
    ]


def test_schedules_can_start_what_can_be_imported() -> None:
    """All kinds, and the chain of them."""
    kinds = re.search(r"contains\((\[[^\]]+\]), job\.kind\)", MODULE_TEXT["variables.tf"])
    assert kinds
    assert set(texts(kinds[1])) == {*BATCH_SIZES, Kind.ALL}


def test_every_variable_and_output_says_what_it_is() -> None:
    """In the module and in the example."""
    for folder in (MODULE, EXAMPLE):
        for kind, name in (("variable", "variables.tf"), ("output", "outputs.tf")):
            for label, body in blocks(kind, (folder / name).read_text(encoding="utf-8")).items():
                assert "description = " in body, f"{folder.name}: {label}"
                assert kind == "output" or "type        = " in body or "type = " in body, f"{folder.name}: {label}"


def test_the_examples_file_of_variables_is_complete_and_names_no_other() -> None:
    """What must be set is set in it; what may be set is there as a comment or in the module's own list."""
    variables = blocks("variable", (EXAMPLE / "variables.tf").read_text(encoding="utf-8"))
    lines = (EXAMPLE / "terraform.tfvars.example").read_text(encoding="utf-8").splitlines()
    given = {line.split("=")[0].strip() for line in lines if re.match(r"[a-z_]+ +=", line)}
    optional = {line.split("=")[0].strip("# ") for line in lines if re.match(r"# [a-z_]+ +=", line)}
    assert given | optional <= set(variables)
    assert {name for name, body in variables.items() if "default" not in body} <= given
    assert not any("sensitive" in variables[name] for name in given | optional)


def test_the_archive_that_the_example_names_is_where_the_makefile_writes_it() -> None:
    """`make source-archive`, then `terraform apply` in the example, without a path to be given."""
    named = (EXAMPLE / "variables.tf").read_text().split('variable "source_archive"')[1].split('default     = "')[1].split('"')[0]
    assert (EXAMPLE / named).resolve() == ROOT / "build" / "source.zip"
    assert "source_archive.py build/source.zip" in (ROOT / "Makefile").read_text()


def test_what_the_module_tells_to_do_exists() -> None:
    """Targets of make, files, and steps that its pages name."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for path in sorted(MODULE.rglob("*.md")):
        for target in re.findall(r"(?:`|^ *)make ([a-z-]+)", path.read_text(encoding="utf-8"), re.MULTILINE):
            assert re.search(rf"^{target}:", makefile, re.MULTILINE), f"{path.name}: make {target}"
    named = set(re.findall(r"`([a-z]+\.tf)`", text_of("README.md")))
    assert named == set(MODULE_TEXT)


def _resource(kind: str, name: str) -> str:
    """What stands between the braces of a resource, without comments of a line of their own."""
    (body,) = re.findall(rf'^resource "{kind}" "{name}" \{{\n(.*?)^\}}$', "".join(MODULE_TEXT.values()), re.DOTALL | re.MULTILINE)
    return re.sub(r"^ *#.*\n", "", body, flags=re.MULTILINE)


def _logged() -> set[str]:
    """Every text that the product logs, with `_log` or with what `_log()` gives."""
    found = set()
    for folder in ("shared", "functions"):
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
                    continue
                log = node.func.value.func if isinstance(node.func.value, ast.Call) else node.func.value
                if getattr(log, "id", "") == "_log":
                    found |= {
                        part.value for part in node.args[:1] if isinstance(part, ast.Constant) and isinstance(part.value, str)
                    }
    return found
