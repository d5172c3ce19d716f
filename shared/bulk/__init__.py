"""The import, from `POST /sync/{kind}` to the last item in Klaviyo. Which module comes after which:

A **start** arrives at `http.api`, which has the body read by `http.start_body` and calls `commands`. For one kind that calls
`control`: it takes the import lock, asks `source` how many items there are, lets `plan` cut them into ranges, records the run,
and puts a plan message for each range into the queue (`publish`). For all kinds it calls `chain_control`, which records the
chain and begins its first link by `control`. Stop, resume and retry take the same way.

A **plan message** arrives at `http.tasks` and goes to `dispatch`, which plans a slice of its range, step by step: the next ids
come from `source`, from `feeds` where they are no slice of the id space, or from a list (those of the start, or the failures
that are retried); `plan` makes batches of them; batches and cursor are recorded together; then each batch is published as a
work message. If time is over before the range is, the rest becomes another plan message.

A **work message** arrives at `http.tasks` and goes to `work`, which takes the batch under a lease and hands it to the module of
its kind in `kinds`: that reads the items, with the help of `source`, maps and sends them, and counts what became of each by
`tally`. Meanwhile `watch` looks whether the run still goes on, and renews the leases. At the end `work` records the result, once.

**Each of these deliveries ends** with `chain.go_on`: `finish` gives the run its final state when nothing is left, or has the
closing sweep planned; and when the run was a link of a chain that has ended, the next link begins.

Beside that: `records` and `messages` are what is stored and sent, `run` is the state machine of a run, `ports` says what an
import needs of store and queue, `app` holds all that its parts work with, and `wiring` chooses it. `progress` and
`chain_progress` show a run to people; `results` adds up, `masking` hides persons in examples, `refusals` reports strangers.
"""
