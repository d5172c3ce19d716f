"""Simulators of the two vendors' APIs, with independent ledgers and injectable faults. The product never imports this."""
