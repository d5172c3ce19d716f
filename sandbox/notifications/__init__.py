"""Notifications as commercetools sends them about the simulated project, and their delivery by HTTP push."""
