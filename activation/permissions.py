"""What people permit, per customer and per identifier: several may hold the same address."""

import duckdb

from activation.audience_file import Audience, Sync
from activation.identifiers import IDENTIFIERS, holders_sql, normal_sql


def build_permissions(
    connection: duckdb.DuckDBPyConnection, audience: Audience, sync: Sync
) -> None:
    """Grain: customer. Two rows for one person and purpose: the most restrictive holds."""
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
        where channel = ? and purpose = ?
        group by customer_id
        """,
        [sync.consent, audience.purpose],
    )


def build_holders(connection: duckdb.DuckDBPyConnection, sync: Sync) -> None:
    """Grain: candidate. What all who hold an identifier that would be sent say together."""
    identifier = IDENTIFIERS[sync.consent]
    others = "".join(
        f" union select candidate.customer_id, {normal_sql(column, kind)} from candidate "
        f"join customers using (customer_id) where {column} is not null"
        for kind, column in identifier.columns.items()
        if len(identifier.types) > 1
    )
    connection.execute(
        f"""
        create temp table identifier_state as
        with would_be_sent as (
            select customer_id, identifier from candidate where identifier is not null{others}
        ),
        held as ({holders_sql(identifier, among="select identifier from would_be_sent")}),
        suppressed as (
            -- Any identifier of a person that nobody may contact covers the person.
            select customer_id
            from (
                select customer_id, identifier from held
                union all
                select customer_id, lower(trim(identifier_value)) from customer_identifiers
            )
            where sha256(identifier) in (
                select identifier_hash from suppression where channel in ('{sync.consent}', 'all')
            )
        )
        select
            would_be_sent.customer_id,
            bool_or(coalesce(is_minor(customers.birth_date, customers.birth_year), false))
                as has_minor,
            bool_or(held.customer_id in (select customer_id from suppressed)) as has_suppressed,
            bool_or(coalesce(permission.is_granted, true) = false) as has_withdrawal,
            bool_and(coalesce(permission.is_granted, false)) as is_permitted_by_all,
            bool_or(coalesce(holdout_record."group" = 'holdout', false)) as has_holdout,
            count(holdout_record.customer_id) > 0 as has_record
        from would_be_sent
        join held on would_be_sent.identifier = held.identifier
        left join customers on held.customer_id = customers.customer_id
        left join permission on held.customer_id = permission.customer_id
        left join holdout_record on held.customer_id = holdout_record.customer_id
        group by would_be_sent.customer_id
        """
    )
