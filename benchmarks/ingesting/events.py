"""Web events: the product's ingest, DuckDB's own copy and dlt's dictionaries on the same files."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

import duckdb

from benchmarks.ingesting.generate import Delivery, deliver, truth
from khach.environment import PROJECT

EVENTS, FILES, RUNS = 10_000_000, 100, 3
SLICE = 100_000  # so many that the start of dlt is little of it
RATIO_BAR, DICT_BAR, MEMORY_BAR_MIB, FLAT_BAR = 0.55, 40, 1024, 1.15

_SOURCES = """sources:
  web: {kind: segment, area: web, folder: "FOLDER", from: "*.ndjson.gz"}
"""
_INGEST = """
from khach.environment import load_environment
from ingestion.run import ingest
ingest(load_environment(), "web")
"""
# Both ways to write it: what DuckDB makes of the columns, and nested parts kept as JSON text.
_COPIES = {
    "auto": "",
    "declared": ", columns={messageId: 'varchar', type: 'varchar', event: 'varchar', "
    "anonymousId: 'varchar', userId: 'varchar', timestamp: 'timestamp', sentAt: 'timestamp', "
    "receivedAt: 'timestamp', properties: 'json', traits: 'json', context: 'json'}",
}
_COPY = """
import duckdb
duckdb.execute("set enable_progress_bar = false")
duckdb.execute("copy (select * from read_json('FOLDER/*.ndjson.gz', format='newline_delimited', "
    "ignore_errors=true COLUMNS)) to 'TARGET' (format parquet)")
"""
# The same job: bad lines kept, each row with its file and line. Pages of rows and dlt's own JSON,
# both faster than a row at a time and Python's; nested parts to columns, the array to a table.
_DICTS = """
import gzip
import dlt
from dlt.common import json
refused = []
@dlt.resource
def events():
    page = []
    with gzip.open("FILE") as lines:
        for number, line in enumerate(lines, 1):
            try:
                row = json.loadb(line)
            except ValueError:
                refused.append((number, line))
                continue
            row["_file"], row["_row"] = "slice.ndjson.gz", number
            page.append(row)
            if len(page) == 1000:
                yield page
                page = []
    yield page
dlt.pipeline("slice", pipelines_dir="WORK", dataset_name="slice",
    destination=dlt.destinations.filesystem(bucket_url="TARGET")).run(
    events, loader_file_format="parquet")
assert len(refused) == BAD, len(refused)
"""


def measure(cache: Path) -> tuple[str, bool]:
    """The line of figures beside their bars, and whether all are met."""
    events = int(os.environ.get("KHACH_BENCH_EVENTS", EVENTS))
    files = min(int(os.environ.get("KHACH_BENCH_FILES", FILES)), events // 1000)
    delivery = deliver(cache / f"events-{events}-{files}", events, files)
    with tempfile.TemporaryDirectory(prefix="khach-bench-", dir=cache) as folder:
        work = Path(folder)
        rates, memory = _alternate(delivery, work)
        lost = _wrong_rows(delivery, work / "home")
        dicts = _dict_rate(delivery, work)
        growth = _growth(cache, work)
    ours = statistics.median(rates["khach"])
    bare = max(statistics.median(rates[name]) for name in _COPIES)
    print(f"events: {events:,} in {files} files; rows lost or changed: {lost}")
    met = (
        ours / bare >= RATIO_BAR
        and ours / dicts >= DICT_BAR
        and memory < MEMORY_BAR_MIB
        and growth <= FLAT_BAR
        and lost == 0
    )
    figures = (
        f"events: {ours:,.0f} rows/s, {ours / bare:.2f} of DuckDB's copy (bar {RATIO_BAR}), "
        f"{ours / dicts:.0f} times dlt's dictionaries (bar {DICT_BAR}), peak memory "
        f"{memory:.0f} MiB (bar {MEMORY_BAR_MIB}), {growth:.2f} times that in 50 times the files "
        f"(bar {FLAT_BAR}), {lost} rows lost or changed (bar 0)"
    )
    return figures, met


def _alternate(delivery: Delivery, work: Path) -> tuple[dict[str, list[float]], float]:
    """Rows per second of each way, run in turn, and the ingest's largest peak in MiB."""
    rates: dict[str, list[float]] = {"khach": [], **{name: [] for name in _COPIES}}
    peaks = []
    for _ in range(RUNS):
        seconds, peak = _ingest(delivery.folder, work / "home")
        peaks.append(peak)
        rates["khach"].append(delivery.events / seconds)
        for name, columns in _COPIES.items():
            target = work / "copy.parquet"
            script = _COPY.replace("FOLDER", str(delivery.folder)).replace("COLUMNS", columns)
            seconds, copy_peak = _run(script.replace("TARGET", str(target)))
            target.unlink()
            rates[name].append(delivery.events / seconds)
            print(f"  copy ({name}): {rates[name][-1]:,.0f} rows/s, peak {copy_peak:.0f} MiB")
        print(f"  khach: {rates['khach'][-1]:,.0f} rows/s, peak {peaks[-1]:.0f} MiB", flush=True)
    return rates, max(peaks)


