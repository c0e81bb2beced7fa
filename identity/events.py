"""What a proposal changes, as events for the identity ledger.

`issued`, `merged` and `split` speak of customers; `linked` and `unlinked` of one identifier each,
so that the last word on an identifier is the current map, without walking chains of merges.
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from identity.components import Indices
from identity.propose import KEY, NONE, heirs, ids_of, numbers_of

SCHEMA = pa.schema(
    [
        ("event_number", pa.int64()),
        ("event", pa.string()),
        ("customer_id", pa.string()),
        ("other_customer_id", pa.string()),
        *((key, pa.string()) for key in KEY),
        ("rule", pa.string()),
        ("triggering_source", pa.string()),
        ("triggering_record_id", pa.string()),
    ]
)


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
    `edges` with source, record_id and first_seen_at; `known`: the key columns and customer_id as
    the ledger says now, identifiers that stand for nobody included as null.
    """
    now = numbers_of(proposal["customer_id"])
    before = numbers_of(proposal["previous_customer_id"])
    parts = [
        _issued(proposal, now, last_customer_number),
        _moved(proposal, edges, now, before),
        _unlinked(proposal, known),
        _linked(proposal, now, before),
    ]
    events = pa.concat_tables([part for part in parts if len(part)] or [SCHEMA.empty_table()])
    numbers = pa.array(last_event_number + 1 + np.arange(len(events)), pa.int64())
    return events.set_column(0, SCHEMA.field(0), numbers)


def _issued(proposal: pa.Table, now: Indices, last: int) -> pa.Table:
    """One event per customer met for the first time, with the record that showed them."""
    rows = np.flatnonzero(now > last)
    numbers, first = np.unique(now[rows], return_index=True)
    people = proposal.take(pa.array(rows[first]))
    return _table(
        len(numbers),
        event="issued",
        customer_id=ids_of(numbers),
        rule="first_seen",
        triggering_source=people["first_source"],
        triggering_record_id=people["first_record_id"],
    )


def _linked(proposal: pa.Table, now: Indices, before: Indices) -> pa.Table:
    """One event per identifier that stands for another customer than before."""
    changed = proposal.filter(pa.array((now != NONE) & (now != before)))
    changed = changed.sort_by([(key, "ascending") for key in KEY])
    return _table(
        len(changed),
        event="linked",
        customer_id=changed["customer_id"],
        **{key: changed[key] for key in KEY},
        rule="exact_identifier",
        triggering_source=changed["first_source"],
        triggering_record_id=changed["first_record_id"],
    )


def _unlinked(proposal: pa.Table, known: pa.Table) -> pa.Table:
    """One event per identifier that the proposal no longer gives to anybody."""
    kept = proposal.filter(pc.is_valid(proposal["customer_id"])).select(KEY)
    held = known.filter(pc.is_valid(known["customer_id"])).select([*KEY, "customer_id"])
    gone = held.join(kept, keys=list(KEY), join_type="left anti")
    gone = gone.sort_by([(key, "ascending") for key in KEY])
    return _table(
        len(gone),
        event="unlinked",
        other_customer_id=gone["customer_id"],
        **{key: gone[key] for key in KEY},
        rule="no_longer_links",
    )


def _moved(proposal: pa.Table, edges: pa.Table, now: Indices, before: Indices) -> pa.Table:
    """Merges (survivor, other) and splits (who was divided, who got the part)."""
    moving = (before != NONE) & (now != NONE)
    pairs = np.unique(np.stack([before[moving], now[moving]]), axis=1)
    owners, inheritors = heirs(before[moving], now[moving])
    heir = inheritors[np.searchsorted(owners, pairs[0])]
    changed = pairs[0] != pairs[1]
    is_merge = changed & (heir == pairs[1])
    is_split = changed & ~is_merge
    merged = _table(
        int(is_merge.sum()),
        event="merged",
        customer_id=ids_of(pairs[1][is_merge]),
        other_customer_id=ids_of(pairs[0][is_merge]),
        rule="shared_identifier",
        **_triggers(proposal, edges, now, before, pairs[1][is_merge]),
    )
    split = _table(
        int(is_split.sum()),
        event="split",
        customer_id=ids_of(pairs[0][is_split]),
        other_customer_id=ids_of(pairs[1][is_split]),
        rule="no_longer_connected",
    )
    return pa.concat_tables([merged, split])


def _triggers(
    proposal: pa.Table, edges: pa.Table, now: Indices, before: Indices, survivors: Indices
) -> dict[str, pa.ChunkedArray]:
    """For each survivor the newest record that ties identifiers of different pasts together."""
    node_ids = proposal["node_id"].combine_chunks()
    left = pc.index_in(edges["left_node"], value_set=node_ids).to_numpy()
    right = pc.index_in(edges["right_node"], value_set=node_ids).to_numpy()
    crossing = np.flatnonzero((before[left] != before[right]) & np.isin(now[left], survivors))
    ties = edges.take(pa.array(crossing)).append_column("number", pa.array(now[left][crossing]))
    ties = ties.sort_by(
        [
            ("number", "ascending"),
            ("first_seen_at", "descending"),
            ("source", "ascending"),
            ("record_id", "ascending"),
        ]
    )
    numbers, first = np.unique(ties["number"].to_numpy(), return_index=True)
    rows = pa.array(first[np.searchsorted(numbers, survivors)])
    return {
        "triggering_source": ties["source"].take(rows),
        "triggering_record_id": ties["record_id"].take(rows),
    }


def _table(length: int, **columns: object) -> pa.Table:
    """Events with the given columns; the others are null."""
    arrays = []
    for field in SCHEMA:
        value = columns.get(field.name)
        if value is None:
            arrays.append(pa.nulls(length, field.type))
        elif isinstance(value, str):
            arrays.append(pa.repeat(pa.scalar(value, field.type), length))
        else:
            arrays.append(value)
    return pa.table(arrays, schema=SCHEMA)
