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
import pyarrow.compute as pc
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from identity.events import events_of
from identity.graph import Finder, as_array
from identity.ids import NONE, as_column, numbers_in
from identity.increment import Resolution, Touched, changed_shared, resolve, touched
from identity.quarantine import LIMITS, SCHEMA

PERSONS, SHARE_NEW = 1_800_000, 0.01
SECONDS_BAR, GIB_BAR, RATIO_BAR, INCREMENT_BAR = 30.0, 4.0, 10.0, 0.10
KEYS = "identifier_type, namespace, identifier_value"

# Persons' identifiers by slot: what the slot is, and which share of persons has it.
SLOTS = """
    values (0, 'user_id', 'shop', 1.0), (1, 'email', '', 0.95), (2, 'phone', '', 0.8),
        (3, 'member_number', 'tills', 0.5), (4, 'anonymous_id', 'shop', 0.3)
"""
GENERATE = f"""
create macro value_of(kind, person) as  -- accounts are numbered, addresses and numbers are not
    kind || if(kind = 'user_id', lpad(person::varchar, 9, '0'), hash(kind || person)::varchar);
create table slots as select * from ({SLOTS}) as t (slot, identifier_type, namespace, share);
create table shown as
    select person, slot, identifier_type, namespace,
        value_of(identifier_type, person) as identifier_value
    from range({{persons}}) as p (person), slots
    where hash(person * 8 + slot) % 1000 < share * 1000;
insert into shown  -- households: every fiftieth person shows the neighbour's device
    select person, 5, 'anonymous_id', 'shop', value_of('anonymous_id', person + 1)
    from range(0, {{persons}}, 50) as p (person);
insert into shown  -- a tablet: every hundredth person's card, thousands at each of a few
    select person, 6, 'phone', '', 'tablet' || person % 700 // 100
    from range(0, {{persons}}, 100) as p (person);
insert into shown  -- every thousandth person shows the next one's card
    select person, 7, 'member_number', 'tills', value_of('member_number', person + 1)
    from range(0, {{persons}}, 1000) as p (person);
"""
WAREHOUSE = f"""
create table nodes as
    select row_number() over (order by {KEYS}) as node_id, {KEYS},
        timestamp '2025-01-01' + interval (min(person) % 500000) minute as first_seen_at,
        'shop' as first_source, 'customers:' || min(person) as first_record_id
    from shown group by {KEYS} order by {KEYS};
create table pairs as  -- the shop's record shows all but the card, the till's what it knows
    select account.person, account.node_id as left_node, other.node_id as right_node, other.slot
    from (select person, slot, node_id from shown join nodes using ({KEYS}) where slot in (0, 3))
        as account
    join (select person, slot, node_id from shown join nodes using ({KEYS})
        where slot not in (0, 3)) as other
        on account.person = other.person
        and (account.slot = 0 and other.slot <> 6 or account.slot = 3 and other.slot in (1, 2, 6));
create table edges as
    select left_node, right_node, if(slot = 4, 1, 3) as strength,
        if(slot = 7, 'probable_match', 'exact_identifier') as rule, 'shop' as source,
        'customers:' || person as record_id,
        timestamp '2025-01-01' + interval (person % 500000) minute as first_seen_at
    from pairs where left_node <> right_node;
create table ledger (
    event_number bigint, event varchar, customer_number bigint, other_customer_number bigint,
    identifier_type varchar, namespace varchar, identifier_value varchar, rule varchar,
    triggering_source varchar, triggering_record_id varchar
);
create table quarantine as select * from empty_quarantine;
create table proposal (node_id bigint, cluster_id bigint, customer_number bigint);
drop table shown; drop table pairs;
"""
NEW_DAY = """
create table orders as  -- one in forty accounts shows a new e-mail; every fifth is itself new
    select node_id as account, identifier_value as number, hash(node_id) // 1000 % 5 = 0 as is_new
    from nodes where identifier_type = 'user_id' and hash(node_id) % 1000 < {per_mille};
create table new_nodes as
    select (select max(node_id) from nodes) + row_number() over (order by number) as node_id,
        identifier_type, namespace, 'new' || number as identifier_value,
        timestamp '2026-01-01' as first_seen_at, 'shop' as first_source,
        'orders:' || number as first_record_id, number
    from orders, (values ('email', ''), ('user_id', 'shop')) as kinds (identifier_type, namespace)
    where identifier_type = 'email' or is_new;
insert into nodes select * exclude (number) from new_nodes;
create table new_edges as
    select coalesce(newcomers.node_id, account) as left_node, emails.node_id as right_node, 3,
        'exact_identifier', 'shop', first_record_id, first_seen_at
    from orders join (from new_nodes where identifier_type = 'email') as emails using (number)
        left join (select node_id, number from new_nodes where identifier_type = 'user_id')
            as newcomers using (number);
insert into new_edges  -- and a card at the tablet for some of them
    select left_node, (select min(node_id) from nodes where identifier_value = 'tablet0'), 3,
        'exact_identifier', 'shop', first_record_id, first_seen_at
    from new_edges where left_node % 100 = 1;
insert into edges from new_edges;
create table changed as
    select left_node as node_id from new_edges union select right_node from new_edges;
"""
LIMIT_ROWS = [
    {"identifier_type": kind, "namespace": None, "per_person": most, "shared_above": None}
    for kind, most in (("user_id", 1), ("member_number", 1), ("email", 5), ("phone", 5))
]


