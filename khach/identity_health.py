"""How healthy the graph of identifiers is: what the last run found, without anybody's data."""

from typing import Any

from khach.environment import Environment
from khach.errors import KhachError
from khach.state import connect

_LISTS = {
    # How many values of a type may not link, and why.
    "values_that_do_not_link": """
        select identifier_type, coalesce(blocked_by, 'links') as reason, count(*) as count
        from identity.identity_nodes
        where identifier_type <> 'record'
        group by all order by all
    """,
    "links_held_back": """
        select reason, rule, count(*) as count
        from identity.identity_quarantine group by all order by all
    """,
    "links_by_rule": """
        select rule, count(*) as count from identity.identity_edges group by all order by all
    """,
    "pairs_by_likeness": """
        select
            case when is_link then 'linked' else 'open question' end as outcome,
            count(*) as count, min(probability) as lowest_probability
        from identity.identity_matches group by all order by all
    """,
    "largest_customers": """
        select format('C{:07d}', customer_number) as customer_id, count(*) as identifiers
        from identity.identity_proposal
        where customer_number is not null and identifier_type not in ('anonymous_id', 'device_id')
        group by all order by identifiers desc, customer_id limit 5
    """,
}


def health(env: Environment) -> dict[str, Any]:
    """`figures` (metric to value) and the lists above. Raises KhachError before the first run."""
    if not env.warehouse.exists():
        raise KhachError("no customer is resolved yet", fix="khach run")
    connection = connect(env.warehouse, read_only=True)
    try:
        rows = connection.execute("select metric, value from identity.identity_health").fetchall()
        document: dict[str, Any] = {"figures": dict(rows)}
        for name, query in _LISTS.items():
            result = connection.execute(query)
            columns = [column[0] for column in result.description or ()]
            found = [dict(zip(columns, row, strict=True)) for row in result.fetchall()]
            document[name] = found
        return document
    finally:
        connection.close()
