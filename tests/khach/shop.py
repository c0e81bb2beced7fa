"""A made-up shop of 1,000 customers with every mart that the report and the summaries read."""

import shutil
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb

from khach.checks import CheckResult, record_checks
from khach.environment import Environment
from khach.operations import publish_operations
from khach.publishing import publish
from khach.quality import record_quality
from khach.runs import stage
from khach.state import open_state
from tests.khach.warehouse import manifest_of

AS_OF = datetime(2026, 6, 30, 17, tzinfo=UTC)  # midnight of 2026-07-01 in Viet Nam
RUN = "r20260701T020000000"

MARTS = {
    "customers": """
        select 'c' || i as customer_id, 'Nguyễn Thị Lan' as full_name,
            case when i % 4 > 0 then 'lan' || i || '@example.vn' end as email,
            case when i % 3 > 0 then '+8491' || (1000000 + i) end as phone_e164,
            i % 5 as order_count, ['lead', 'first_time', 'repeat', 'loyal', 'loyal'][i % 5 + 1]
            as lifecycle_stage
        from range(1000) as t(i)""",
    "orders": """
        select 'web_shop:' || i as order_id, case when i % 9 > 0 then 'c' || (i % 600) end
            as customer_id, ['web', 'store'][i % 2 + 1] as channel, true as is_completed,
            (250000 + 1000 * (i % 400))::decimal(18, 4) as gross_amount,
            timestamp '2026-04-02 03:00:00' + to_hours(i::int) as ordered_at,
            'completed' as status, 1 as units, 250000::decimal(18, 4) as net_amount
        from range(2140) as t(i)""",
    "kpi_values": """
        with days as (
            select d::date as on_date, (8 + 4 * sin(epoch(d) / 500000))::decimal(28, 4) as orders
            from range(date '2026-04-02', date '2026-07-01', interval 1 day) as t(d)
        ), periods as (
            select grain, date_trunc(grain, on_date)::date as period_start, sum(orders) as orders
            from days, (values ('day'), ('week'), ('month')) as g(grain) group by all
        )
        select kpi, grain, period_start, 'all' as slice, 'all' as slice_value, numerator,
            denominator, coalesce(numerator / denominator, numerator) as value, true as is_additive
        from (
            from (select *, 'gross_revenue' as kpi, orders * 420000 as numerator,
                  null as denominator from periods)
            union all from (select *, 'orders', orders, null from periods)
            union all from (select *, 'average_order_value', orders * 420000, orders from periods)
            union all from (select *, 'cart_abandonment_rate', orders * 1.7, orders * 2.6
                            from periods)
            union all from (select *, 'repeat_purchase_rate', orders * 0.3, orders from periods)
        )""",
    "kpi_target_progress": """
        from (values
            ('orders', 'month', date '2026-06-01', 'channel', 'web', 400.0, 390.0, 0.975, true),
            ('open_rate', 'month', date '2026-06-01', 'all', 'all', 0.5, null, null, true)
        ) as t(kpi, grain, period_start, slice, slice_value, target, actual, share_reached,
               is_over)""",
    "segments": """
        from (values
            ('lifecycle_lead', 'lifecycle', 'Lead'), ('lifecycle_loyal', 'lifecycle', 'Loyal'),
            ('lifecycle_repeat', 'lifecycle', 'Repeat buyer'),
            ('rfm_champions', 'rfm', 'Champions'), ('rfm_lost', 'rfm', 'Lost'),
            ('rfm_potential', 'rfm', 'Potential loyalists'),
            ('generation_gen_z', 'generation', 'Generation Z'),
            ('generation_gen_y', 'generation', 'Generation Y'),
            ('generation_unknown', 'generation', 'Generation unknown')
        ) as s(segment_id, segment_kind, segment_name)""",
    "segment_membership": """
        select segment_id, 'c' || i as customer_id, segment_kind,
            date '2026-05-01' as valid_from, null::date as valid_to
        from segments, range(1000) as t(i) where i % length(segment_name) < 3""",
    "funnel_steps": """
        select 'web' as funnel, step, step_number, (9000 / step_number ** 1.6)::bigint
            as session_count, date '2026-06-01' as period_start
        from (values ('visit', 1), ('product_view', 2), ('cart', 3), ('checkout', 4), ('order', 5))
            as t(step, step_number)""",
    "customer_identifiers": """
        select customer_id, 'email' as identifier_type, email as identifier_value,
            'web_shop' as source, now()::timestamp as first_seen_at, now()::timestamp
            as last_seen_at, now()::timestamp as valid_from, null::timestamp as valid_to
        from customers where email is not null""",
}  # fmt: skip
ACCOUNTING = """
    select 'tills' as source, 'l1' as load_id, 'receipts' as table_name,
        90 as rows_in_marts, 6 as rows_duplicate, 4 as rows_filtered
    union all select 'web_shop', 'l1', 'orders', 199, 0, 0"""


