"""The subscriptions that a deployment needs at commercetools: made, verified and removed (decisions.md 16).

`python -m post_deploy` after a deployment, `python -m post_deploy.pre_undeploy` before it ends; both on commercetools Connect
and anywhere else.
"""
