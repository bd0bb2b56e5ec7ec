"""Measurements of speed, each runnable as ``python -m benchmarks.<name>``."""
