"""What makes identity hard, one figure each: resolution held against a folder of truth.

A folder of truth (the sandbox's) has `records.parquet` (source, record_kind, record_id, person_id)
and `people.parquet` (person_id, full_name, phone, second_phone).
"""

from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from identity.components import components
from identity.evaluate import evaluate
from khach.environment import Environment
from khach.errors import KhachError
from khach.state import connect

FILES = ("records.parquet", "people.parquet")


def is_folder_of_truth(path: Path) -> bool:
    """Whether a path is a folder with the two files."""
    return all((path / name).is_file() for name in FILES)


def situations(env: Environment, truth: Path) -> dict[str, dict[str, Any]]:
    """Name of a situation to its figures; each share with its numerator and denominator."""
    if not env.warehouse.exists():
        raise KhachError("no customer is resolved yet", fix="khach run")
    connection = connect(env.warehouse, read_only=True)
    try:
        connection.execute(
            f"attach '{str(env.state).replace(chr(39), chr(39) * 2)}' as state (read_only)"
        )
        for name in FILES:
            view = f"create temp table truth_{Path(name).stem} as from read_parquet(?)"
            connection.execute(view, [str(truth / name)])
        connection.execute(_OBSERVED)
        return {
            "pairs_that_share_evidence": _shared_evidence(connection),
            **{name: _hits(connection, query) for name, query in _QUERIES.items()},
            "customers_of_several_people": _joined(connection),
        }
    finally:
        connection.close()


def _hits(connection: duckdb.DuckDBPyConnection, query: str) -> dict[str, Any]:
    count, hits = connection.execute(
        f"select count(*), coalesce(sum(hit::integer), 0) from ({query})"
    ).fetchall()[0]
    return {"pairs": count, "linked": int(hits), "recall": hits / count if count else 1.0}


def _joined(connection: duckdb.DuckDBPyConnection) -> dict[str, int]:
    """Customers made of several people, and those that nothing but one shared thing explains.

    Told apart from them: customers with a record that bears no name (a receipt with a telephone
    number alone) of somebody else, which no evidence can tell.
    """
    row = connection.execute(_JOINED).fetchall()[0]
    names = (
        "customers", "only_a_shared_device", "only_a_shared_phone", "only_a_shared_email",
        "with_a_nameless_record_of_another",
    )  # fmt: skip
    return dict(zip(names, (int(value) for value in row), strict=True))


def _shared_evidence(connection: duckdb.DuckDBPyConnection) -> dict[str, Any]:
    """Pairs of one person's records that hang together by what some source shows.

    Evidence is an account, an address, number or device that only this person has, or one that
    others have too beside the person's name; pairs are joined through other records of the person.
    """
    shown = connection.execute(_EVIDENCE).to_arrow_table()
    records, values = shown["record_number"].to_numpy(), shown["value_number"].to_numpy()
    labels = connection.execute(
        "select record_number, record_key as record_id, customer_id from numbered order by 1"
    ).to_arrow_table()
    count = len(labels)
    size = count + (int(values.max()) + 1 if len(values) else 0)
    parts = components(size, records.astype(np.int64), values.astype(np.int64) + count)[:count]
    keys = labels["record_id"]
    part_of = pa.table({"record_key": keys, "part": pa.array(parts)})
    connection.register("part_of_record", part_of)
    connection.execute("create temp table parts as from part_of_record")
    result = evaluate(
        pa.table({"record_id": keys, "entity_id": labels["customer_id"]}),
        pa.table({"record_id": keys, "entity_id": pa.array(parts).cast(pa.string())}),
    )
    return {"pairs": result.true_pairs, "linked": result.correct_pairs, "recall": result.recall}


# An identifier in a record, with the person the record truly belongs to.
_OBSERVED = """
create temp table observed as
select
    identifiers.source || '|' || identifiers.record_kind || '|' || identifiers.record_id
        as record_key,
    identifiers.record_kind,
    identifier_type,
    identifier_type || '|' || namespace || '|' || identifier_value as value_key,
    truth.person_id,
    count(distinct truth.person_id) over (
        partition by identifier_type, namespace, identifier_value
    ) as people,
    map.customer_id
from intermediate.int_identifiers_observed as identifiers
inner join truth_records as truth using (source, record_kind, record_id)
left join identity.identity_map as map using (identifier_type, namespace, identifier_value);
create temp table numbered as
select
    row_number() over (order by source, record_kind, record_id) - 1 as record_number,
    source || '|' || record_kind || '|' || record_id as record_key,
    source, record_kind, record_id, person_id, customer_id
from truth_records
inner join intermediate.int_record_customers using (source, record_kind, record_id);
create temp table described as
select
    persons.source || '|' || persons.record_kind || '|' || persons.record_id as record_key,
    folded_name, phone_e164, record_customers.customer_id, people.person_id,
    trim(regexp_replace(lower(replace(replace(strip_accents(people.full_name), 'đ', 'd'),
        'Đ', 'd')), '[^a-z0-9]+', ' ', 'g')) as true_name,
    people.phone, people.second_phone
from intermediate.int_person_records as persons
inner join intermediate.int_record_customers as record_customers
    using (source, record_kind, record_id)
inner join truth_records as truth using (source, record_kind, record_id)
inner join truth_people as people using (person_id)
where record_kind = 'customers' and folded_name is not null
"""

