"""Loading at the speed of the disk: web events against DuckDB's own copy and dlt's dictionaries.

`KHACH_BENCH` is a folder that keeps the generated deliveries; `KHACH_BENCH_EVENTS` and
`KHACH_BENCH_FILES` make them smaller than ten million events in 100 files.
"""

import os
import tempfile
from pathlib import Path

from benchmarks.ingesting import events

_PARTS = (events.measure,)


def run() -> bool:
    """Measure every part; its last lines are the figures beside their bars."""
    with tempfile.TemporaryDirectory(prefix="khach-bench-") as folder:
        cache = Path(os.environ.get("KHACH_BENCH") or folder)
        results = [measure(cache) for measure in _PARTS]
    for figures, _ in results:
        print(figures)
    return all(met for _, met in results)
