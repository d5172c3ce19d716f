"""Post one notification by hand: `python -m sandbox.notifications OrderCreated --commercetools URL --function URL`.

It is about the resource that `--id` names, or the first of its kind; the project is not changed. Prints the answer's status.
"""

import argparse
import sys
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime
from random import Random

from sandbox.notifications.delivery import ACKNOWLEDGED
from sandbox.notifications.drafts import new_ids
from sandbox.notifications.envelopes import ENVELOPES, Post, cloud_event
from sandbox.notifications.of_resource import KINDS
from sandbox.notifications.platform import Stamp, without_payload
from sandbox.notifications.project import ProjectControl
from sandbox.notifications.wire import Connection, NoAnswer

TIMEOUT_S = 30.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; 0 when the notification was acknowledged."""
    parser = argparse.ArgumentParser(prog="python -m sandbox.notifications", description=__doc__)
    parser.add_argument("kind", choices=sorted(KINDS), metavar="KIND", help=", ".join(sorted(KINDS)))
    parser.add_argument("--commercetools", required=True, metavar="URL", help="the simulated project")
    parser.add_argument("--function", required=True, metavar="URL", help="the realtime function")
    parser.add_argument("--id", help="of the resource; the first of its kind when none is given")
    parser.add_argument("--envelope", choices=sorted(ENVELOPES), default="pubsub")
    parser.add_argument("--cloud-events", action="store_true", help="in the CloudEvents format instead of the Platform format")
    parser.add_argument("--without-payload", action="store_true", help="as commercetools sends what is too large")
    parser.add_argument("--show", action="store_true", help="print the notification, too")
    options = parser.parse_args(arguments)
    collection, about = KINDS[options.kind]
    with closing(ProjectControl(options.commercetools)) as project:
        rows = project.all(collection)
    told_of = (row for row in rows if row.get("transactions") != [])  # of a payment only a transaction can be told
    resource = next((row for row in told_of if options.id in (None, row["id"])), None)
    if resource is None:
        parser.error(f"the project has no such resource among its {collection}")
    at = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    notification = about(resource, Stamp(id=next(new_ids(Random())), at=at, project_key=project.project_key))
    if options.without_payload:
        if "type" not in notification:
            parser.error("only messages have a payload to leave out")
        notification = without_payload(notification)
    sent = cloud_event(notification) if options.cloud_events else notification
    request = ENVELOPES[options.envelope](sent, Post(message_id=str(notification.get("id", resource["id"])), published_at=at))
    if options.show:
        sys.stdout.write(ENVELOPES["bare"](sent, Post()).body.decode() + "\n")
    with closing(Connection(options.function, TIMEOUT_S)) as connection:
        try:
            status = connection.send("POST", connection.path, request.headers, request.body).status
        except NoAnswer:
            parser.error("the function does not answer")
    sys.stdout.write(f"{options.kind} of {resource['id']}: {status}\n")
    return 0 if status in ACKNOWLEDGED else 1


if __name__ == "__main__":
    sys.exit(main())