def run() -> bool:
    """Build the tables, resolve all of it, then a day more, beside bare scipy."""
    limits = pa.Table.from_pylist(LIMIT_ROWS, LIMITS)
    with tempfile.TemporaryDirectory(prefix="khach-bench-") as folder:
        _build(Path(folder) / "warehouse.duckdb")
        database = _open(Path(folder) / "warehouse.duckdb")
        database.execute("set threads = 2; set memory_limit = '1200MB'")
        edge_count = _value(database, "select count(*) from edges")
        bare = [_bare(database)]
        full, parts = _timed(lambda clock: _resolve_all(database, limits, clock))
        bare += [_bare(database), _bare(database)]
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        events = _value(database, "select count(*) from ledger")
        database.execute(NEW_DAY.format(per_mille=SHARE_NEW * edge_count / PERSONS * 1000))
        database.execute("checkpoint")  # as the end of the process before would
        added = _value(database, "select count(*) from edges") - edge_count
        day, day_parts = _timed(lambda clock: _resolve_day(database, limits, clock))
        new_events = _value(database, "select count(*) from ledger") - events
        held = _value(database, "select count(*) from quarantine")
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


def _open(file: Path) -> duckdb.DuckDBPyConnection:
    """A file as profiles.yml makes the warehouse."""
    return duckdb.connect(str(file), config={"storage_compatibility_version": "v1.5.0"})


def _build(file: Path) -> None:
    with _open(file) as database:
        database.register("empty_quarantine", SCHEMA.empty_table())
        database.execute("set threads = 2; set memory_limit = '1500MB'")
        database.execute(GENERATE.format(persons=PERSONS) + WAREHOUSE)


def _resolve_all(database: duckdb.DuckDBPyConnection, limits: pa.Table, clock: "_Clock") -> None:
    nodes = _arrow(database, "select *, null::bigint as previous_customer_number from nodes")
    edges = _arrow(database, "select * from edges")
    clock.lap("read")
    found = resolve(nodes, edges, limits, last_customer_number=0)
    clock.lap("resolve")
    known = nodes.slice(0, 0).rename_columns({"previous_customer_number": "customer_number"})
    del nodes
    events = events_of(found.proposal, edges, known, last_customer_number=0, last_event_number=0)
    clock.lap("events")
    _append(database, found, events)
    clock.lap("append")


