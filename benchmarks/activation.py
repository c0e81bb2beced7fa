"""Plans of ten audiences over a million customers, against a bare hash and full outer join.

Each audience takes about a third of the customers and had three quarters of them before. The bare
side is one DuckDB process that filters, hashes the same payloads and joins them in full with what
the channel has acknowledged; ours adds consent, holders, reasons, holdouts, guards and the stored
plan. Then one customer in a hundred changes and the plans are applied: the calls are counted.
KHACH_BENCH_CUSTOMERS makes it smaller.
"""

import os
import re
import resource
import tempfile
import time
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import ClassVar

import duckdb
import yaml

from activation.channels import CHANNELS
from activation.channels.base import Batch, Channel, Outcome
from activation.channels.capabilities import Capabilities
from activation.consent import PermittedRow, WithdrawalRow
from khach.environment import Environment, load_environment
from khach.state import open_state

AUDIENCES, RATIO_BAR, SECONDS_BAR, MEMORY_BAR_MIB, CALLS_BAR = 10, 5.0, 60.0, 4096, 1.05
AS_OF = datetime(2026, 6, 28, 17)  # noqa: DTZ001 - naive UTC, as stored
_PROVINCES = ("Hà Nội", "Hồ Chí Minh", "Đà Nẵng", "Hải Phòng", "Cần Thơ", "Huế", "Nghệ An")


class Counting(Channel):
    """A list that takes everything and counts its rows."""

    capabilities: ClassVar[Capabilities] = Capabilities(
        consent_channel="email",
        remote={"list": ()},
        field_name=re.compile(r"[A-Z]+"),
        remote_id_sql="md5(identifier)",
        batch_size=5000,
    )
    rows = 0

    def __init__(self, env: Environment, remote: Mapping[str, str]) -> None:
        del env, remote

    def upsert(self, batch: Batch[PermittedRow]) -> list[Outcome]:
        """Take and count."""
        Counting.rows += len(batch.rows)
        return [Outcome("acknowledged")] * len(batch.rows)

    def remove(self, batch: Batch[WithdrawalRow]) -> list[Outcome]:
        """Take and count."""
        Counting.rows += len(batch.rows)
        return [Outcome("acknowledged")] * len(batch.rows)


def run() -> bool:
    """Plan, compare, change one in a hundred, apply; whether every bar is met."""
    count = int(os.environ.get("KHACH_BENCH_CUSTOMERS", "1000000"))
    CHANNELS["counting"] = Counting
    with tempfile.TemporaryDirectory(prefix="khach-bench-") as name:
        env = _installation(Path(name))
        _publish(env, count, "before")
        _acknowledge_all(env)
        _publish(env, count, "after")
        bare = [_bare(env) for _ in range(2)]
        started = time.perf_counter()
        planned = _plan_all(env)
        ours = time.perf_counter() - started
        bare.append(_bare(env))
        calls = _apply_all(env, planned)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    ratio, changed = ours / min(bare), sum(planned.values())
    share = changed / (AUDIENCES * count / 3)
    print(f"activation: {changed:,} of the plans' rows change ({share:.1%}); {calls:,} sent")
    print(
        f"activation: {AUDIENCES} plans over {count:,} customers in {ours:.1f} s (bar "
        f"{SECONDS_BAR:.0f}), {ratio:.1f} times the bare join of {min(bare):.1f} s (bar "
        f"{RATIO_BAR:.0f}), peak memory {peak:.0f} MiB (bar {MEMORY_BAR_MIB}), calls "
        f"{calls / changed:.2f} times the changes (bar {CALLS_BAR})"
    )
    return (
        ours <= SECONDS_BAR
        and ratio <= RATIO_BAR
        and peak <= MEMORY_BAR_MIB
        and calls / changed <= CALLS_BAR
    )


def _installation(folder: Path) -> Environment:
    variables = {"KHACH_HOME": folder / "home", "KHACH_CONFIG": folder / "config"}
    os.environ |= {name: str(path) for name, path in variables.items()} | {"KHACH_ENV": "sandbox"}
    env = load_environment()
    (env.config / "audiences").mkdir(parents=True)
    (env.config / "settings.yml").write_text("minimum_age: 16\n", encoding="utf-8")
    (env.config / "policy.yml").write_text("suppression_list: null\n", encoding="utf-8")
    for number in range(AUDIENCES):
        path = env.config / "audiences" / f"a{number}.yml"
        path.write_text(yaml.safe_dump(_audience(number)), encoding="utf-8")
    return env


def _audience(number: int) -> dict[str, object]:
    """Eight hours of the day's twenty-four: a third of the customers."""
    return {
        "name": f"a{number}", "owner": "crm", "description": "Benchmark.", "purpose": "marketing",
        "where": f"preferred_hour >= {number} and preferred_hour < {number + 8}",
        "min_age": 16, "priority": 10,
        "syncs": [{
            "id": f"s{number}", "kind": "membership", "channel": "counting",
            "remote": {"list": f"l{number}"}, "mode": "mirror",
            "fields": {"GREETING": "salutation_name", "LASTITEM": "last_cart_item",
                       "PROVINCE": "province"},
        }],
        "guards": {"max_size": 10**8, "max_removals": 10**8, "max_input_age_hours": 10**7},
    }  # fmt: skip


