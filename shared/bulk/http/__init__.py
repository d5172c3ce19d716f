"""The import API over HTTP (http-api.md)."""

MOST_BODY_BYTES = 1_000_000
"""The largest body of a call or of a message."""
