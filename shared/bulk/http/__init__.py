"""The import API over HTTP (http-api.md)."""
