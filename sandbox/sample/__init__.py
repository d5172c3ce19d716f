"""Seeded sample data: API-shaped commercetools resources, the same for the same seed, one row at a time."""
