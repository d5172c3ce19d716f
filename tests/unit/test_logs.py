"""Logs without personal data and secrets, whoever writes and in whatever way (decisions.md 17)."""

import ast
import io
import json
import logging
import subprocess
import sys
import textwrap
import threading
import warnings
from collections.abc import Iterator
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import msgspec
import pytest
import structlog

from shared import logs
from shared.dead_letters import DeadLetter, log_fields
from shared.errors import ConfigError, HostDown, Problem, SyncError
from shared.logs.libraries import LibraryRecord
from shared.logs.safety import FIELDS, NUMERIC_ENDINGS, safe_fields, scrub

ROOT = Path(__file__).parents[2]
EMAIL, PHONE, NAME, TOKEN = "canary.ann@example.com", "+49 30 1234567", "Canary Ann", "pk_canary0123456789"
CANARIES = (EMAIL, PHONE, NAME, TOKEN)
TRACES = ("anary", "1234567")


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    """`configure` is for a process; a test gives back what it took over."""
    root, factory, raising = logging.getLogger(), logging.getLogRecordFactory(), logging.raiseExceptions
    handlers, level = list(root.handlers), root.level
    hooks = sys.excepthook, threading.excepthook, sys.unraisablehook
    quiet = {name: logging.getLogger(name).level for name in ("httpx", "httpcore", "urllib3", "werkzeug", "gunicorn.access")}
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        yield
    logging.setLogRecordFactory(factory)
    logging.raiseExceptions = raising
    root.handlers[:] = handlers
    root.setLevel(level)
    for name, old in quiet.items():
        logging.getLogger(name).setLevel(old)
    sys.excepthook, threading.excepthook, sys.unraisablehook = hooks
    logs._configure_pipeline("INFO", "text", None)


class Stream(io.StringIO):
    """What was written, raw and as JSON."""

    @property
    def lines(self) -> list[dict[str, Any]]:
        """Every line, decoded."""
        return [json.loads(line) for line in self.getvalue().splitlines()]


def configured(level: str = "DEBUG", log_format: str = "json") -> Stream:
    """Logging to a stream of the test's own."""
    stream = Stream()
    logs.configure(level, log_format, stream)
    return stream


def assert_clean(text: str) -> None:
    """Something was written, and no trace of a canary is in it."""
    assert text.strip()
    assert [trace for trace in TRACES if trace in text] == []


def raised(error: BaseException) -> BaseException:
    """The error with a stack trace whose frame and source line hold a canary."""
    canary_local = NAME
    try:
        raise error
    except type(error) as caught:
        assert canary_local
        return caught


def test_json_is_in_the_form_of_google_cloud() -> None:
    """Severity, message and time have Google's names; the other fields stand beside them."""
    stream = configured()
    logs.get("shared.bulk").bind(run_id="run-1").warning("batch refused", rows=3, wait_s=1.5, kind="customers")
    (line,) = stream.lines
    datetime.fromisoformat(line.pop("time"))
    assert line == {
        "severity": "WARNING",
        "message": "batch refused",
        "logger": "shared.bulk",
        "run_id": "run-1",
        "rows": 3,
        "wait_s": 1.5,
        "kind": "customers",
    }


def test_text_is_one_line_for_people() -> None:
    """Time, level, event and fields; no colours into a file."""
    stream = configured(log_format="text")
    logs.get("shared.bulk").info("batch sent", run_id="run-1", rows=3)
    line = stream.getvalue()
    assert "batch sent" in line
    assert "run_id=run-1" in line
    assert line.count("\n") == 1
    assert "\x1b" not in line


def test_lines_below_the_level_are_not_written() -> None:
    """`LOG_LEVEL` is the least severe."""
    stream = configured("WARNING")
    log = logs.get("shared.x")
    for method in ("debug", "info", "warning", "error", "critical"):
        getattr(log, method)("something happened")
    assert [line["severity"] for line in stream.lines] == ["WARNING", "ERROR", "CRITICAL"]


