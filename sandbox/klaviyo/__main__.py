"""`python -m sandbox.klaviyo --port 8082 --key pk_sandbox`: the simulator as a server on loopback."""

import argparse
import sys

import msgspec

from sandbox.klaviyo import KlaviyoSandboxSettings, create_app
from sandbox.serving import is_loopback, serve


def main(arguments: list[str] | None = None) -> int:
    """Parse the command line and serve until a signal."""
    defaults = KlaviyoSandboxSettings()
    parser = argparse.ArgumentParser(prog="python -m sandbox.klaviyo", description="Serve a simulated Klaviyo.")
    parser.add_argument("--host", default="127.0.0.1", help="a loopback address (default: %(default)s)")
    parser.add_argument("--port", type=int, default=8082, help="0 picks a free one (default: %(default)s)")
    parser.add_argument("--key", default=defaults.key, help="the private key accepted (default: %(default)s)")
    parser.add_argument("--job-seconds", type=float, default=defaults.job_base_s, help="duration of a job (default: %(default)s)")
    parser.add_argument("--settings", default="{}", help="further settings as a JSON object")
    options = parser.parse_args(arguments)
    if not is_loopback(options.host):
        parser.error("--host must be a loopback address")
    try:
        given = msgspec.json.decode(options.settings, type=dict[str, object])
        settings = msgspec.convert({"key": options.key, "job_base_s": options.job_seconds, **given}, KlaviyoSandboxSettings)
    except (msgspec.ValidationError, msgspec.DecodeError) as error:
        parser.error(f"--settings: {error}")
    serve(create_app(settings), options.host, options.port)
    return 0


if __name__ == "__main__":
    sys.exit(main())
