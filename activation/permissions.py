"""What people permit, per customer and per identifier: several may hold the same address."""

import duckdb

from activation.audience_file import Audience, Sync
from activation.identifiers import IDENTIFIERS, holders_sql


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
    """Grain: identifier of a candidate; what all customers who hold it say together."""
    identifier = IDENTIFIERS[sync.consent]
    connection.execute(
        f"""
        create temp table identifier_state as
        with held as ({holders_sql(identifier)}),
        suppressed as (
            select customer_id
            from customer_identifiers
            where sha256(lower(trim(identifier_value))) in (
                select identifier_hash from suppression where channel in ('{sync.consent}', 'all')
            )
        )
        select
            held.identifier,
            bool_or(coalesce(is_minor(customers.birth_date, customers.birth_year), false))
                as has_minor,
            bool_or(held.customer_id in (select customer_id from suppressed)) as has_suppressed,
            bool_or(coalesce(permission.is_granted, true) = false) as has_withdrawal,
            bool_and(coalesce(permission.is_granted, false)) as is_permitted_by_all,
            bool_or(coalesce(holdout_record."group" = 'holdout', false)) as has_holdout,
            count(holdout_record.customer_id) > 0 as has_record
        from held
        left join customers on held.customer_id = customers.customer_id
        left join permission on held.customer_id = permission.customer_id
        left join holdout_record on held.customer_id = holdout_record.customer_id
        where held.identifier in (select identifier from candidate)
        group by held.identifier
        """
    )
