"""The commands of `ct-klaviyo` say what they do, do it through the import API, and end with a meaningful code."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
import typer
from cli_run import Run
from fake_import_api import KINDS, RUN_ID, FakeImportApi, chain, status
from typer.core import TyperGroup

from shared.cli.app import app
from shared.local.listening import free_port

COMMANDS = typer.main.get_command(app)
ROOT = Path(__file__).parents[3]


def test_every_command_and_option_has_help() -> None:
    """Nobody has to guess what a command, an argument or an option is for."""
    assert isinstance(COMMANDS, TyperGroup)
    groups = [command for command in COMMANDS.commands.values() if isinstance(command, TyperGroup)]
    assert {name for group in groups for name in group.commands} == {"list", "show", "replay", "drop"}
    for name, command in [*COMMANDS.commands.items(), *(pair for group in groups for pair in group.commands.items())]:
        assert command.help, name
        for parameter in command.params:
            assert getattr(parameter, "help", None), f"{name} {parameter.name}"


def test_every_command_is_told_in_a_line_of_a_narrow_terminal(run: Run) -> None:
    """80 columns: the lists of commands break no sentence off."""
    for group in ([], ["dead-letters"]):
        listed = run(*group, "--help", COLUMNS="80").stdout.partition("Commands:")[2].strip().splitlines()
        assert len(listed) >= 4
        assert [line for line in listed if not line.endswith(".") or line.endswith("...")] == []


def test_what_an_option_takes_is_named_in_words(run: Run) -> None:
    """`--limit NUMBER`, not the name of a type in Python."""
    for words in (["import"], ["runs"], ["delete-all"], ["dead-letters", "list"], ["dead-letters", "drop"]):
        options = run(*words, "--help").stdout.partition("Options:")[2]
        assert "-h, --help" in options
        assert "<" not in options.replace("1<=x<=", "")


def test_the_commands_are_these() -> None:
    """What http-api.md and product.md promise can all be done from the command line."""
    assert isinstance(COMMANDS, TyperGroup)
    assert set(COMMANDS.commands) == {
        "serve", "import", "status", "runs", "run", "stop", "resume", "retry", "watch", "unlock",
        "delete-all", "dead-letters",
    }  # fmt: skip


def test_the_exit_codes_are_documented(run: Run) -> None:
    """`--help` names every exit code."""
    shown = " ".join(run("--help").stdout.split())
    assert "Exit codes: 0 done, or the run completed; 1 it completed with errors" in shown
    assert "2 wrong usage or settings; 3 the run was stopped" in shown


def test_help_loads_nothing_heavy() -> None:
    """`--help` answers at once: no HTTP client, no progress bar, no supervisor is imported for it."""
    check = (
        "import sys, shared.cli\nsys.argv = ['ct-klaviyo', '--help']\n"
        "try: shared.cli.main()\nexcept SystemExit: pass\n"
        "heavy = ('httpx', 'rich.progress_bar', 'rich.live', 'flask', 'gunicorn', 'structlog')\n"
        "print([name for name in heavy if name in sys.modules])"
    )
    took_s = []
    while not took_s or (took_s[-1] >= 5 and len(took_s) < 5):  # measured 0.15 s; a machine may stand still once
        began = time.monotonic()
        shown = subprocess.run([sys.executable, "-c", check], cwd=ROOT, capture_output=True, text=True, check=True)
        took_s.append(time.monotonic() - began)
        assert shown.stdout.splitlines()[-1] == "[]"
    assert min(took_s) < 5, took_s


def test_import_starts_everything_of_a_kind(run: Run, api: FakeImportApi) -> None:
    """Without options the body is empty, and the run's id and the next command are shown."""
    result = run("import", "customers")
    assert result.exit_code == 0
    [call] = api.called("POST", "/sync/customers")
    assert call.body == {}
    assert f"ct-klaviyo watch {RUN_ID}" in result.stdout


def test_import_passes_its_options_on(run: Run, api: FakeImportApi) -> None:
    """Dates, start id and dry run travel under the API's names."""
    run(
        "import", "customers", "--start-id", "abc", "--created-after", "2026-01-01T00:00:00Z",
        "--created-before", "2026-02-01T00:00:00Z", "--modified-after", "2026-01-15T00:00:00Z", "--dry-run",
    )  # fmt: skip
    [call] = api.called("POST", "/sync/customers")
    assert call.body == {
        "startId": "abc",
        "createdAfter": "2026-01-01T00:00:00Z",
        "createdBefore": "2026-02-01T00:00:00Z",
        "modifiedAfter": "2026-01-15T00:00:00Z",
        "dryRun": True,
    }


