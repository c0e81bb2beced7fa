"""Where an old customer id leads today: whoever holds one must find the person again."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from identity.graph import Finder, as_array
from identity.ids import NONE, numbers_in

EVENTS = ("linked", "merged", "issued")


def survivors(events: pa.Table) -> pa.Table:
    """Each customer_number ever issued with its current_customer_number, in their order.

    `events`: event_number, event, customer_number and other_customer_number of the ledger. A
    customer that went up in another leads to it, and on to where that one went; one that came back
    to life after a merge, which shows in identifiers linked to it later, leads to itself, as
    everybody else does.
    """
    events = events.filter(pc.is_in(events["event"], value_set=pa.array(EVENTS)))
    owner, other = (
        numbers_in(events[name]) for name in ("customer_number", "other_customer_number")
    )
    number = as_array(events["event_number"])
    is_merge = as_array(pc.equal(events["event"], "merged"))
    ids = np.unique(np.concatenate([owner, other[is_merge]]))
    ids = ids[ids != NONE]
    find = Finder(ids)
    alive_until = np.zeros(len(ids), dtype=np.int64)
    np.maximum.at(alive_until, find(owner[~is_merge]), number[~is_merge])

    order = np.argsort(number[is_merge], kind="stable")
    gone, heir = find(other[is_merge][order]), find(owner[is_merge][order])
    merged_at = np.zeros(len(ids), dtype=np.int64)
    leads_to = np.arange(len(ids))
    # In the order of time, so that the last merge of each is what stays.
    merged_at[gone] = number[is_merge][order]
    leads_to[gone] = heir
    leads_to = np.where(merged_at > alive_until, leads_to, np.arange(len(ids)))
    # Whom one went up in died later than oneself, so following the road comes to an end.
    while (further := leads_to[leads_to] != leads_to).any():
        leads_to = np.where(further, leads_to[leads_to], leads_to)
    return pa.table({"customer_number": ids, "current_customer_number": ids[leads_to]})
