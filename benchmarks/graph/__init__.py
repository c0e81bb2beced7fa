"""The identity graph that benchmarks.identity measures: its tables, and one day more of it."""