def test_ids_come_from_options_and_a_file(run: Run, api: FakeImportApi, tmp_path: Path) -> None:
    """Blank lines and comments in the file are passed over."""
    (tmp_path / "ids.txt").write_text("\ufeff# failed yesterday\nthree\n\n  four  \n")
    run("import", "customers", "--id", "one", "--id", "two", "--ids-file", "ids.txt")
    [call] = api.called("POST", "/sync/customers")
    assert call.body == {"ids": ["one", "two", "three", "four"]}


def test_an_empty_file_of_ids_imports_nothing(run: Run, api: FakeImportApi, tmp_path: Path) -> None:
    """An empty list never means everything."""
    (tmp_path / "ids.txt").write_text("# none\n")
    result = run("import", "customers", "--ids-file", "ids.txt")
    assert result.exit_code == 2
    assert "--ids-file: names no id" in result.stderr
    assert api.calls == []


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_and_all_of_them_can_be_imported(run: Run, api: FakeImportApi, kind: str) -> None:
    """And looked at, stopped and resumed under the same name."""
    assert run("import", kind).exit_code == 0
    assert len(api.called("POST", f"/sync/{kind}")) == 1
    assert run("status", kind).exit_code == 0
    assert run("runs", "--kind", kind).exit_code == 0
    assert run("stop", kind).exit_code == 0
    assert len(api.called("POST", f"/sync/{kind}/stop")) == 1
    assert run("resume", kind).exit_code == 0


def test_a_kind_that_does_not_exist_is_wrong_usage(run: Run, api: FakeImportApi) -> None:
    """Those that do are named; nothing is called."""
    result = run("import", "baskets")
    assert result.exit_code == 2
    assert all(kind in result.stderr for kind in KINDS)
    assert api.calls == []


def test_a_lock_is_that_of_one_kind(run: Run) -> None:
    """An import of all has none of its own."""
    assert run("unlock", "all").exit_code == 2


@pytest.mark.parametrize("kind", ["categories", "products"])
def test_deleting_everything_asks_to_type_the_kind(run: Run, api: FakeImportApi, kind: str) -> None:
    """It says what is about to go, and only the kind itself is a yes."""
    result = run("delete-all", kind, typed=f"{kind}\n")
    assert result.exit_code == 0
    assert f"every one of the {kind}" in result.stderr
    assert "whoever made them" in result.stderr
    [call] = api.called("POST", f"/sync/{kind}")
    assert call.body == {"deleteAll": True, "confirmDeletion": kind}


@pytest.mark.parametrize("typed", ["", "\n", "y\n", "categories\n", "Products\n"])
def test_anything_else_typed_deletes_nothing(run: Run, api: FakeImportApi, typed: str) -> None:
    """Also the end of the input, as in a script."""
    result = run("delete-all", "products", typed=typed)
    assert result.exit_code != 0
    assert api.calls == []


def test_a_script_confirms_a_deletion_by_an_option(run: Run, api: FakeImportApi) -> None:
    """Nothing is asked; a wrong word deletes nothing."""
    assert run("delete-all", "products", "--confirm", "products", "--only-own").exit_code == 0
    [call] = api.called("POST", "/sync/products")
    assert call.body == {"deleteAll": True, "confirmDeletion": "products", "onlyOwn": True}
    refused = run("delete-all", "products", "--confirm", "yes")
    assert (refused.exit_code, len(api.calls)) == (2, 1)
    assert "nothing was deleted" in refused.stderr


def test_deleting_only_ones_own_says_so(run: Run, api: FakeImportApi) -> None:
    """The sentence tells what is spared."""
    shown = run("delete-all", "categories", "--only-own", typed="categories\n").stderr
    assert "that have a commercetools id" in shown
    assert "whoever made them" not in shown


@pytest.mark.parametrize("kind", ["customers", "orders", "all"])
def test_only_the_catalog_can_be_deleted(run: Run, api: FakeImportApi, kind: str) -> None:
    """Profiles and events are never deleted by an import."""
    assert run("delete-all", kind, "--confirm", kind).exit_code == 2
    assert api.calls == []


def test_the_key_travels_as_a_header(run: Run, api: FakeImportApi) -> None:
    """`BULK_IMPORT_API_KEY` is sent as `X-Api-Key`, and shown nowhere."""
    result = run("status", BULK_IMPORT_API_KEY="open-sesame")
    assert api.calls[0].headers["x-api-key"] == "open-sesame"
    assert "sesame" not in result.output


def test_a_dotenv_file_is_read_beneath_the_environment(run: Run, api: FakeImportApi, tmp_path: Path) -> None:
    """`.env` in the working directory gives what the environment does not."""
    (tmp_path / ".env").write_text("BULK_IMPORT_API_KEY=from-the-file\nBULK_IMPORT_PORT=1\n")
    assert run("status").exit_code == 0
    assert api.calls[0].headers["x-api-key"] == "from-the-file"
    run("status", BULK_IMPORT_API_KEY="from-outside")
    assert api.calls[1].headers["x-api-key"] == "from-outside"