@pytest.mark.parametrize(("level", "log_format"), [("LOUD", "json"), ("INFO", "xml")])
def test_an_unknown_level_or_format_is_refused(level: str, log_format: str) -> None:
    """The settings have checked them; this is for callers in code."""
    with pytest.raises(ValueError, match="level"):
        logs.configure(level, log_format)


def test_unknown_fields_are_dropped_and_named() -> None:
    """Only fields on the list are written; the others' keys show that something is missing."""
    stream = configured()
    logs.get("shared.x").info("batch mapped", batch_id="b-1", email=EMAIL, first_name=NAME, body={"a": NAME}, **{NAME: 1})
    assert_clean(stream.getvalue())
    assert stream.lines[0]["batch_id"] == "b-1"
    assert stream.lines[0]["dropped"] == ["[removed]", "body", "email", "first_name"]


@pytest.mark.parametrize("canary", CANARIES)
@pytest.mark.parametrize("log_format", ["json", "text"])
def test_known_fields_hold_no_personal_data_either(canary: str, log_format: str) -> None:
    """An allowed key with a value that is no id, code or count is dropped, however deep it stands."""
    stream = configured(log_format=log_format)
    values: list[object] = [canary, [canary], (1, canary), {canary: 1}, {"a": canary}, {"a": {"b": canary}}, {canary}, object()]
    for value in values:
        logs.get("shared.x").info("something happened", reason=value, error=canary, stack_trace=canary, exc_info=canary)
    assert_clean(stream.getvalue())


def test_an_event_takes_no_arguments() -> None:
    """Nothing is formatted into the event."""
    configured()
    log: Any = logs.get("shared.x")
    with pytest.raises(TypeError):
        log.info("hello %s", EMAIL)


@pytest.mark.parametrize(
    "telltale", [EMAIL, PHONE, TOKEN, f"Bearer {TOKEN}", "eyJcanary.eyJcanary.canary", "https://a/b?q=canary"]
)
def test_what_looks_like_personal_data_is_removed_from_texts(telltale: str) -> None:
    """A second line of defence in events and in our own errors' messages."""
    stream = configured()
    log = logs.get("shared.x")
    log.error(f"customer {telltale} failed", error=raised(SyncError(f"cannot send {telltale}")))  # noqa: G004 - the event itself is what leaks here
    assert_clean(stream.getvalue())
    assert "customer" in stream.lines[0]["message"]
    assert "cannot send" in stream.lines[0]["error"]


def test_our_own_sentences_survive() -> None:
    """Ids, pointers, questions and several problems in one message are no telltales."""
    sentences = (
        "order.propertis: unknown key; did you mean order.properties?; PUB_SUB_PORT: must be a whole number from 1 to 65535"
    )
    assert scrub(sentences) == sentences
    assert scrub("klaviyo answered 400 (invalid) at /data/0/attributes/phone_number, 2026-11-21T10:00:00+00:00") != ""
    assert scrub("12345678-1234-1234-1234-123456789012") == "12345678-1234-1234-1234-123456789012"


def test_a_line_stays_one_line() -> None:
    """Nobody forges a second line with a line break."""
    stream = configured(log_format="text")
    logs.get("shared.x").info("first\nsecond\r\x1b[31mthird")
    assert stream.getvalue().count("\n") == 1
    assert "\x1b" not in stream.getvalue()


class Kind(StrEnum):
    """A code."""

    ORDERS = "orders"


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (Kind.ORDERS, "orders"),
        (None, None),
        (True, True),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), "2026-01-02T03:04:05+00:00"),
        ("2026-01-02T03:04:05+00:00", "2026-01-02T03:04:05+00:00"),
        ("/data/0/attributes/email", "/data/0/attributes/email"),
        (["orders", Kind.ORDERS], ["orders", "orders"]),
        ({"no_email": 2, Kind.ORDERS: 1}, {"no_email": 2, "orders": 1}),
    ],
)
def test_harmless_values_are_written(value: object, written: object) -> None:
    """Ids, codes, times, pointers, and counts by code."""
    assert safe_fields({"reason": value}) == {"reason": written}


