"""Serve it on loopback: `python -m sandbox.connect_api --repository git@github.com:owner/repo.git=FOLDER --preview rejected`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from sandbox.connect_api.api import ConnectApi
from sandbox.connect_api.rules import DEPLOYMENTS, PREVIEWS, REDEPLOYS, RETAGS, UNDEPLOYS, VALUES, Outcomes
from sandbox.serving import serve


def main(arguments: Sequence[str]) -> None:
    """Serve it until a signal."""
    options = _parser().parse_args(arguments)
    names = ("preview", "deployment", "redeploy", "undeploy", "retag", "values", "looks")
    outcomes = Outcomes(**{name: getattr(options, name) for name in names})
    repositories = {address: Path(folder) for address, _, folder in (one.rpartition("=") for one in options.repository)}
    api = ConnectApi(repositories=repositories, outcomes=outcomes)

    async def handle(request: Request) -> JSONResponse:
        authorization, body = request.headers.get("authorization", ""), await request.body()
        status, answer = api.answer(request.method, request.url.path, request.url.query, authorization, body)
        return JSONResponse(answer, status)

    serve(Starlette(routes=[Route("/{path:path}", handle, methods=["GET", "POST", "DELETE"])]), "127.0.0.1", options.port)


def _parser() -> argparse.ArgumentParser:
    default = Outcomes()
    parser = argparse.ArgumentParser(prog="python -m sandbox.connect_api", description="A simulated commercetools Connect API.")
    parser.add_argument("--port", type=int, default=0, help="0 picks a free one")
    parser.add_argument(
        "--repository", action="append", default=[], metavar="ADDRESS=FOLDER", help="the repository that an address leads to"
    )
    parser.add_argument("--preview", choices=PREVIEWS, default=default.preview, help="how a validation ends")
    parser.add_argument("--deployment", choices=DEPLOYMENTS, default=default.deployment, help="how a deployment ends")
    parser.add_argument("--redeploy", choices=REDEPLOYS, default=default.redeploy, help="what becomes of a new connector version")
    parser.add_argument("--undeploy", choices=UNDEPLOYS, default=default.undeploy, help="how taking down ends")
    parser.add_argument(
        "--retag", choices=RETAGS, default=default.retag, help="what becomes of a validation when the tag changes"
    )
    parser.add_argument("--values", choices=VALUES, default=default.values, help="what becomes of values that are left out")
    parser.add_argument("--looks", type=int, default=default.looks, help="how many reads see something in progress")
    return parser


if __name__ == "__main__":
    main(sys.argv[1:])
