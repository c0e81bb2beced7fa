"""Syncs: `plan`, `apply`, `reconcile`, `show`, `receipts` (`docs/sync.md`)."""

from typing import Annotated

import typer
from rich.console import Console

from khach.cli.output import AsJson, emit, facts, table
from khach.environment import Environment, load_environment


def register(app: typer.Typer) -> None:
    """Add these commands to the root."""
    app.command(epilog="Example: khach plan cart_email")(plan)
    app.command(epilog="Example: khach apply p20260629T0200 --accept max_removal_share")(apply)
    app.command(epilog="Example: khach show p20260629T0200 7")(show)
    app.command(epilog="Example: khach receipts p20260629T0200")(receipts)
    app.command(epilog="Example: khach reconcile cart_email --repair")(reconcile)


def plan(
    syncs: Annotated[list[str] | None, typer.Argument(metavar="[SYNC]...")] = None,
    as_json: AsJson = False,
) -> int:
    """Plan syncs (all, or those named): what would change at the channel. Changes nothing there."""
    from activation.audiences import load_audiences
    from activation.plan import make_plan
    from khach.lock import run_lock
    from khach.operations import publish_operations

    env = load_environment()
    book = load_audiences(env)
    for name in syncs or []:
        book.find_sync(name)
    names = syncs or [sync.id for audience in book.values() for sync in audience.syncs]
    with run_lock(env, "khach plan"):
        try:
            plans = [make_plan(env, name) for name in names]
        finally:
            publish_operations(env)

    def render(console: Console) -> None:
        for made in plans:
            console.print(made.text(), markup=False)
            if not made.is_blocked:
                console.print(f"  carry it out: khach apply {made.plan_id}", markup=False)

    emit(as_json, {"plans": [made.as_dict() for made in plans]}, render)
    return 3 if any(made.is_blocked for made in plans) else 0


def apply(
    plan_id: Annotated[str, typer.Argument(metavar="PLAN")],
    accept: Annotated[
        list[str] | None,
        typer.Option(metavar="GUARD", help="Release a tripped guard by its name; repeatable."),
    ] = None,
    only_seeds: Annotated[
        bool, typer.Option("--only-seeds", help="A test send to own staff; the plan stays open.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Carry out exactly this plan, or refuse because its inputs moved. A receipt for each row."""
    from activation.apply import apply_plan
    from khach.cli.servers import sandbox_servers
    from khach.lock import run_lock
    from khach.operations import publish_operations

    env = load_environment()
    with run_lock(env, "khach apply"), sandbox_servers(env):
        try:
            _audience_gate(env, plan_id)
            summary = apply_plan(env, plan_id, accept=tuple(accept or ()), only_seeds=only_seeds)
        finally:
            publish_operations(env)
    emit(as_json, summary.as_dict(), lambda console: console.print(summary.text(), markup=False))


def reconcile(
    sync: Annotated[str, typer.Argument(metavar="SYNC")],
    repair: Annotated[
        bool, typer.Option("--repair", help="Plan anew who is missing; nothing is sent by this.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Compare the channel's own list with what it acknowledged to us."""
    from activation.reconcile import reconcile as compare
    from khach.cli.servers import sandbox_servers
    from khach.lock import run_lock
    from khach.operations import publish_operations

    env = load_environment()
    with run_lock(env, "khach reconcile"), sandbox_servers(env):
        try:
            drift = compare(env, sync, repair=repair)
        finally:
            publish_operations(env)
    emit(as_json, drift.as_dict(), lambda console: console.print(drift.text(), markup=False))


def _audience_gate(env: Environment, plan_id: str) -> None:
    """Gate 3 belongs to every apply, by hand too: gates cannot be skipped. Raises GateError."""
    from activation.plan import plan_rows
    from expectations import audience
    from khach import clock
    from khach.checks import gate_error, record_checks
    from khach.state import open_state

    results = audience.check(env, plan_id, plan_rows(env, plan_id), on=clock.now(env).date())
    with open_state(env) as state:
        record_checks(state, plan_id, results)
    if problem := gate_error(plan_id, results):
        raise problem


def show(
    plan_id: Annotated[str, typer.Argument(metavar="PLAN")],
    row: Annotated[int, typer.Argument(metavar="ROW")],
    as_json: AsJson = False,
) -> None:
    """The payload of one row of a plan. Personal data: on this terminal only."""
    from activation.plan import plan_row

    shown = plan_row(load_environment(), plan_id, row)
    emit(as_json, shown, facts(shown))


def receipts(
    plan_id: Annotated[str | None, typer.Argument(metavar="[PLAN]")] = None,
    as_json: AsJson = False,
) -> None:
    """Receipts of a plan, row by row; without a plan, counts per plan, action and status."""
    from khach.readers import read_only_session, run_query

    one = plan_id is not None
    sql = (
        "select receipt_id, sync_id, customer_id, action, status, vendor_code, vendor_message, "
        "attempted_at, settled_at from sync_receipts where plan_id = $plan "
        "order by attempted_at, receipt_id"
        if one
        else "select plan_id, sync_id, action, status, count(*) as receipts, "
        "max(attempted_at) as newest from sync_receipts group by all "
        "order by newest, plan_id, sync_id, action, status"
    )
    with read_only_session(load_environment()) as connection:
        columns, rows = run_query(connection, sql, {"plan": plan_id} if one else None)
    records = [dict(zip(columns, values, strict=True)) for values in rows]
    emit(as_json, {"receipts": records}, lambda console: console.print(table(columns, rows)))
