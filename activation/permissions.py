"""What people permit, per customer and per identifier: several may hold the same address."""

import duckdb

from activation.audience_file import Audience, Sync
from activation.identifiers import IDENTIFIERS, holders_sql, normal_sql


def build_permissions(
    connection: duckdb.DuckDBPyConnection, audience: Audience, sync: Sync
) -> None:
    """Grain: candidate or somebody who shares with one. Two rows for one person and purpose: the
    most restrictive holds."""
    connection.execute(
        """
        create temp table permission as
        select
            customer_id,
            min(consent_id) as consent_id,
            bool_and(
                is_granted is true
                and (withdrawn_at is null or coalesce(granted_at > withdrawn_at, false))
            ) as is_granted
        from consents
        where
            channel = ? and purpose = ?
            and (
                customer_id in (select customer_id from candidate)
                or customer_id in (select other_customer_id from shared_holder)
            )
        group by customer_id
        """,
        [sync.consent, audience.purpose],
    )


def build_suppressed(
    connection: duckdb.DuckDBPyConnection, sync: Sync, *, is_list_empty: bool
) -> None:
    """Grain: customer whom nobody may contact; any identifier on the list covers the person."""
    places = [
        ("identifier_value", "customer_identifiers"),
        ("value", "customer_attributes"),
        *((column, "customers") for column in IDENTIFIERS[sync.consent].columns.values()),
    ]
    forms = ["lower(trim({value}))"]
    if sync.consent == "push":  # an account's number keeps its capitals
        forms.append("trim({value})")
    found = " union ".join(
        f"select customer_id from {table} where sha256({form.format(value=value)}) in "
        f"(select identifier_hash from suppression where channel in ('{sync.consent}', 'all'))"
        for value, table in places
        # An account's number keeps its capitals.
        for form in (f"lower(trim({value}))", f"trim({value})")[
            : 2 if sync.consent == "push" else 1
        ]
    )
    # A million hashes for an empty list would be for nothing.
    query = "select null::varchar as customer_id limit 0" if is_list_empty else found
    connection.execute(f"create temp table suppressed as {query}")


def build_shared(connection: duckdb.DuckDBPyConnection, sync: Sync) -> None:
    """`shared_holder`: candidate, and somebody else who holds an identifier of theirs.

    A table of its own: few share anything, and what follows need not look at everybody.
    """
    identifier = IDENTIFIERS[sync.consent]
    sent_too = "".join(
        f" union select candidate.customer_id, {normal_sql(column, kind)} from candidate "
        f"join customers using (customer_id) where {column} is not null"
        for kind, column in identifier.columns.items()
        if len(identifier.types) > 1
    )
    connection.execute(
        f"""
        create temp table shared_holder as
        with would_be_sent as (
            select customer_id, identifier from candidate where identifier is not null{sent_too}
        )
        select distinct would_be_sent.customer_id, held.customer_id as other_customer_id
        from would_be_sent
        join ({holders_sql(identifier)}) as held
            on would_be_sent.identifier = held.identifier
            and would_be_sent.customer_id <> held.customer_id
        """
    )


def build_holders(connection: duckdb.DuckDBPyConnection) -> None:
    """Grain: candidate whose identifiers others hold too. What these others say together."""
    connection.execute(
        """
        create temp table other_holders as
        with sharers as (
            select customer_id, coalesce(is_minor(birth_date, birth_year), false) as is_minor
            from customers
            where customer_id in (select other_customer_id from shared_holder)
        )
        select
            shared_holder.customer_id,
            coalesce(bool_or(sharers.is_minor), false) as has_minor,
            bool_or(other_customer_id in (select customer_id from suppressed)) as has_suppressed,
            bool_or(coalesce(permission.is_granted, true) = false) as has_withdrawal,
            bool_and(coalesce(permission.is_granted, false)) as is_permitted_by_all,
            bool_or(coalesce(holdout_record."group" = 'holdout', false)) as has_holdout,
            count(holdout_record.customer_id) > 0 as has_record,
            list(other_customer_id) as other_ids
        from shared_holder
        left join sharers on other_customer_id = sharers.customer_id
        left join permission on other_customer_id = permission.customer_id
        left join holdout_record on other_customer_id = holdout_record.customer_id
        group by shared_holder.customer_id
        """
    )


def build_withdrawn(connection: duckdb.DuckDBPyConnection, audience: Audience, sync: Sync) -> None:
    """`withdrawn`: customers held at the channel who took their consent back or are suppressed,
    themselves or by somebody who shares their identifier; also who is in the audience no more."""
    connection.execute(
        """
        create temp table withdrawn as
        select distinct customer_id
        from acknowledged
        where
            customer_id in (select customer_id from suppressed)
            or customer_id in (
                select customer_id from desired
                where reason_code in ('suppressed', 'consent_withdrawn')
            )
            or customer_id in (
                select customer_id from consents
                where channel = ? and purpose = ? and not coalesce(
                    is_granted and (withdrawn_at is null or granted_at > withdrawn_at), false
                )
            )
        """,
        [sync.consent, audience.purpose],
    )
