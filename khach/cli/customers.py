"""`khach customer`: what is known about one person, on the operator's own terminal."""

from typing import Annotated, Any

import typer
from rich.console import Console

from khach.cli.output import AsJson, emit, table, text
from khach.environment import load_environment
from khach.errors import ConfigError


def register(app: typer.Typer) -> None:
    """Add this command to the root."""
    app.command(epilog="Example: khach customer 0912345678")(customer)


def customer(
    who: Annotated[str, typer.Argument(metavar="ID|EMAIL|PHONE")],
    explain: Annotated[
        str | None, typer.Option(metavar="ATTRIBUTE", help="Where a value came from.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """The profile: identifiers, orders, consents, segments. Personal data: written nowhere."""
    from khach.profile import explain_attribute, find_customers, profile

    env = load_environment()
    found = find_customers(env, who)
    if explain:
        if len(found) != 1:
            raise ConfigError(f"{len(found)} customers fit; --explain needs exactly one id")
        rows = explain_attribute(env, found[0], explain)
        emit(as_json, {"customer_id": found[0], "candidates": rows}, lambda c: _draw(c, rows))
        return
    profiles = [profile(env, customer_id) for customer_id in found]
    emit(as_json, {"customers": profiles}, lambda console: _draw_profiles(console, profiles))


def _draw_profiles(console: Console, profiles: list[dict[str, Any]]) -> None:
    if len(profiles) > 1:
        console.print(f"{len(profiles)} customers share this contact")
    for facts in profiles:
        console.print()
        for key, value in facts["profile"].items():
            if value is not None:
                console.print(f"{key:<24}{text(value)}")
        for name, rows in facts.items():
            if name != "profile" and rows:
                console.print(f"\n[bold]{name.replace('_', ' ')}[/bold]")
                _draw(console, rows)


def _draw(console: Console, rows: list[dict[str, Any]]) -> None:
    if rows:
        console.print(table(list(rows[0]), [list(row.values()) for row in rows]))