# A value that several people show counts beside the name alone.
_EVIDENCE = """
select
    numbered.record_number,
    dense_rank() over (order by observed.value_key, observed.person_id) - 1 as value_number
from observed
inner join numbered using (record_key)
left join described using (record_key)
where observed.people = 1 or described.record_key is not null
"""

_QUERIES = {
    # A device of one person that was used before the account was named on it.
    "anonymous_then_sign_up": """
        with devices as (
            select
                namespace, anonymous_id,
                min(user_id) as user_id,
                min(occurred_at) as first_at,
                min(case when user_id is not null then occurred_at end) as named_at
            from intermediate.int_web_identifiers
            where anonymous_id is not null
            group by all
            having count(distinct user_id) = 1
        )
        select coalesce(device.customer_id = account.customer_id, false) as hit
        from devices
        inner join (
            select record_id as anonymous_id from truth_records where record_kind = 'anonymous_ids'
            group by all having count(distinct person_id) = 1
        ) as own using (anonymous_id)
        left join identity.identity_map as device
            on device.identifier_type = 'anonymous_id' and device.namespace = devices.namespace
            and device.identifier_value = devices.anonymous_id
        left join identity.identity_map as account
            on account.identifier_type = 'user_id' and account.namespace = devices.namespace
            and account.identifier_value = devices.user_id
        where first_at < named_at
    """,
    # Two addresses that one person alone has, delivered by records that hang together.
    "two_emails": """
        with addresses as (
            select person_id, value_key, part, min(customer_id) as customer_id
            from observed
            inner join parts using (record_key)
            where identifier_type = 'email' and people = 1
                and record_key in (
                    select record_key from observed
                    where identifier_type in ('user_id', 'member_number', 'external_id')
                    union all select record_key from described
                )
            group by all
        )
        select coalesce(one.customer_id = other.customer_id, false) as hit
        from addresses as one
        inner join addresses as other
            on one.part = other.part and one.value_key < other.value_key
    """,
    # A member record with a misspelt name or a wrong number, beside another record of the person.
    "typo": """
        select coalesce(one.customer_id = other.customer_id, false) as hit
        from described as one
        inner join described as other
            on one.person_id = other.person_id and one.record_key <> other.record_key
        where (one.folded_name <> one.true_name or one.phone_e164 not in (one.phone,
            one.second_phone))
            and (other.folded_name = other.true_name or one.record_key < other.record_key)
    """,
}

_JOINED = """
with named as (
    select distinct customer_id, person_id
    from numbered
    where customer_id is not null and record_key in (select record_key from described)
),
several as (
    select customer_id from named group by 1 having count(*) > 1
),
shared as (
    select numbered.customer_id, observed.identifier_type
    from several
    inner join numbered using (customer_id)
    inner join observed using (record_key)
    where observed.people > 1
    group by numbered.customer_id, observed.identifier_type, observed.value_key
    having count(distinct numbered.person_id) > 1
    union all
    -- What agrees in name, or by likeness, was not joined by the shared thing alone.
    select format('C{:07d}', proposal.customer_number), edges.rule
    from identity.identity_edges as edges
    inner join identity.identity_proposal as proposal on edges.left_node = proposal.node_id
    where edges.rule <> 'exact_identifier'
        and format('C{:07d}', proposal.customer_number) in (select customer_id from several)
),
kinds as (
    select customer_id, list(distinct identifier_type) as types
    from several left join shared using (customer_id)
    group by customer_id
)
select
    count(*),
    count(*) filter (len(types) > 0 and types <@ ['anonymous_id', 'device_id']),
    count(*) filter (types = ['phone']),
    count(*) filter (types = ['email']),
    (
        select count(*) from (
            select customer_id from numbered where customer_id is not null
            group by 1 having count(distinct person_id) > 1
        ) where customer_id not in (select customer_id from several)
    )
from kinds
"""
