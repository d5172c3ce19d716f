#!/bin/sh
# Becomes the bundle's own Python: sh python.sh FILE [ARGUMENTS], or sh python.sh -m MODULE [ARGUMENTS].
# The process id stays the same, so that who stops this stops Python.
set -eu
cd "$(dirname "$0")"
if [ ! -f .python/built ]; then
    echo "this bundle has no Python yet; run: npm run gcp-build" >&2
    exit 1
fi
# Whatever else the platform's environment says, Python, the framework and gunicorn are told here how to run.
unset PYTHONHOME PYTHONSTARTUP DEBUG CLOUD_RUN_TIMEOUT_SECONDS THREADED_TIMEOUT_ENABLED GUNICORN_CMD_ARGS WEB_CONCURRENCY
unset FUNCTION_TARGET FUNCTION_SOURCE FUNCTION_SIGNATURE_TYPE
export PYTHONPATH="$PWD/src" PYTHONNOUSERSITE=1 PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
# The platform guards the endpoint and its disk does not last (ADR 0018 of the product).
export ON_CONNECT=true
# One process, whose threads wait for the two APIs most of their time; Connect's machine has one processor. Room for 80 deliveries at
# once, Cloud Run's default for an instance, and for health checks: what waits for a thread is answered later than its deadline.
export HOST=0.0.0.0 WORKERS=1 THREADS=100
# As for every function: no arena of memory for each thread, and the megabytes of a large body are given back.
export MALLOC_ARENA_MAX=2 MALLOC_MMAP_THRESHOLD_=1048576
exec .python/bin/python3 "$@"