_built = TemporaryDirectory(prefix="khach-shop-")


def open_shop(env: Environment) -> str:
    """Warehouse, state of one finished run, the published snapshot, operations; snapshot's id.

    Built once per test process, then copied.
    """
    original = Path(_built.name) / "home"
    if not original.exists():
        _build(replace(env, home=original))
    shutil.copytree(original, env.home, symlinks=True, dirs_exist_ok=True)
    return env.current.readlink().name


def _build(env: Environment) -> None:
    env.home.mkdir(parents=True, exist_ok=True)
    with duckdb.connect(str(env.warehouse)) as connection:
        for name, sql in MARTS.items():
            connection.execute(f"create table {name} as {sql}")
        connection.execute("create schema intermediate")
        connection.execute(f"create table intermediate.row_accounting as {ACCOUNTING}")
        columns = {
            name: [row[0] for row in connection.execute(f"describe {name}").fetchall()]
            for name in MARTS
        }
    manifest_of(env, columns, personal={"full_name", "email", "phone_e164", "identifier_value"})
    with stage(env, RUN, "run", AS_OF):
        with stage(env, RUN, "build", AS_OF), open_state(env) as state:
            _record_run(state)
        publish(env, RUN, AS_OF)
        record_quality(env, RUN)
    publish_operations(env)


def _record_run(state: duckdb.DuckDBPyConnection) -> None:
    state.execute(
        "insert into loads values "
        "('tills', 'l1', now()::timestamp, 'accepted', now()::timestamp, 'gate', null), "
        "('web_shop', 'l1', now()::timestamp, 'accepted', now()::timestamp, 'gate', null), "
        "('web_shop', 'l2', now()::timestamp, 'rejected', now()::timestamp, 'gate', 'volume')"
    )
    state.execute(
        "insert into load_tables values ('tills', 'l1', 'receipts', 103, 100, 3), "
        "('web_shop', 'l1', 'orders', 200, 200, 0), ('web_shop', 'l2', 'orders', 7, 7, 0)"
    )
    record_checks(
        state,
        RUN,
        [
            CheckResult("orders_volume", "landing", "row count between 100 and 300", True,
                        source="web_shop", table_name="orders", load_id="l1"),
            CheckResult("late", "landing", "at most 1 % of rows are late", False, "warning",
                        source="tills", table_name="receipts", load_id="l1", failed_count=2,
                        failing_sql="select order_id from orders order by order_id limit 2"),
        ],
    )  # fmt: skip
    state.execute(
        "insert into sync_plans (plan_id, sync_id, audience, channel, snapshot_id, as_of, "
        "created_at, status, add_count, update_count, remove_count, unchanged_count, "
        "excluded_count, fingerprint, figures) values ('p1', 'cart_email', 'cart_abandoners', "
        "'mailchimp', 's1', now()::timestamp, now()::timestamp, 'applied', 2, 0, 0, 0, 9, 'f', "
        "'{}')"
    )
    state.execute(
        "insert into sync_receipts (receipt_id, plan_id, sync_id, customer_id, action, status, "
        "attempted_at) select 'x' || i, 'p1', 'cart_email', 'c' || i, 'add', 'acknowledged', "
        "now()::timestamp from range(2) as t(i)"
    )
