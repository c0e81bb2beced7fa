"""How the facts of a run are drawn for a person: the end of `khach run`, and `khach status`."""

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.markup import escape

from khach.cli.output import table, text
from khach.environment import Environment

_COLOURS = {"ok": "green", "failed": "red", "stopped": "red", "running": "yellow"}
_ROW_COLUMNS = (
    ("source", "source"), ("table", "table_name"), ("offered", "rows_offered"),
    ("landed", "rows_landed"), ("duplicate", "rows_duplicate"),
    ("quarantined", "rows_quarantined"), ("filtered", "rows_filtered"),
    ("in marts", "rows_in_marts"),
)  # fmt: skip


def draw_run(console: Console, facts: Mapping[str, Any]) -> None:
    """The last run: how it ended, what each stage took."""
    run = facts.get("run")
    if not run:
        console.print("no run is recorded yet")
        return
    colour = _COLOURS.get(run["status"], "yellow")
    took = f" in {run['seconds']:.0f} s" if run["seconds"] is not None else ""
    console.print(
        f"\n[bold]Run {run['run_id']}[/bold] [{colour}]{run['status']}[/{colour}]{took}"
        f", data as of {text(run['as_of'])} UTC"
    )
    if run["message"]:
        console.print(f"  {escape(run['message'])}")
    stages = "  ".join(
        f"{s['stage']} {s['status']}" + (f" {s['seconds']:.0f} s" if s["seconds"] else "")
        for s in run["stages"]
    )
    if stages:
        console.print(f"  {escape(stages)}")


def draw_rows(console: Console, facts: Mapping[str, Any]) -> None:
    """Rows per source and table; what does not add up stands in red."""
    if not facts.get("rows"):
        return
    console.print("\n[bold]Rows[/bold] over all accepted loads")
    drawn = table([title for title, _ in _ROW_COLUMNS], [])
    for number in range(2, len(_ROW_COLUMNS)):
        drawn.columns[number].justify = "right"
    drawn.add_column("adds up")
    for row in facts["rows"]:
        verdict = {True: "yes", False: "NO", None: "not counted yet"}[row["is_balanced"]]
        style = "red" if row["is_balanced"] is False else None
        drawn.add_row(*(text(row[key]) for _, key in _ROW_COLUMNS), verdict, style=style)
    console.print(drawn)


def draw_schema_changes(console: Console, facts: Mapping[str, Any]) -> None:
    """Columns that are new, or typed otherwise, in what was delivered last."""
    if not facts.get("schema_changes"):
        return
    console.print("\n[bold]Columns[/bold] that were not delivered like this before")
    for row in facts["schema_changes"]:
        what = f"is new ({row['new_type'] or 'text'})"
        if row["old_type"]:
            what = f"was {row['old_type']} and is {row['new_type']}; no mapping reads it"
        console.print(f"  {row['source']}.{row['table_name']}: {row['column_name']} {what}",
                      markup=False)  # fmt: skip


def draw_gates(console: Console, facts: Mapping[str, Any]) -> None:
    """Checks passed and failed, with the command that lists the failing keys."""
    gates = facts.get("gates")
    if not gates:
        return
    if not gates["checks"]:
        console.print("\n[bold]Gates[/bold] none was reached by this run")
        return
    console.print(
        f"\n[bold]Gates[/bold] {gates['passed']:,} of {gates['checks']:,} checks passed, "
        f"{gates['failed']:,} failed, {gates['warnings']:,} warnings"
    )
    for check in gates["not_passed"]:
        colour = "red" if check["severity"] == "error" else "yellow"
        where = ".".join(part for part in (check["source"], check["table_name"]) if part)
        count = f" ({check['failed_count']:,} rows)" if check["failed_count"] is not None else ""
        load = f" load {check['load_id']}" if check["load_id"] else ""
        console.print(
            f"  [{colour}]{check['severity']}[/{colour}] "
            + escape(f"{where or check['stage']}: {check['rule']}{load}{count}")
        )
        console.print(f"    khach checks show {facts['run']['run_id']} {check['check_name']}")


def draw_people(
    console: Console, facts: Mapping[str, Any], simulated: Mapping[str, Any] | None
) -> None:
    """Customers found (in the sandbox beside how many there are) and the sizes of segments."""
    snapshot = facts.get("snapshot")
    if not snapshot:
        console.print("\nnothing is published yet")
        return
    run = facts.get("run")
    is_earlier = run and snapshot["run_id"] != run["run_id"]
    when = f" as of {text(snapshot['as_of'])} UTC, published before:" if is_earlier else ""
    found = f"\n[bold]People[/bold]{when} {text(snapshot['customers'])} customers found"
    if simulated:
        found += (
            f"; simulated: {simulated['people']:,} people, {simulated['seen']:,} of whom left "
            "a name, number or address in a delivered record"
        )
    console.print(found)
    if snapshot["lifecycle"]:
        stages = "  ".join(f"{row['stage']} {row['customers']:,}" for row in snapshot["lifecycle"])
        console.print(f"  lifecycle: {escape(stages)}")
    rfm = [row for row in snapshot["segments"] if row["segment_kind"] == "rfm"]
    if rfm:
        sizes = "  ".join(f"{row['segment_name']} {row['customers']:,}" for row in rfm)
        console.print(f"  RFM: {escape(sizes)}")


def draw_plans(console: Console, facts: Mapping[str, Any]) -> None:
    """The newest plan of each sync and what became of its rows."""
    if not facts.get("plans"):
        return
    console.print("\n[bold]Plans[/bold] newest of each sync")
    rows = [
        (
            plan["plan_id"], plan["sync_id"], plan["channel"], plan["status"],
            plan["add_count"], plan["update_count"], plan["remove_count"],
            plan["unchanged_count"], plan["excluded_count"],
            ", ".join(f"{count:,} {status}" for status, count in plan["receipts"].items()) or None,
        )
        for plan in facts["plans"]
    ]  # fmt: skip
    titles = ("plan", "sync", "channel", "status", "add", "update", "remove", "unchanged",
              "left out", "receipts")  # fmt: skip
    console.print(table(titles, rows))
    for plan in facts["plans"]:
        if plan["status"] == "blocked":
            console.print(
                f"  [red]{plan['plan_id']} is held by {escape(str(plan['blocked_by']))}[/red]; a "
                f"person releases it: khach apply {plan['plan_id']} --accept {plan['blocked_by']}"
            )


def draw_next(console: Console, env: Environment) -> None:
    """What to open now."""
    console.print("\n[bold]Next[/bold]")
    report = env.published / "report.html"
    if report.exists():
        console.print(f"  open   {report}")
    console.print(
        '  ask    khach query "select lifecycle_stage, count(*) as customers from customers '
        'group by all order by all"'
    )
    console.print("  watch  make dev (Dagster's UI on loopback)")


def draw_overview(
    console: Console, env: Environment, facts: Mapping[str, Any], people: Mapping[str, Any] | None
) -> None:
    """All of it, in the order in which a tired person asks."""
    draw_run(console, facts)
    draw_rows(console, facts)
    draw_schema_changes(console, facts)
    draw_gates(console, facts)
    draw_people(console, facts, people)
    draw_plans(console, facts)
    draw_next(console, env)
