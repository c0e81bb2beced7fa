"""One module per kind of source, each with its `SPEC`; named in `ingestion/registry.py`."""