def _ingest(folder: Path, home: Path) -> tuple[float, float]:
    shutil.rmtree(home, ignore_errors=True)
    config = home / "config"
    config.mkdir(parents=True)
    (config / "sources.yml").write_text(_SOURCES.replace("FOLDER", str(folder)))
    return _run(_INGEST, KHACH_ENV="dev", KHACH_HOME=str(home), KHACH_CONFIG=str(config))


def _run(script: str, **variables: str) -> tuple[float, float]:
    """Seconds of a new process, start to end, and its peak of resident memory in MiB."""
    tail = "\nimport resource\nprint(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)"
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", script + tail],
        cwd=PROJECT,
        env=os.environ | variables,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    return time.perf_counter() - started, float(done.stdout.split()[-1])


def _wrong_rows(delivery: Delivery, home: Path) -> int:
    """Rows that should be in the lake and are not, or are and should not be, and bad lines."""
    columns = (
        "_file, message_id, event, anonymous_id, user_id, occurred_at, sent_at, received_at, "
        "properties, traits, context"
    )
    landed = f"read_parquet('{home}/lake/raw_web/events/*.parquet')"
    wrong = 0
    with duckdb.connect(config={"memory_limit": "4GB"}) as connection:
        connection.execute(
            "create temp table landed as select _file, count(*) as n, "
            f"sum(hash(({columns}))) as marks, count(distinct _row) as numbers "
            f"from {landed} group by _file"
        )
        for number in range(delivery.files):
            found = connection.execute(
                "select l.n, l.marks, l.numbers, t.n, t.marks from (select count(*) as n, "
                f"sum(hash(({columns}))) as marks, min(_file) as _file "
                f"from ({truth(delivery, number)})) as t left join landed as l using (_file)"
            ).fetchone()
            if found is None or found[0] != found[3]:
                wrong += abs(found[3] - (found[0] or 0)) if found else delivery.per_file
            elif found[1] != found[4] or found[2] != found[0]:
                wrong += 1  # at least
    refused = sum(
        len(path.read_text().splitlines())
        for path in (home / "lake" / "quarantine" / "web" / "events").iterdir()
    )
    return wrong + abs(refused - delivery.bad)


def _dict_rate(delivery: Delivery, work: Path) -> float:
    """Rows per second of dlt's dictionaries on the first lines, whole process as the others are."""
    lines = _first(delivery, SLICE)
    seconds = [_dicts(work, lines[:count]) for count in (10, len(lines))]
    rate = len(lines) / seconds[1]
    without_start = len(lines) / (seconds[1] - seconds[0])
    print(f"  dlt's dictionaries: {rate:,.0f} rows/s ({without_start:,.0f} without its start)")
    return rate


def _dicts(work: Path, lines: Sequence[bytes]) -> float:
    folder = work / "dicts"
    folder.mkdir(parents=True)
    path = folder / "slice.ndjson.gz"
    path.write_bytes(gzip.compress(b"\n".join(lines)))
    bad = sum(not _is_json(line) for line in lines)
    script = _DICTS.replace("FILE", str(path)).replace("WORK", str(folder / "pipelines"))
    script = script.replace("TARGET", str(folder / "lake")).replace("BAD", str(bad))
    seconds, _ = _run(script, RUNTIME__DLTHUB_TELEMETRY="0")
    shutil.rmtree(folder)
    return seconds


def _first(delivery: Delivery, count: int) -> list[bytes]:
    def lines() -> Iterator[bytes]:
        for path in sorted(delivery.folder.glob("*.gz")):
            with gzip.open(path) as content:
                yield from (line.rstrip() for line in content)

    return list(islice(lines(), count))


def _is_json(line: bytes) -> bool:
    try:
        json.loads(line)
    except ValueError:
        return False
    return True


def _growth(cache: Path, work: Path) -> float:
    """Peak memory of the same events in 50 times the files."""
    peaks = []
    for files in (10, 500):
        delivery = deliver(cache / f"flat-{files}", 500_000, files)
        peaks.append(_ingest(delivery.folder, work / "flat")[1])
    return peaks[1] / peaks[0]
