"""How fast neuronsim is, beside what others reach on the same work: ``python -m benchmarks`` from a checkout."""
