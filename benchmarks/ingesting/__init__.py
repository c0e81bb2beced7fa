"""Parts of `benchmarks/ingest.py`: what is delivered, and one module per shape."""
