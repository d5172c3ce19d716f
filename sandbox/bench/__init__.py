"""Benchmarks of the product against the simulators: `python -m sandbox.bench customers` and `... realtime`."""