def test_url_names_another_import_api(run: Run, api: FakeImportApi) -> None:
    """`--url` wins over the port of the environment."""
    assert run("status", "--url", api.url + "/", BULK_IMPORT_PORT="1").exit_code == 0


@pytest.mark.parametrize("url", ["http://import.example.com", "ftp://localhost", "nonsense"])
def test_an_unsafe_url_is_refused(run: Run, api: FakeImportApi, url: str) -> None:
    """The key never travels over plain http but to this machine."""
    result = run("status", "--url", url, BULK_IMPORT_API_KEY="open-sesame")
    assert result.exit_code == 2
    assert "--url: is" in result.stderr


def test_a_port_that_is_none_is_a_fault_of_the_settings(run: Run) -> None:
    """Exit code 2, and the variable's name."""
    result = run("status", BULK_IMPORT_PORT="eighty")
    assert result.exit_code == 2
    assert "BULK_IMPORT_PORT: must be" in result.stderr


def test_nobody_there_says_how_to_start_it(run: Run) -> None:
    """A refused connection is answered with the command that helps."""
    result = run("status", BULK_IMPORT_PORT=str(free_port()))
    assert result.exit_code == 1
    assert "start it with: ct-klaviyo serve" in result.stderr


def test_something_else_on_the_port_is_recognised(run: Run, api: FakeImportApi) -> None:
    """An answer that is no JSON comes from somebody else."""
    api.answers["GET", "/sync/status"] = (200, b"<html>")
    result = run("status")
    assert result.exit_code == 1
    assert "is not the import API" in result.stderr


def test_a_locked_kind_says_who_holds_it(run: Run, api: FakeImportApi) -> None:
    """423: the run, since when, and how to look at it."""
    message = "an import of customers is under way; wait for it, or stop it with: ct-klaviyo stop customers"
    api.answers["POST", "/sync/customers"] = (
        423,
        {"error": "locked", "message": message, "runId": RUN_ID, "since": "2026-01-01"},
    )
    result = run("import", "customers", "--watch")
    assert result.exit_code == 1
    assert result.stderr.splitlines() == [
        message,
        f"  held by run {RUN_ID} since 2026-01-01; watch it with: ct-klaviyo watch {RUN_ID}",
    ]


def test_every_problem_of_a_request_is_listed(run: Run, api: FakeImportApi) -> None:
    """400: one line for each field."""
    problems = [{"field": "startId", "message": "is not an id"}, {"field": "createdAfter", "message": "has no offset"}]
    api.answers["POST", "/sync/customers"] = (400, {"error": "bad_request", "message": "the body is wrong", "problems": problems})
    result = run("import", "customers", "--start-id", "x")
    assert result.exit_code == 1
    assert result.stderr.splitlines() == ["the body is wrong", "  startId: is not an id", "  createdAfter: has no offset"]


def test_a_wrong_key_names_the_variable(run: Run, api: FakeImportApi) -> None:
    """401: what to set."""
    api.answers["GET", "/sync/status"] = (401, {"error": "unauthorized", "message": "send the key"})
    assert "BULK_IMPORT_API_KEY" in run("status").stderr


def test_status_shows_all_kinds_or_one_in_detail(run: Run, api: FakeImportApi) -> None:
    """Without a kind a table, with one the counts."""
    api.course = [status("running", seen=500, sent=490, skipped=7, failed=3, progress=0.5, ratePerSecond=99.6, etaSeconds=65)]
    table = run("status").stdout
    assert RUN_ID in table
    assert "running" in table
    detail = run("status", "customers").stdout
    assert "seen 500 = sent 490 + skipped 7 + failed 3" in detail
    assert "50.0 %" in detail
    assert "ETA 1:05" in detail


def test_nothing_imported_yet_is_no_error(run: Run, api: FakeImportApi) -> None:
    """A fresh state has no runs, which is fine."""
    api.answers["GET", "/sync/status"] = (200, {"kinds": {"customers": None}})
    api.answers["GET", "/runs?limit=20"] = (200, {"runs": []})
    assert (run("status").stdout, run("status").exit_code) == ("nothing was imported yet\n", 0)
    assert run("runs").stdout == "there are no runs\n"


def test_runs_are_listed_by_kind_and_number(run: Run, api: FakeImportApi) -> None:
    """`--kind` and `--limit` travel as the query."""
    result = run("runs", "--kind", "customers", "--limit", "5")
    assert api.calls[0].path == "/runs?limit=5&kind=customers"
    assert RUN_ID in result.stdout


