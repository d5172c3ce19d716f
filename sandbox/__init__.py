"""Simulators of the two vendors' APIs, with independent ledgers and injectable faults. No part of the product imports this."""
