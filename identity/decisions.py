"""What people decided: blocked values and review answers, as events of the ledger.

A blocked value bears its key. A reviewed pair of records names the one under identifier_type
`record` (namespace: its source, identifier_value: its record id) and the other as the triggering
record; the rule is the answer. In both the last word counts, when models read them.
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from identity.event_table import SCHEMA, event_table
from identity.graph import KEY

ACCEPTED, REJECTED = "accepted", "rejected"
PAIR = ("left_source", "left_record_id", "right_source", "right_record_id")


def blocked(values: pa.Table, *, rule: str, last_event_number: int) -> pa.Table:
    """Events that block these values (key columns): from now on they link nobody."""
    return _decided("blocked", values, rule, last_event_number)


def unblocked(values: pa.Table, *, rule: str, last_event_number: int) -> pa.Table:
    """Events that let these values (key columns) link again."""
    return _decided("unblocked", values, rule, last_event_number)


def reviewed(answers: pa.Table, *, last_event_number: int) -> pa.Table:
    """Events for answers (PAIR and is_accepted) to the question whether two records are one person.

    It does not matter which record of a pair is left.
    """
    left, right = ([answers[name] for name in PAIR[start : start + 2]] for start in (0, 2))
    swap = pc.or_(
        pc.greater(left[0], right[0]),
        pc.and_(pc.equal(left[0], right[0]), pc.greater(left[1], right[1])),
    )
    one = [pc.if_else(swap, b, a) for a, b in zip(left, right, strict=True)]
    other = [pc.if_else(swap, a, b) for a, b in zip(left, right, strict=True)]
    events = event_table(
        len(answers),
        event="reviewed",
        identifier_type="record",
        namespace=one[0],
        identifier_value=one[1],
        rule=pc.if_else(answers["is_accepted"], ACCEPTED, REJECTED),
        triggering_source=other[0],
        triggering_record_id=other[1],
    )
    return _numbered(events, last_event_number)


def _decided(event: str, values: pa.Table, rule: str, last_event_number: int) -> pa.Table:
    keys = {key: values[key] for key in KEY}
    return _numbered(event_table(len(values), event=event, rule=rule, **keys), last_event_number)


def _numbered(events: pa.Table, last: int) -> pa.Table:
    numbers = pa.array(last + 1 + np.arange(len(events)), pa.int64())
    return events.set_column(0, SCHEMA.field(0), numbers)
