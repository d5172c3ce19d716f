"""A small simulated commercetools Connect API: tokens, connectors, staged connectors, deployments.

What takes minutes at Connect takes a few looks here; `Outcomes` says how it ends. Rules and names are those of the API's
published RAML. A staged connector's configuration is read, as there, from `connect.yaml` at the root of a tag of a repository.
"""