def test_numbers_may_have_any_name_with_a_unit() -> None:
    """A duration, a size, a count; a text under such a name is dropped."""
    assert safe_fields({"page_s": 0.5, "body_bytes": 7, "retry_count": 1}) == {"page_s": 0.5, "body_bytes": 7, "retry_count": 1}
    assert safe_fields({"body_bytes": "abc", "phone": 4930123}) == {"dropped": ["body_bytes", "phone"]}


def test_our_errors_are_told_with_their_message() -> None:
    """Type, message, the causes' types, and where; the causes' texts are not ours."""
    stream = configured()
    error = HostDown("klaviyo did not answer")
    error.__cause__ = KeyError(NAME)
    try:
        raise error
    except HostDown:
        logs.get("shared.x").exception("batch failed")
    (line,) = stream.lines
    assert (line["error_type"], line["error"], line["caused_by"]) == ("HostDown", "klaviyo did not answer", ["KeyError"])
    assert 'File "tests/unit/test_logs.py", line ' in line["stack_trace"]
    assert line["stack_trace"].endswith("HostDown: klaviyo did not answer")
    assert_clean(stream.getvalue())


def test_every_problem_of_the_settings_is_told() -> None:
    """Bad configuration stops the start with one message."""
    stream = configured()
    error = ConfigError([Problem("WORKERS", "must be a whole number from 1 to 64"), Problem("CT_API_URL", "is missing")])
    logs.get("shared.x").critical("cannot start", error=error)
    assert stream.lines[0]["error"] == "WORKERS: must be a whole number from 1 to 64; CT_API_URL: is missing"


def foreign_errors() -> list[BaseException]:
    """Errors of libraries whose texts quote what they were given."""
    request = httpx.Request("GET", f"https://a.example.com/api?filter={EMAIL}", headers={"Authorization": TOKEN})
    response = httpx.Response(400, text=NAME, request=request)
    errors: list[BaseException] = [ValueError(EMAIL, NAME), httpx.HTTPStatusError(EMAIL, request=request, response=response)]
    for content in (b'{"a": "Canary Ann"}', b"Canary Ann"):
        with pytest.raises((msgspec.ValidationError, msgspec.DecodeError)) as refused:
            msgspec.json.decode(content, type=dict[str, int])
        errors.append(refused.value)
    with pytest.raises(UnicodeDecodeError) as undecodable:
        f"{NAME}é".encode("latin-1").decode()
    return [*errors, undecodable.value, ExceptionGroup(NAME, [ValueError(EMAIL)])]


@pytest.mark.parametrize("log_format", ["json", "text"])
def test_errors_of_others_are_told_by_type_and_place_only(log_format: str) -> None:
    """Their texts, notes, locals and source lines may hold a body."""
    stream = configured(log_format=log_format)
    for error in foreign_errors():
        error.add_note(NAME)
        logs.get("shared.x").error("mapping failed", error=raised(error))
    assert_clean(stream.getvalue())
    assert "httpx.HTTPStatusError" in stream.getvalue()
    assert "msgspec.ValidationError" in stream.getvalue()
    assert "tests/unit/test_logs.py" in stream.getvalue()


LIBRARIES = (
    "httpx",
    "httpcore.http11",
    "werkzeug",
    "gunicorn.error",
    "gunicorn.access",
    "uvicorn.access",
    "bulk_dispatch",
    "google.auth",
)


@pytest.mark.parametrize("name", LIBRARIES)
@pytest.mark.parametrize("log_format", ["json", "text"])
def test_records_of_libraries_keep_no_text(name: str, log_format: str) -> None:
    """Even at DEBUG: in the template, the arguments, an error, extra attributes or a stack."""
    stream = configured(log_format=log_format)
    library = logging.getLogger(name)
    library.setLevel(logging.DEBUG)
    try:
        for canary in CANARIES:
            library.debug("sent %r", canary)
            library.info(f"sent {canary}")
            library.warning("sent %(who)s", {"who": canary})
            library.error(ValueError(canary), exc_info=raised(ValueError(canary)))
            library.error("wrong number of arguments %d %d", canary)
            library.critical("with extras", extra={"email": canary}, stack_info=True)
    finally:
        library.setLevel(logging.NOTSET)
    assert_clean(stream.getvalue())
    assert name in stream.getvalue()


