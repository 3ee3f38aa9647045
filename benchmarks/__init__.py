"""Times torc beside its peers: ``python -m benchmarks``."""