def _resolve_day(database: duckdb.DuckDBPyConnection, limits: pa.Table, clock: "_Clock") -> None:
    part, previous = _touched(database, limits)
    clock.lap("touched")
    # What ends at a touched node begins at a touched one, or at a shared one of the boundary.
    edges = _arrow(database, "select edges.* from edges semi join near on left_node = node_id")
    nodes = _arrow(
        database, f"select node_id, {KEYS}, first_seen_at from nodes semi join near using (node_id)"
    )
    nodes, edges = part.select(nodes, edges)
    nodes = _with_previous(nodes, previous)
    known = nodes.filter(pc.is_valid(nodes["previous_customer_number"]))
    known = known.rename_columns({"previous_customer_number": "customer_number"})
    last, last_event = database.sql(
        # Numbers are issued in the order of events: the last one issued is the highest.
        "select (select customer_number from ledger where event = 'issued' "
        "order by event_number desc limit 1), (select max(event_number) from ledger)"
    ).fetchone() or (0, 0)
    clock.lap("read")
    found = resolve(
        nodes,
        edges,
        limits,
        last_customer_number=last,
        links=lambda asked: _links(database, asked),
        touched=part,
    )
    moved = found.proposal.filter(_moves(found.proposal))
    events = events_of(
        _with_first(database, found.proposal, moved["node_id"]),
        edges,
        known,
        last_customer_number=last,
        last_event_number=last_event,
    )
    clock.lap("resolve and events")
    gone = moved.filter(pc.is_valid(moved["previous_cluster_id"]))["node_id"]
    database.begin()
    if len(gone):
        database.register("gone", pa.table({"node_id": gone}))
        database.execute("delete from proposal where node_id in (from gone)")
    database.execute(
        "delete from quarantine where left_node in (from part) or right_node in (from part)"
    )
    _append(database, Resolution(moved, found.quarantine), events)
    database.commit()
    clock.lap("append")


def _with_previous(nodes: pa.Table, proposal: pa.Table) -> pa.Table:
    """The nodes with what the proposal says of them; null where it does not know them."""
    places = Finder(as_array(proposal["node_id"]))(as_array(nodes["node_id"]))
    is_new = places < 0
    cluster = as_array(proposal["cluster_id"])[places]
    number = numbers_in(proposal["customer_number"])[places]
    return nodes.append_column("previous_cluster_id", pa.array(cluster, mask=is_new)).append_column(
        "previous_customer_number", as_column(np.where(is_new, NONE, number))
    )


def _moves(proposal: pa.Table) -> pa.ChunkedArray:
    """Which rows are not what they were."""
    stays = [
        pc.fill_null(pc.equal(proposal[name], proposal[f"previous_{name}"]), False)
        for name in ("cluster_id", "customer_number")
    ]
    return pc.invert(pc.and_(*stays))


def _with_first(
    database: duckdb.DuckDBPyConnection, proposal: pa.Table, asked: pa.Array
) -> pa.Table:
    """The proposal with the record that showed a node first, for those that events speak of."""
    names = ["first_source", "first_record_id"]
    first = _arrow(
        database,
        "select node_id, first_source, first_record_id from nodes semi join asked using (node_id)",
        asked=pa.table({"node_id": asked}),
    )
    places = Finder(as_array(first["node_id"]))(as_array(proposal["node_id"]))
    rows = pa.array(places, mask=places < 0)
    for name in names:
        proposal = proposal.append_column(name, first[name].take(rows))
    return proposal


