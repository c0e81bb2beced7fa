"""Audiences: `audiences list`, `check`, `schema`, `show`, and `why` somebody is in one."""

from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any

import typer
from rich.console import Console

from khach.cli.output import AsJson, emit, table
from khach.environment import load_environment

audiences_app = typer.Typer(help="Who is to be reached.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add these commands to the root."""
    app.add_typer(audiences_app, name="audiences")
    app.command(epilog="Example: khach why 0912345678 cart_abandoners --at 2026-06-20")(why)


@audiences_app.command("list", epilog="Example: khach audiences list")
def audiences_list(as_json: AsJson = False) -> None:
    """Every audience with its owner, purpose and syncs."""
    from activation.audiences import load_audiences

    rows = [
        {
            "name": audience.name,
            "owner": audience.owner,
            "purpose": audience.purpose,
            "priority": audience.priority,
            "syncs": ", ".join(f"{sync.id} ({sync.channel})" for sync in audience.syncs),
            "description": audience.description,
        }
        for audience in load_audiences(load_environment()).values()
    ]
    emit(as_json, {"audiences": rows}, lambda console: _draw(console, rows))


@audiences_app.command("check", epilog="Example: khach audiences check")
def audiences_check(as_json: AsJson = False) -> None:
    """Validate every audience file and run its examples."""
    from activation.audiences import check_audiences

    checked = [asdict(result) for result in check_audiences(load_environment())]
    emit(as_json, {"audiences": checked}, lambda console: _draw(console, checked))


@audiences_app.command("schema", epilog="Example: khach audiences schema --write")
def audiences_schema(
    write: Annotated[
        bool, typer.Option("--write", help="Put it where the files' first line looks for it.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """The JSON schema of audience files, by which editors complete and check them."""
    from activation.audience_schema import audience_schema, write_schema

    env = load_environment()
    if write:
        file = str(write_schema(env))
        emit(as_json, {"written": file}, lambda console: console.print(file, markup=False))
    else:
        emit(True, audience_schema(env))


@audiences_app.command("show", epilog="Example: khach audiences show cart_abandoners")
def audiences_show(
    name: Annotated[str, typer.Argument(metavar="NAME")], as_json: AsJson = False
) -> None:
    """Size, reach of each sync and who stays out why, overlap, contacts per week, cost."""
    from activation.preview import preview

    seen = preview(load_environment(), name)
    emit(as_json, seen.as_dict(), lambda console: console.print(seen.text(), markup=False))


def why(
    who: Annotated[str, typer.Argument(metavar="CUSTOMER")],
    audience: Annotated[str, typer.Argument(metavar="AUDIENCE")],
    at: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="As recorded at the end of an earlier day."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """One sentence why a customer (id, e-mail, phone) is in an audience or not, and its rows.

    Personal data: on this terminal only.
    """
    from activation.why import explain
    from activation.why_then import explain_at
    from khach.customers import find_customers

    env = load_environment()
    answers = [
        explain(env, one, audience) if at is None else explain_at(env, one, audience, at.date())
        for one in find_customers(env, who)
    ]

    def render(console: Console) -> None:
        for answer in answers:
            console.print(answer.sentence, markup=False)
            for name, rows in answer.rows.items():
                console.print(f"\n{name}", style="dim")
                _draw(console, rows)

    emit(as_json, {"answers": [answer.as_dict() for answer in answers]}, render)


def _draw(console: Console, rows: list[dict[str, Any]]) -> None:
    if rows:
        names = list(rows[0])
        console.print(table(names, [[_cell(row.get(name)) for name in names] for row in rows]))


def _cell(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or None
    if isinstance(value, dict):
        return ", ".join(f"{key} {inner}" for key, inner in value.items()) or None
    return value
