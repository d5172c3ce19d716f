"""The commercetools Connect API, one step a call: `python -m deploy.connect_api STEP`, by hand or in a workflow.

Each step fetches a token of its own and keeps it to itself. Facts about the API are those of its published RAML, and of
docs.commercetools.com/connect. How its parts go together: decisions.md 16.
"""
