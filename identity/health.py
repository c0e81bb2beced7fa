"""How the identity graph is: figures for the gate before the ledger, and for the report."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from identity.graph import as_array
from identity.ids import NONE, numbers_in

# Upper ends of the size classes; what is larger is in the last.
SIZES = (1, 2, 5, 10, 30)
LARGEST = 5
SCHEMA = pa.schema([("metric", pa.string()), ("value", pa.float64())])


def figures(proposal: pa.Table, quarantine: pa.Table, events: pa.Table) -> pa.Table:
    """One row per figure: metric and value, in a fixed order.

    Sizes count the identifiers of customers in the proposal, devices too. Shares of merges and
    splits are of the customers known before, that of new ones of all customers now.
    """
    number = numbers_in(proposal["customer_number"])
    before = numbers_in(proposal["previous_customer_number"])
    customers, sizes = np.unique(number[number != NONE], return_counts=True)
    known = len(np.unique(before[before != NONE]))
    rows: dict[str, float] = {
        "identifiers": len(proposal),
        "identifiers_of_nobody": int((number == NONE).sum()),
        "customers": len(customers),
        "customers_known_before": known,
        **_distribution(sizes),
        **_by_type(proposal, number, len(customers)),
        **_happened(events, known, len(customers)),
        "quarantined_links": len(quarantine),
        **_counted("quarantined_links", quarantine["reason"]),
    }
    return pa.table([list(rows), [float(value) for value in rows.values()]], schema=SCHEMA)


def _distribution(sizes: np.ndarray) -> dict[str, float]:
    """How many customers have how many identifiers, and the largest ones."""
    rows: dict[str, float] = {}
    lowest = 1
    for highest in SIZES:
        name = f"{lowest}" if lowest == highest else f"{lowest}_to_{highest}"
        rows[f"customers_of_size:{name}"] = int(((sizes >= lowest) & (sizes <= highest)).sum())
        lowest = highest + 1
    rows[f"customers_of_size:{lowest}_and_more"] = int((sizes >= lowest).sum())
    largest = np.sort(sizes)[::-1][:LARGEST].tolist()
    for place in range(LARGEST):
        rows[f"largest_customer:{place + 1}"] = largest[place] if place < len(largest) else 0
    return rows


def _by_type(proposal: pa.Table, number: np.ndarray, customers: int) -> dict[str, float]:
    """Identifiers of each type per customer: the mean over all customers, and the most."""
    rows: dict[str, float] = {}
    for kind in sorted(pc.unique(proposal["identifier_type"]).to_pylist()):
        is_kind = as_array(pc.equal(proposal["identifier_type"], kind)) & (number != NONE)
        _, counts = np.unique(number[is_kind], return_counts=True)
        rows[f"identifiers_per_customer:{kind}"] = is_kind.sum() / customers if customers else 0.0
        rows[f"most_identifiers_of_a_customer:{kind}"] = int(counts.max(initial=0))
    return rows


def _happened(events: pa.Table, known: int, customers: int) -> dict[str, float]:
    """What the events do to customers, as numbers and as shares."""
    rows: dict[str, float] = {}
    for event, of in (("issued", customers), ("merged", known), ("split", known)):
        count = pc.sum(pc.equal(events["event"], event)).as_py() or 0
        rows[event] = count
        rows[f"{event}_share"] = count / of if of else 0.0
    return rows


def _counted(name: str, column: pa.ChunkedArray) -> dict[str, float]:
    counts = {row["values"]: row["counts"] for row in pc.value_counts(column).to_pylist()}
    return {f"{name}:{value}": counts[value] for value in sorted(counts)}