def _touched(database: duckdb.DuckDBPyConnection, limits: pa.Table) -> tuple[Touched, pa.Table]:
    """What the new edges touch, also as the table `part`; with the shared ones as `near`.

    Beside it what the proposal says of the clusters that it may touch.
    """
    quarantine = _arrow(database, "select * from quarantine")
    changed = _arrow(database, "select node_id from changed")
    shared = pa.table({"node_id": changed_shared(quarantine, changed)})
    beside = _arrow(
        database,
        "select edges.* from edges semi join shared on left_node = node_id union select edges.* "
        "from edges semi join shared on right_node = node_id",
        shared=shared,
    )
    nodes = _arrow(
        database,
        "select node_id, identifier_type, namespace from nodes semi join ends using (node_id)",
        ends=_ends(beside),
    )
    database.register("held", _ends(quarantine))
    database.execute(
        "create or replace temp table met as "
        "with near as (from changed union from ends union from held) "
        "select distinct cluster_id from proposal semi join near using (node_id)"
    )
    proposal = _arrow(database, "from proposal semi join met using (cluster_id)")
    part = touched(Resolution(proposal, quarantine), changed, nodes, beside, limits)
    near = np.concatenate([part.nodes, as_array(part.shared["node_id"])])
    for name, ids in (("part", part.nodes), ("near", near)):
        # A table, for of what is registered DuckDB does not know the size.
        database.register("ids", pa.table({"node_id": ids}))
        database.execute(f"create or replace temp table {name} as from ids")
    return part, proposal


def _ends(edges: pa.Table) -> pa.Table:
    ends = [*edges["left_node"].chunks, *edges["right_node"].chunks]
    return pa.table({"node_id": pc.unique(pa.chunked_array(ends, pa.int64()))})


def _links(database: duckdb.DuckDBPyConnection, asked: pa.Array) -> pa.Table:
    """The ledger's past of these nodes; one that was new today has none."""
    return _arrow(
        database,
        f"with asked_nodes as (select node_id, {KEYS} from nodes semi join asked using (node_id) "
        "anti join new_nodes using (node_id)) "
        "select node_id, event_number, ledger.customer_number, true as is_held "
        f"from ledger join asked_nodes using ({KEYS}) "
        "where event in ('linked', 'unlinked')",
        asked=pa.table({"node_id": asked}),
    )


def _append(database: duckdb.DuckDBPyConnection, found: Resolution, events: pa.Table) -> None:
    proposal = found.proposal.select(["node_id", "cluster_id", "customer_number"])
    tables = {"ledger": events, "proposal": proposal, "quarantine": found.quarantine}
    for name, table in tables.items():
        database.register("arrived", table)
        database.execute(f"insert into {name} select * from arrived")
        database.unregister("arrived")


class _Clock:
    """Seconds by stage."""

    def __init__(self) -> None:
        self.started = self.last = time.perf_counter()
        self.laps: list[str] = []

    def lap(self, name: str) -> None:
        now = time.perf_counter()
        self.laps.append(f"{name} {now - self.last:.2f} s")
        self.last = now


def _timed(work: Callable[[_Clock], None]) -> tuple[float, str]:
    clock = _Clock()
    work(clock)
    return time.perf_counter() - clock.started, ", ".join(clock.laps)


def _bare(database: duckdb.DuckDBPyConnection) -> float:
    """Bare connected components of the edges in the table."""
    ends = database.sql("select left_node, right_node from edges").fetchnumpy()
    count = _value(database, "select max(node_id) + 1 from nodes")
    started = time.perf_counter()
    ones = np.ones(len(ends["left_node"]), dtype=np.int8)
    matrix = coo_matrix((ones, (ends["left_node"], ends["right_node"])), shape=(count, count))
    connected_components(matrix, directed=False)
    return time.perf_counter() - started


def _arrow(database: duckdb.DuckDBPyConnection, sql: str, **tables: pa.Table) -> pa.Table:
    for name, table in tables.items():
        database.register(name, table)
    # A relation, as dbt hands one to a model: its threads make the Arrow table.
    return database.sql(sql).to_arrow_table()


def _value(database: duckdb.DuckDBPyConnection, sql: str) -> int:
    row = database.sql(sql).fetchone()
    return int(row[0]) if row else 0
