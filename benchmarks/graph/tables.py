"""Persons, what they showed, and the warehouse's tables of it, in one DuckDB file."""

import time
from pathlib import Path

import duckdb
import pyarrow as pa

from identity.increment import Resolution
from identity.quarantine import SCHEMA

KEYS = "identifier_type, namespace, identifier_value"

# Persons' identifiers by slot: what the slot is, and which share of persons has it.
SLOTS = """
    values (0, 'user_id', 'shop', 1.0), (1, 'email', '', 0.95), (2, 'phone', '', 0.8),
        (3, 'member_number', 'tills', 0.5), (4, 'anonymous_id', 'shop', 0.3)
"""
GENERATE = f"""
create macro value_of(kind, person) as  -- accounts are numbered, addresses and numbers are not
    kind || if(kind = 'user_id', lpad(person::varchar, 9, '0'), hash(kind || person)::varchar);
create table slots as select * from ({SLOTS}) as t (slot, identifier_type, namespace, share);
create table shown as
    select person, slot, identifier_type, namespace,
        value_of(identifier_type, person) as identifier_value
    from range({{persons}}) as p (person), slots
    where hash(person * 8 + slot) % 1000 < share * 1000;
insert into shown  -- households: every fiftieth person shows the neighbour's device
    select person, 5, 'anonymous_id', 'shop', value_of('anonymous_id', person + 1)
    from range(0, {{persons}}, 50) as p (person);
insert into shown  -- a tablet: every hundredth person's card, thousands at each of a few
    select person, 6, 'phone', '', 'tablet' || person % 700 // 100
    from range(0, {{persons}}, 100) as p (person);
insert into shown  -- every thousandth person shows the next one's card
    select person, 7, 'member_number', 'tills', value_of('member_number', person + 1)
    from range(0, {{persons}}, 1000) as p (person);
"""
WAREHOUSE = f"""
create table nodes as
    select row_number() over (order by {KEYS}) as node_id, {KEYS},
        timestamp '2025-01-01' + interval (min(person) % 500000) minute as first_seen_at,
        'shop' as first_source, 'customers:' || min(person) as first_record_id
    from shown group by {KEYS} order by {KEYS};
create table pairs as  -- the shop's record shows all but the card, the till's what it knows
    select account.person, account.node_id as left_node, other.node_id as right_node, other.slot
    from (select person, slot, node_id from shown join nodes using ({KEYS}) where slot in (0, 3))
        as account
    join (select person, slot, node_id from shown join nodes using ({KEYS})
        where slot not in (0, 3)) as other
        on account.person = other.person
        and (account.slot = 0 and other.slot <> 6 or account.slot = 3 and other.slot in (1, 2, 6));
create table edges as
    select left_node, right_node, if(slot = 4, 1, 3) as strength,
        if(slot = 7, 'probable_match', 'exact_identifier') as rule, 'shop' as source,
        'customers:' || person as record_id,
        timestamp '2025-01-01' + interval (person % 500000) minute as first_seen_at
    from pairs where left_node <> right_node;
create table ledger (
    event_number bigint, event varchar, customer_number bigint, other_customer_number bigint,
    identifier_type varchar, namespace varchar, identifier_value varchar, rule varchar,
    triggering_source varchar, triggering_record_id varchar
);
create table quarantine as select * from empty_quarantine;
create table proposal (node_id bigint, cluster_id bigint, customer_number bigint);
drop table shown; drop table pairs;
"""
NEW_DAY = """
create table orders as  -- one in forty accounts shows a new e-mail; every fifth is itself new
    select node_id as account, identifier_value as number, hash(node_id) // 1000 % 5 = 0 as is_new
    from nodes where identifier_type = 'user_id' and hash(node_id) % 1000 < {per_mille};
create table new_nodes as
    select (select max(node_id) from nodes) + row_number() over (order by number) as node_id,
        identifier_type, namespace, 'new' || number as identifier_value,
        timestamp '2026-01-01' as first_seen_at, 'shop' as first_source,
        'orders:' || number as first_record_id, number
    from orders, (values ('email', ''), ('user_id', 'shop')) as kinds (identifier_type, namespace)
    where identifier_type = 'email' or is_new;
insert into nodes select * exclude (number) from new_nodes;
create table new_edges as
    select coalesce(newcomers.node_id, account) as left_node, emails.node_id as right_node, 3,
        'exact_identifier', 'shop', first_record_id, first_seen_at
    from orders join (from new_nodes where identifier_type = 'email') as emails using (number)
        left join (select node_id, number from new_nodes where identifier_type = 'user_id')
            as newcomers using (number);
insert into new_edges  -- and a card at the tablet for some of them
    select left_node, (select min(node_id) from nodes where identifier_value = 'tablet0'), 3,
        'exact_identifier', 'shop', first_record_id, first_seen_at
    from new_edges where left_node % 100 = 1;
insert into edges from new_edges;
create table changed as
    select left_node as node_id from new_edges union select right_node from new_edges;
"""


def open_file(file: Path) -> duckdb.DuckDBPyConnection:
    """A file as profiles.yml makes the warehouse."""
    return duckdb.connect(str(file), config={"storage_compatibility_version": "v1.5.0"})


def build(file: Path, persons: int) -> None:
    """Fill a new file with so many persons and the edges between what they showed."""
    with open_file(file) as database:
        database.register("empty_quarantine", SCHEMA.empty_table())
        database.execute("set threads = 2; set memory_limit = '1500MB'")
        database.execute(GENERATE.format(persons=persons) + WAREHOUSE)


def append(database: duckdb.DuckDBPyConnection, found: Resolution, events: pa.Table) -> None:
    """Add what a resolution says of its nodes."""
    proposal = found.proposal.select(["node_id", "cluster_id", "customer_number"])
    tables = {"ledger": events, "proposal": proposal, "quarantine": found.quarantine}
    for name, table in tables.items():
        database.register("arrived", table)
        database.execute(f"insert into {name} select * from arrived")
        database.unregister("arrived")


def arrow(database: duckdb.DuckDBPyConnection, sql: str, **tables: pa.Table) -> pa.Table:
    """The rows of a query, which may read `tables` by their names."""
    for name, table in tables.items():
        database.register(name, table)
    # A relation, as dbt hands one to a model: its threads make the Arrow table.
    return database.sql(sql).to_arrow_table()


def value(database: duckdb.DuckDBPyConnection, sql: str) -> int:
    """The number that a query tells."""
    row = database.sql(sql).fetchone()
    return int(row[0]) if row else 0


class Clock:
    """Seconds by stage."""

    def __init__(self) -> None:
        self.started = self.last = time.perf_counter()
        self.laps: list[str] = []

    def lap(self, name: str) -> None:
        """Name what has been done since the last lap."""
        now = time.perf_counter()
        self.laps.append(f"{name} {now - self.last:.2f} s")
        self.last = now
