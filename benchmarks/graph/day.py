"""A day more: what new edges touch, read, resolved and appended (docs/adr/0016)."""

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from benchmarks.graph.tables import KEYS, Clock, append, arrow
from identity.events import events_of
from identity.graph import Finder, as_array
from identity.ids import NONE, as_column, numbers_in
from identity.increment import Resolution, Touched, changed_shared, resolve, touched


def resolve_day(database: duckdb.DuckDBPyConnection, limits: pa.Table, clock: Clock) -> None:
    """Resolve what the tables `changed` and `new_nodes` name, and take it in."""
    part, previous = _touched(database, limits)
    clock.lap("touched")
    # What ends at a touched node begins at a touched one, or at a shared one of the boundary.
    edges = arrow(database, "select edges.* from edges semi join near on left_node = node_id")
    nodes = arrow(
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
    append(database, Resolution(moved, found.quarantine), events)
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
    first = arrow(
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
    quarantine = arrow(database, "select * from quarantine")
    changed = arrow(database, "select node_id from changed")
    shared = pa.table({"node_id": changed_shared(quarantine, changed)})
    beside = arrow(
        database,
        "select edges.* from edges semi join shared on left_node = node_id union select edges.* "
        "from edges semi join shared on right_node = node_id",
        shared=shared,
    )
    nodes = arrow(
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
    proposal = arrow(database, "from proposal semi join met using (cluster_id)")
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
    return arrow(
        database,
        f"with asked_nodes as (select node_id, {KEYS} from nodes semi join asked using (node_id) "
        "anti join new_nodes using (node_id)) "
        "select node_id, event_number, ledger.customer_number, true as is_held "
        f"from ledger join asked_nodes using ({KEYS}) "
        "where event in ('linked', 'unlinked')",
        asked=pa.table({"node_id": asked}),
    )
