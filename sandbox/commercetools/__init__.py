"""A simulated commercetools project: REST, GraphQL, custom objects, subscriptions and OAuth, over sample data.

It is faithful to the vendor's contract and knows nothing of any client. Where the vendor is silent or lenient, it is
the stricter of the two: unknown query parameters, fields and body members are refused.
"""
