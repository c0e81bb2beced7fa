"""Own staff in every send, outside the counts: they see what customers see.

A seed stands beside the published customers under `seed:<name>`, with the consent that policy.yml
says they gave; audiences, ages, holdouts and guards do not know them.
"""

import duckdb

from activation.audience_file import Audience, Sync
from activation.policy import Seed
from khach.contacts import parse_email, parse_phone

IS_SEED = "starts_with(customer_id, 'seed:')"


def add_seeds(
    connection: duckdb.DuckDBPyConnection,
    seeds: tuple[Seed, ...],
    audience: Audience,
    sync: Sync,
    *,
    country: str,
) -> None:
    """Lay temporary views with the seeds over the attached marts."""
    if not seeds:
        return
    tables = ("customers", "consents", "customer_identifiers")
    for table in tables:
        connection.execute(f"create temp table seed_{table} as from marts.main.{table} limit 0")
    for seed in seeds:
        key, known = f"seed:{seed.name}", _identifiers(seed, country)
        connection.execute(
            "insert into seed_customers by name select ? as customer_id, ? as salutation_name, "
            "? as email, ? as phone_e164, false as is_test",
            [key, seed.name, known.get("email"), known.get("phone")],
        )
        connection.execute(
            "insert into seed_consents by name select ? as consent_id, ? as customer_id, ? as "
            "channel, ? as purpose, true as is_granted, ?::timestamp as granted_at",
            [key, key, sync.consent, audience.purpose, seed.agreed_on],
        )
        for kind, value in known.items():
            connection.execute(
                "insert into seed_customer_identifiers by name select ? as customer_id, "
                "? as identifier_type, ? as identifier_value",
                [key, kind, value],
            )
    for table in tables:
        connection.execute(
            f"create temp view {table} as from marts.main.{table} union all from seed_{table}"
        )


def _identifiers(seed: Seed, country: str) -> dict[str, str]:
    found = {
        "email": parse_email(seed.email),
        "phone": parse_phone(seed.phone, country),
        "user_id": seed.user_id,
    }
    return {kind: value for kind, value in found.items() if value}
