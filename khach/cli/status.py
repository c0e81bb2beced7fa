"""`khach status` and `khach doctor`."""

import typer
from rich.console import Console

from khach.cli.output import AsJson, emit
from khach.environment import load_environment


def register(app: typer.Typer) -> None:
    """Add these commands to the root."""
    app.command(epilog="Example: khach status --json")(status)
    app.command(epilog="Example: khach doctor")(doctor)


def status(as_json: AsJson = False) -> None:
    """The last run: rows per source and table, gates, customers, plans and receipts, durations."""
    from khach.cli.servers import simulated_people
    from khach.cli.summary import draw_overview
    from khach.lock import lock_holder
    from khach.overview import overview

    env = load_environment()
    facts = overview(env)
    people = simulated_people(env)
    holder = lock_holder(env)
    document = facts | {"simulated": people, "running": str(holder) if holder else None}

    def render(console: Console) -> None:
        if holder:
            console.print(f"[yellow]at work now:[/yellow] {holder}")
        draw_overview(console, env, facts, people)

    emit(as_json, document, render)


def doctor(as_json: AsJson = False) -> int:
    """Versions, disk, locks, unfinished work, and what to do about it. Changes nothing."""
    from khach.doctor import examine

    findings = examine(load_environment())

    def render(console: Console) -> None:
        colours = {"ok": "green", "note": "yellow", "problem": "red"}
        for finding in findings:
            console.print(
                f"[{colours[finding.level]}]{finding.level:<8}[/{colours[finding.level]}]"
                f"{finding.topic:<14}", end=""
            )  # fmt: skip
            console.print(finding.message, markup=False)
            if finding.todo:
                console.print(f"{'':<22}-> {finding.todo}", markup=False)

    emit(as_json, {"findings": [vars(finding) for finding in findings]}, render)
    return 1 if any(finding.level == "problem" for finding in findings) else 0
