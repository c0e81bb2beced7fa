"""What a proposal changes, as events for the identity ledger.

`issued`, `merged` and `split` speak of customers; `linked` and `unlinked` of one identifier each,
so that the last word on an identifier is the current map, without walking chains of merges.
"""

from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from identity.components import Indices
from identity.event_table import PART, SCHEMA, event_table
from identity.graph import KEY, Flags, as_array, rows_of
from identity.ids import NONE, numbers_in
from identity.moves import EXACT, Ties, moved, ties_of


def events_of(
    proposal: pa.Table,
    edges: pa.Table,
    known: pa.Table,
    *,
    last_customer_number: int,
    last_event_number: int,
) -> pa.Table:
    """The events that take the ledger from `known` to `proposal`; none when nothing changed.

    `proposal` as made by `identity.propose.propose`, with first_source and first_record_id;
    `edges` with source, record_id and first_seen_at; `known`: the key columns and customer_number
    as the ledger says now, identifiers that stand for nobody included as null.
    """
    now = numbers_in(proposal["customer_number"])
    before = numbers_in(proposal["previous_customer_number"])
    ties = ties_of(proposal, edges)
    rule = _rules(len(proposal), ties)
    linked = proposal.select([*KEY, "customer_number", "first_source", "first_record_id"])
    linked = linked.append_column("rule", rule)
    parts = [
        _issued(proposal, now, last_customer_number),
        moved(ties, now, before),
        _unlinked(proposal, known),
        # Who moves stands before who is new: the time of a merge tells them apart for good.
        _linked(linked, (now != NONE) & (now != before) & (before != NONE)),
        _linked(linked, (now != NONE) & (before == NONE)),
    ]
    events = pa.concat_tables([part for part in parts if len(part)] or [SCHEMA.empty_table()])
    numbers = pa.array(last_event_number + 1 + np.arange(len(events)), pa.int64())
    events = events.set_column(0, SCHEMA.field(0), numbers)
    return pa.Table.from_batches(events.to_batches(max_chunksize=PART), SCHEMA)


def _issued(proposal: pa.Table, now: Indices, last: int) -> pa.Table:
    """One event per customer met for the first time, with the record that showed them."""
    is_first = as_array(proposal["cluster_id"]) == as_array(proposal["node_id"])
    rows = np.flatnonzero((now > last) & is_first)
    by_number = np.full(int(now.max(initial=last)) - last, -1, dtype=np.int64)
    by_number[now[rows] - last - 1] = rows
    rows = by_number[by_number >= 0]
    people = proposal.select(["first_source", "first_record_id"]).take(pa.array(rows))
    return event_table(
        len(rows),
        event="issued",
        customer_number=pa.array(now[rows]),
        rule="first_seen",
        triggering_source=people["first_source"],
        triggering_record_id=people["first_record_id"],
    )


def _linked(identifiers: pa.Table, which: Flags) -> pa.Table:
    """One event per identifier that stands for another customer than before, by key."""
    changed = _chosen(identifiers, which)
    return event_table(
        len(changed),
        event="linked",
        customer_number=changed["customer_number"],
        **{key: changed[key] for key in KEY},
        rule=changed["rule"],
        triggering_source=changed["first_source"],
        triggering_record_id=changed["first_record_id"],
    )


def _chosen(table: pa.Table, which: Flags) -> pa.Table:
    """These rows, in parts; what is wanted without gaps is not copied."""
    parts = [table.slice(0, 0)]
    starts = np.flatnonzero(which)[::PART].tolist()
    for start, end in pairwise([*starts, len(table)]):
        part, flags = table.slice(start, end - start), which[start:end]
        parts.append((part if flags.all() else part.filter(pa.array(flags))).combine_chunks())
    return pa.concat_tables(parts)


def _rules(size: int, ties: Ties) -> pa.Array | pa.ChunkedArray:
    """What holds each identifier in its cluster: an exact tie, or else the first rule by name."""
    is_exact = as_array(pc.equal(ties.edges["rule"], EXACT))
    others = ties.inside(np.flatnonzero(~is_exact))
    if not len(others):
        return pa.repeat(EXACT, size)
    # Few are at the end of another rule's edge; only these are asked for an exact one.
    asked, held = np.zeros((2, size), dtype=bool)
    asked[ties.left[others]] = asked[ties.right[others]] = True
    exact = ties.inside(np.flatnonzero(is_exact & (asked[ties.left] | asked[ties.right])))
    held[ties.left[exact]] = held[ties.right[exact]] = True
    other = rows_of(ties.edges.select(["rule"]), others)["rule"]
    names = sorted(pc.unique(other).to_pylist())
    codes = as_array(pc.index_in(other, value_set=pa.array(names)))
    code = np.full(size, len(names), dtype=np.int64)
    for ends in (ties.left, ties.right):
        np.minimum.at(code, ends[others], codes)
    code[held] = len(names)
    texts, all_exact = pa.array([*names, EXACT]), pa.repeat(EXACT, PART)
    parts = (code[start : start + PART] for start in range(0, size, PART))
    return pa.chunked_array(
        all_exact if len(part) == PART and part.min() == len(names) else texts.take(pa.array(part))
        for part in parts
    )


def _unlinked(proposal: pa.Table, known: pa.Table) -> pa.Table:
    """One event per identifier that the proposal no longer gives to anybody."""
    held = known.filter(pc.is_valid(known["customer_number"])).select([*KEY, "customer_number"])
    is_kept = pc.is_valid(proposal["customer_number"])
    met = pc.and_(is_kept, pc.is_valid(proposal["previous_customer_number"]))
    # As many are kept as were held: nobody is missing, and the join is spared.
    gone = held.slice(0, 0)
    if len(held) > pc.sum(met, min_count=0).as_py():
        kept = proposal.select(KEY).filter(is_kept)
        gone = held.join(kept, keys=list(KEY), join_type="left anti")
    gone = gone.sort_by([(key, "ascending") for key in KEY])
    return event_table(
        len(gone),
        event="unlinked",
        other_customer_number=gone["customer_number"],
        **{key: gone[key] for key in KEY},
        rule="no_longer_links",
    )