def _publish(env: Environment, count: int, name: str) -> None:
    """A snapshot of `count` customers; in `after` every hundredth has another item in the cart."""
    from activation.contract import mart_columns

    folder = env.published / name
    folder.mkdir(parents=True)
    with duckdb.connect(str(folder / "marts.duckdb")) as marts:
        for table in ("customers", "consents", "customer_identifiers", "customer_attributes",
                      "customer_survivors", "segment_membership", "interactions"):  # fmt: skip
            columns = ", ".join(f"{c} {t}" for c, t in mart_columns(env, table).items())
            marts.execute(f"create table {table} ({columns})")
        provinces = ", ".join(f"'{province}'" for province in _PROVINCES)
        marts.execute(
            f"""insert into customers by name select 'c' || lpad(i::varchar, 8, '0') as
            customer_id, 'person' || i || '@example.vn' as email, 'chị Lan ' || i as
            salutation_name, [{provinces}][1 + i % {len(_PROVINCES)}] as province,
            date '1990-01-01' + (i % 5000)::integer as birth_date, i % 24 as preferred_hour,
            'Giày ' || (i % 900) || case when i % 100 = 0 then '{name}' else '' end as
            last_cart_item, false as is_test from range({count}) as t(i)"""
        )
        marts.execute(
            "insert into consents by name select 'k' || customer_id as consent_id, customer_id, "
            "'email' as channel, 'marketing' as purpose, true as is_granted, ?::timestamp as "
            "granted_at from customers",
            [AS_OF - timedelta(days=30)],
        )
        marts.execute(
            "insert into customer_identifiers by name select customer_id, 'email' as "
            "identifier_type, email as identifier_value from customers"
        )
        marts.execute(
            "insert into customer_attributes by name select customer_id, 'email' as attribute, "
            "email as value from customers"
        )
    with open_state(env) as state:
        state.execute("insert into snapshots values (?, 'r', ?, ?, true)", [name, AS_OF, AS_OF])
    env.current.unlink(missing_ok=True)
    env.current.symlink_to(name)


def _acknowledge_all(env: Environment) -> None:
    """As if everybody who is wanted now had been taken by the channel."""
    from activation.evaluation import evaluate

    for number in range(AUDIENCES):
        with evaluate(env, f"s{number}") as evaluation:
            wanted = evaluation.connection.execute(
                "select customer_id, identifier_hash, remote_id, payload_hash "
                "from desired where reason_code is null"
            ).to_arrow_table()
        with open_state(env) as state:
            state.register("wanted", wanted)
            state.execute(
                "insert into sync_acknowledged by name select ? as sync_id, *, "
                "?::timestamp as acknowledged_at from wanted",
                [f"s{number}", AS_OF],
            )
            state.unregister("wanted")


def _bare(env: Environment) -> float:
    """Seconds of filter, hash and full outer join for all audiences, nothing else."""
    started = time.perf_counter()
    with duckdb.connect() as connection:
        connection.execute(f"attach '{env.current / 'marts.duckdb'}' as marts (read_only)")
        connection.execute(f"attach '{env.state}' as state (read_only)")
        for number in range(AUDIENCES):
            connection.execute(
                f"""
                create or replace temp table difference as
                select w.identifier_hash, a.identifier_hash as old_hash,
                    w.payload_hash is distinct from a.payload_hash as is_changed
                from (
                    select sha256(email) as identifier_hash, sha256(email || to_json({{
                        '_customer': customer_id, '_remote': 'list=l{number}',
                        'GREETING': salutation_name, 'LASTITEM': last_cart_item,
                        'PROVINCE': province
                    }})) as payload_hash
                    from marts.customers
                    where preferred_hour >= {number} and preferred_hour < {number + 8}
                ) as w
                full join (
                    select * from state.sync_acknowledged where sync_id = 's{number}'
                ) as a on w.identifier_hash = a.identifier_hash
                """
            )
    return time.perf_counter() - started


def _plan_all(env: Environment) -> dict[str, int]:
    """plan_id -> rows that change, of every audience."""
    from activation.plan import make_plan

    plans = [make_plan(env, f"s{number}") for number in range(AUDIENCES)]
    return {plan.plan_id: plan.change_count for plan in plans}


def _apply_all(env: Environment, plans: Mapping[str, int]) -> int:
    """Rows that reached the channel."""
    from activation.apply import apply_plan

    Counting.rows = 0
    started = time.perf_counter()
    for plan_id in plans:
        apply_plan(env, plan_id)
    print(f"activation: applied in {time.perf_counter() - started:.1f} s")
    return Counting.rows