def test_run_shows_one_in_detail(run: Run, api: FakeImportApi) -> None:
    """Reasons, adjustments and the first problems, with the id, the reason and the pointer."""
    api.course = [
        status(
            "completed_with_errors",
            seen=1000, sent=985, skipped=12, failed=3, progress=1.0,
            skippedReasons={"no_email": 12}, failedReasons={"invalid_email": 2, "too_large": 1},
            adjustments={"phone_left_out": 30},
            problems=[{"id": "c-1", "reason": "invalid_email", "pointer": "/data/attributes/profiles/data[0]/email"}],
        )
    ]  # fmt: skip
    assert run("run", RUN_ID).stdout.splitlines() == [
        "customers: completed with errors after 1:12",
        f"  run      {RUN_ID}",
        "  seen 1,000 = sent 985 + skipped 12 + failed 3",
        "  skipped:",
        "           12  no_email",
        "  failed:",
        "            2  invalid_email",
        "            1  too_large",
        "  adjusted (sent, with something left out):",
        "           30  phone_left_out",
        "  first problems:",
        "    c-1  invalid_email  /data/attributes/profiles/data[0]/email",
        "    and 2 more",
        f"  try the failed ones again with: ct-klaviyo retry {RUN_ID}",
    ]


def test_a_halted_run_says_why_and_how_to_go_on(run: Run, api: FakeImportApi) -> None:
    """The reason, and `resume`."""
    api.course = [status("halted", haltReason="klaviyo answered 401 to POST profile-import")]
    shown = run("run", RUN_ID).stdout
    assert "halted   klaviyo answered 401 to POST profile-import" in shown
    assert f"resume with: ct-klaviyo resume {RUN_ID}" in shown


def test_a_dry_run_shows_its_examples(run: Run, api: FakeImportApi) -> None:
    """What would have been sent, as the API masked it."""
    api.course = [status("completed", options={"dryRun": True}, examples=[{"email": "j***@example.com"}])]
    shown = run("run", RUN_ID).stdout
    assert "dry run: nothing was sent" in shown
    assert "some of what would be sent (in short, personal data masked):" in shown
    assert '{"email": "j***@example.com"}' in shown


def test_stop_says_how_to_go_on_later(run: Run, api: FakeImportApi) -> None:
    """The run can be resumed."""
    assert f"ct-klaviyo resume {RUN_ID}" in run("stop", "customers").stdout


def test_resume_takes_a_run_or_a_kind(run: Run, api: FakeImportApi) -> None:
    """A kind stands for its newest run."""
    assert run("resume", RUN_ID).exit_code == 0
    assert run("resume", "customers").exit_code == 0
    assert len(api.called("POST", f"/runs/{RUN_ID}/resume")) == 2


def test_retry_starts_a_new_run(run: Run, api: FakeImportApi) -> None:
    """The new run's id is shown."""
    new = "0198c2f0-0000-7000-8000-000000000002"
    api.answers["POST", f"/runs/{RUN_ID}/retry"] = (202, {"runId": new, "kind": "customers", "status": "accepted"})
    assert f"started {new}" in run("retry", RUN_ID).stdout


def test_a_chain_is_shown_with_its_links_and_how_to_retry_them(run: Run, api: FakeImportApi) -> None:
    """Each kind with its sum; a retry is one of a link."""
    categories = status("completed", kind="categories", runId="c", seen=7, sent=7)
    products = status("completed_with_errors", kind="products", runId="p", seen=9, sent=7, skipped=1, failed=1)
    api.course = [chain("completed_with_errors", categories, products, seen=16, sent=14, skipped=1, failed=1)]
    shown = run("run", RUN_ID).stdout
    assert "all: completed with errors" in shown
    assert "  seen 16 = sent 14 + skipped 1 + failed 1" in shown
    assert "    categories: completed, seen 7 = sent 7 + skipped 0 + failed 0" in shown
    assert "    products: completed with errors, seen 9 = sent 7 + skipped 1 + failed 1" in shown
    assert "    customers: pending\n" in shown
    assert "try the failed ones again with: ct-klaviyo retry p\n" in shown


def test_json_is_the_answer_itself(run: Run, api: FakeImportApi) -> None:
    """Scripts get what the API said, also when it refused, and the exit code tells which."""
    assert json.loads(run("run", RUN_ID, "--json").stdout) == api.course[0]
    refusal = {"error": "locked", "message": "no", "runId": RUN_ID, "since": "2026-01-01"}
    api.answers["POST", "/sync/customers"] = (423, refusal)
    refused = run("import", "customers", "--json")
    assert (json.loads(refused.stdout), refused.exit_code) == (refusal, 1)
    nobody = run("status", "--json", BULK_IMPORT_PORT=str(free_port()))
    assert json.loads(nobody.stdout)["error"] == "not_reachable"
