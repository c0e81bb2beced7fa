"""The identity graph at 5 million edges: from the tables of edges to the events in the ledger.

Persons have one to five identifiers, some show a link twice over, households share a device, a few
persons break a limit, and tills' tablets tie thousands of cards. Everything lies in one DuckDB
file, as in the warehouse: reading it, resolving with limits on, the events and appending them are
in the figure. The increment is a day later: 1 % of edges more, on new persons and old ones; finding
what they touch, reading that much, resolving it and appending are in its figure. Bare is scipy's
connected components of the same edges, arrays to labels, the median of three runs in between.
"""

import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from benchmarks.graph.day import resolve_day
from benchmarks.graph.tables import NEW_DAY, Clock, append, arrow, build, open_file, value
from identity.events import events_of
from identity.increment import resolve
from identity.quarantine import LIMITS

PERSONS, SHARE_NEW = 1_800_000, 0.01
SECONDS_BAR, GIB_BAR, RATIO_BAR, INCREMENT_BAR = 30.0, 4.0, 10.0, 0.10
LIMIT_ROWS = [
    {"identifier_type": kind, "namespace": None, "per_person": most, "shared_above": None}
    for kind, most in (("user_id", 1), ("member_number", 1), ("email", 5), ("phone", 5))
]


def run() -> bool:
    """Build the tables, resolve all of it, then a day more, beside bare scipy."""
    limits = pa.Table.from_pylist(LIMIT_ROWS, LIMITS)
    with tempfile.TemporaryDirectory(prefix="khach-bench-") as folder:
        build(Path(folder) / "warehouse.duckdb", PERSONS)
        database = open_file(Path(folder) / "warehouse.duckdb")
        database.execute("set threads = 2; set memory_limit = '1200MB'")
        edge_count = value(database, "select count(*) from edges")
        bare = [_bare(database)]
        full, parts = _timed(lambda clock: _resolve_all(database, limits, clock))
        bare += [_bare(database), _bare(database)]
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        events = value(database, "select count(*) from ledger")
        database.execute(NEW_DAY.format(per_mille=SHARE_NEW * edge_count / PERSONS * 1000))
        database.execute("checkpoint")  # as the end of the process before would
        added = value(database, "select count(*) from edges") - edge_count
        day, day_parts = _timed(lambda clock: resolve_day(database, limits, clock))
        new_events = value(database, "select count(*) from ledger") - events
        held = value(database, "select count(*) from quarantine")
        database.close()
    scipy = float(np.median(bare))
    print(f"{edge_count:,} edges, {events:,} events, {held:,} links held back: {parts}")
    print(f"1 % more: {added:,} edges, {new_events:,} events: {day_parts}; scipy {scipy:.2f} s")
    print(
        f"identity: {full:.1f} s (bar {SECONDS_BAR:.0f} s), {peak:.1f} GiB (bar {GIB_BAR:.0f}), "
        f"{full / scipy:.1f} times bare scipy (bar {RATIO_BAR:.0f}), 1 % increment {day:.2f} s = "
        f"{day / full:.1%} (bar {INCREMENT_BAR:.0%})"
    )
    return (
        edge_count >= 5_000_000
        and full < SECONDS_BAR
        and peak < GIB_BAR
        and full / scipy <= RATIO_BAR
        and day / full < INCREMENT_BAR
    )


def _resolve_all(database: duckdb.DuckDBPyConnection, limits: pa.Table, clock: Clock) -> None:
    nodes = arrow(database, "select *, null::bigint as previous_customer_number from nodes")
    edges = arrow(database, "select * from edges")
    clock.lap("read")
    found = resolve(nodes, edges, limits, last_customer_number=0)
    clock.lap("resolve")
    known = nodes.slice(0, 0).rename_columns({"previous_customer_number": "customer_number"})
    del nodes
    events = events_of(found.proposal, edges, known, last_customer_number=0, last_event_number=0)
    clock.lap("events")
    append(database, found, events)
    clock.lap("append")


def _timed(work: Callable[[Clock], None]) -> tuple[float, str]:
    clock = Clock()
    work(clock)
    return time.perf_counter() - clock.started, ", ".join(clock.laps)


def _bare(database: duckdb.DuckDBPyConnection) -> float:
    """Bare connected components of the edges in the table."""
    ends = database.sql("select left_node, right_node from edges").fetchnumpy()
    count = value(database, "select max(node_id) + 1 from nodes")
    started = time.perf_counter()
    ones = np.ones(len(ends["left_node"]), dtype=np.int8)
    matrix = coo_matrix((ones, (ends["left_node"], ends["right_node"])), shape=(count, count))
    connected_components(matrix, directed=False)
    return time.perf_counter() - started
