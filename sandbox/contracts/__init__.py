"""Strict contracts of the simulated APIs, derived from the vendors' own documents and committed here."""