def test_loggers_that_a_library_has_cut_off_are_ours_again() -> None:
    """Google's clients do so when they are loaded; what is cut off ends on standard error, as no line of ours."""
    logging.getLogger("google").propagate = False
    stream = configured()
    logging.getLogger("google.auth").warning("token of %s refused", CANARIES[0])
    assert "google.auth" in stream.getvalue()
    assert_clean(stream.getvalue())


def test_other_peoples_handlers_have_nothing_to_leak() -> None:
    """gunicorn, Flask and functions-framework install handlers after us; they see emptied records."""
    configured()
    library, late = logging.getLogger("late.library"), io.StringIO()
    handler = logging.StreamHandler(late)
    library.addHandler(handler)
    try:
        library.error("for %s", EMAIL, exc_info=raised(ValueError(NAME)), stack_info=True)
    finally:
        library.removeHandler(handler)
    assert_clean(late.getvalue())
    assert "ValueError" in late.getvalue()


def test_a_record_made_behind_the_factorys_back_is_reduced() -> None:
    """Its text is not ours to write."""
    stream = configured()
    logging.getLogger().handle(logging.LogRecord("x", logging.ERROR, "x.py", 1, "for %s", (EMAIL,), None))
    logging.getLogger().handle(logging.makeLogRecord({"name": "x", "levelno": 40, "msg": EMAIL, "args": ()}))
    assert len(stream.lines) == 2
    assert_clean(stream.getvalue())


def test_what_gunicorn_says_of_its_processes_is_kept() -> None:
    """Its templates are constants; numbers are shown, texts are not."""
    record = LibraryRecord("gunicorn.error", 40, "x.py", 1, "Worker (pid:%s) was sent %s!", (7, NAME), None)
    assert record.getMessage() == "Worker (pid:7) was sent ...! at x.py:1"


def test_a_library_error_names_type_and_place() -> None:
    """Enough to find it."""
    stream = configured()
    logging.getLogger("some.library").error("x", exc_info=raised(ValueError(NAME)))
    (line,) = stream.lines
    assert (line["logger"], line["severity"], line["error_type"]) == ("some.library", "ERROR", "ValueError")
    assert line["at"].startswith("tests/unit/test_logs.py:")


def test_libraries_are_quiet_below_warning() -> None:
    """httpx would write a line per request."""
    stream = configured("DEBUG")
    with httpx.Client(transport=httpx.MockTransport(lambda _request: httpx.Response(200))) as client:
        client.get(f"https://a.example.com/?email={EMAIL}")
    assert stream.getvalue() == ""


def test_a_warning_is_told_by_category_and_place() -> None:
    """Its text may quote a value."""
    stream = configured()
    warnings.warn(f"deprecated {EMAIL}", DeprecationWarning, stacklevel=1)
    (line,) = stream.lines
    assert (line["severity"], line["category"]) == ("WARNING", "DeprecationWarning")
    assert_clean(stream.getvalue())


def test_an_error_in_a_thread_is_told_without_its_text() -> None:
    """Python would print it."""
    stream = configured()

    def fail() -> None:
        raise ValueError(NAME)

    thread = threading.Thread(target=fail)
    thread.start()
    thread.join()
    assert stream.lines[0]["error_type"] == "ValueError"
    assert_clean(stream.getvalue())


def test_before_configuration_the_same_rules_hold(capsys: pytest.CaptureFixture[str]) -> None:
    """A module that logs early, or a program that forgot, leaks nothing."""
    logs.get("shared.x").error("failed", email=EMAIL, error=raised(ValueError(NAME)))
    structlog.get_logger().error("failed", email=EMAIL)
    assert_clean(capsys.readouterr().err)


def test_a_closed_stream_ends_no_work() -> None:
    """A line that cannot be written is lost, nothing else."""
    stream = configured()
    stream.close()
    logs.get("shared.x").info("something happened")
    logging.getLogger("some.library").error("x")


