"""State and queue on Google Cloud (decisions.md 12). Imports grpc, so realtime never imports it."""