def own_log_calls() -> Iterator[tuple[str, ast.Call]]:
    """Every call of a logger in the product's code, with its place."""
    for folder in ("shared", "functions"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            if path.is_relative_to(ROOT / "shared" / "logs"):
                continue
            for node in ast.walk(ast.parse(path.read_text())):
                if (
                    isinstance(node, ast.Call)
                    and isinstance(node.func, ast.Attribute)
                    and node.func.attr in ("debug", "info", "warning", "error", "critical", "exception")
                    and ast.unparse(node.func.value).split("(")[0].split(".")[-1] in ("log", "_log", "bind")
                ):
                    yield f"{path.relative_to(ROOT)}:{node.lineno}", node


def names_of(keyword: ast.keyword) -> list[str]:
    """The fields that an argument of a call brings; many at once only where they are those of a dead letter."""
    if keyword.arg is not None:
        return [keyword.arg]
    assert ast.unparse(keyword.value) == "log_fields(letter)"
    return [*log_fields(DeadLetter(letter_id="1", at=datetime(2026, 1, 2, tzinfo=UTC), source="import", reason="invalid"))]


def test_every_event_of_ours_is_a_constant_with_known_fields() -> None:
    """What varies stands in fields, and no field of ours is dropped."""
    calls = list(own_log_calls())
    assert calls
    varying = [place for place, call in calls if not isinstance(call.args[0], ast.Constant)]
    dropped = [
        f"{place} {name}"
        for place, call in calls
        for keyword in call.keywords
        for name in names_of(keyword)
        if name not in FIELDS | {"error", "exc_info"} and not name.endswith(NUMERIC_ENDINGS)
    ]
    assert (varying, dropped) == ([], [])


def test_no_field_is_allowed_that_nobody_writes() -> None:
    """What is let through was thought about: a new field comes with the line that has it."""
    written = {str(keyword.arg) for _, call in own_log_calls() for keyword in call.keywords}
    assert FIELDS - written == {"category"}  # that of libraries' lines


def run(program: str) -> subprocess.CompletedProcess[str]:
    """A process of its own."""
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )


def test_an_uncaught_error_is_told_without_its_text() -> None:
    """Of the main thread, of one that cannot be raised, and of a broken handler's record."""
    done = run(
        """
        import logging
        from shared import logs
        logs.configure("INFO", "json")
        class Broken(logging.Handler):
            def emit(self, record):
                try:
                    raise ValueError("Canary Ann")
                except ValueError:
                    self.handleError(record)
        logging.getLogger("x").addHandler(Broken())
        logging.getLogger("x").error("Canary %s", "Canary Ann")
        class Finalized:
            def __del__(self):
                raise ValueError("Canary Ann")
        Finalized()
        raise RuntimeError("Canary Ann")
        """
    )
    assert done.returncode == 1
    assert done.stdout == ""
    assert_clean(done.stderr)
    events = [json.loads(line)["message"] for line in done.stderr.splitlines()]
    assert events == ["a library wrote a log line", "error that could not be raised", "uncaught error"]


def test_a_function_that_fails_under_functions_framework_leaks_nothing(tmp_path: Path) -> None:
    """Flask logs the error with the request's path; the answer and the log have neither payload nor text."""
    source = tmp_path / "main.py"
    source.write_text(
        textwrap.dedent(
            """
            from shared import logs
            logs.configure("INFO", "json")
            def handle(request):
                raise ValueError(request.get_data(as_text=True))
            """
        )
    )
    done = run(
        f"""
        from functions_framework import create_app
        client = create_app("handle", {str(source)!r}, "http").test_client()
        answer = client.post("/canary?email=canary@example.com", data="Canary Ann", headers={{"Authorization": "Canary"}})
        print(answer.status_code, answer.get_data(as_text=True))
        """
    )
    assert done.stdout.startswith("500 ")
    assert_clean(done.stdout)
    assert_clean(done.stderr)
    (line,) = [json.loads(text) for text in done.stderr.splitlines()]
    assert (line["logger"], line["error_type"]) == ("handle", "ValueError")
