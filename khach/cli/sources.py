"""`khach sources`, `khach loads` and `khach checks`: what came in, and what the gates said."""

import getpass
from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated, Any

import typer

from khach.cli.output import AsJson, emit, table
from khach.environment import load_environment
from khach.errors import KhachError, gravest
from khach.redact import redact

sources_app = typer.Typer(help="Where data comes from.", no_args_is_help=True)
loads_app = typer.Typer(help="Loads and their verdicts.", invoke_without_command=True)
checks_app = typer.Typer(help="Results of the gates.", no_args_is_help=True)
Reason = Annotated[str, typer.Option(help="Why, for those who ask later.")]
SHOWN_KEYS = 100


def register(app: typer.Typer) -> None:
    """Add these groups to the root."""
    app.add_typer(sources_app, name="sources")
    app.add_typer(loads_app, name="loads", epilog="Example: khach loads --json")
    app.add_typer(checks_app, name="checks")


@sources_app.command("check", epilog="Example: khach sources check")
def sources_check(as_json: AsJson = False) -> int:
    """Reach every configured source and read its shape; loads nothing. Tells every problem."""
    from ingestion.config import load_sources
    from ingestion.replay import check_quarantine
    from ingestion.run import check_source
    from khach.cli.servers import sandbox_servers

    env = load_environment()
    with sandbox_servers(env):
        items = [
            item
            for source in load_sources(env)
            for item in (*check_source(env, source), *check_quarantine(env, source.name))
        ]
    rows = [
        {name: redact(value) if isinstance(value, str) else value
         for name, value in item.as_dict().items()}
        for item in items
    ]  # fmt: skip

    def render(console: Any) -> None:
        console.print(_records(rows, ("source", "item", "found", "problem")))
        for mistake in (item.mistake for item in items if item.mistake):
            console.print(f"\n{redact(str(mistake))}", markup=False)

    emit(as_json, {"sources": rows}, render)
    return gravest(item.exit_code for item in items)


@sources_app.command("replay", epilog="Example: khach sources replay web_shop")
def sources_replay(
    source: Annotated[str, typer.Argument(metavar="SOURCE")],
    load: Annotated[
        str | None, typer.Option(metavar="ID", help="A rejected load to read again as a whole.")
    ] = None,
    as_json: AsJson = False,
) -> int:
    """Read quarantined rows again after a fix; with --load, the files of a rejected load."""
    from khach.cli.servers import sandbox_servers
    from khach.lock import run_lock
    from khach.progress import reporter

    env = load_environment()
    withheld = 0
    with run_lock(env, "khach sources replay"), sandbox_servers(env), reporter() as progress:
        if load is None:
            from ingestion.replay import replay

            found = replay(env, source, progress=progress)
            rows = [asdict(one) for one in found.tables]
            landed, withheld = found.load, found.withheld
        else:
            from ingestion.run import ingest_again

            landed = ingest_again(env, source, load, progress=progress)
            rows = [{"table": name, **asdict(counts)} for name, counts in landed.tables.items()]
    load_id = landed.load_id if landed else None
    what = f"load {load_id} waits for its gate: khach run" if load_id else "no row passes now"

    def render(console: Any) -> None:
        if rows:
            console.print(_records(rows, list(rows[0])))
        if rows or not withheld:
            console.print(what if rows else "nothing is in the quarantine", markup=False)
        if withheld:
            console.print(f"{withheld:,} more rows are of rejected loads: khach loads lists them; "
                          f"khach sources replay {source} --load ID", markup=False)  # fmt: skip

    document = {"source": source, "load_id": load_id, "tables": rows, "withheld": withheld}
    emit(as_json, document, render)
    return 0


@loads_app.callback(invoke_without_command=True)
def loads(context: typer.Context, as_json: AsJson = False) -> None:
    """List the loads with their verdicts, newest last."""
    from khach.state import open_state

    if context.invoked_subcommand:
        return
    with open_state(load_environment()) as state:
        cursor = state.execute(
            "select source, load_id, landed_at, verdict, judged_by, reason, "
            "sum(rows_landed)::bigint as rows_landed from loads "
            "left join load_tables using (source, load_id) group by all "
            "order by landed_at, source, load_id"
        )
        names = [column[0] for column in cursor.description or []]
        rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    emit(as_json, {"loads": rows}, lambda console: console.print(_records(rows, names)))


@loads_app.command("accept", epilog="Example: khach loads accept 1782900000.12 --reason checked")
def accept(
    load_id: Annotated[str, typer.Argument(metavar="ID")],
    reason: Reason = "by hand",
    as_json: AsJson = False,
) -> None:
    """Let the models see a load."""
    _judge(load_id, "accepted", reason, as_json)


@loads_app.command(
    "reject", epilog="Example: khach loads reject 1782900000.12 --reason 'half a day'"
)
def reject(
    load_id: Annotated[str, typer.Argument(metavar="ID")],
    reason: Reason = "by hand",
    as_json: AsJson = False,
) -> None:
    """Keep a load away from the models; its files stay in the lake."""
    _judge(load_id, "rejected", reason, as_json)


@loads_app.command("compact", epilog="Example: khach loads compact")
def compact(as_json: AsJson = False) -> None:
    """Put small files of the lake together now; a run does so when there are many."""
    from ingestion.run import compact_all
    from khach.lock import run_lock

    env = load_environment()
    with run_lock(env, "khach loads compact"):
        done = [asdict(one) for one in compact_all(env)]
    names = ["source", "table", "loads", "rows", "files"]
    emit(as_json, {"compacted": done}, lambda console: console.print(
        _records(done, names) if done else "nothing to put together"))  # fmt: skip


@checks_app.command("show", epilog="Example: khach checks show r20260629T020000123 orders_volume")
def checks_show(
    run: Annotated[str, typer.Argument(metavar="RUN")],
    check: Annotated[str, typer.Argument(metavar="CHECK")],
    as_json: AsJson = False,
) -> None:
    """The failing keys of a check, read again now, on this terminal only."""
    from khach.failing import failing_rows

    shown = failing_rows(load_environment(), run, check, limit=SHOWN_KEYS)

    def render(console: Any) -> None:
        for result in shown:
            console.print(f"{result['rule']}: {result['status']}", markup=False)
            if result["rows"]:
                console.print(table(result["columns"], result["rows"]))
            if result["note"]:
                console.print(result["note"], markup=False)

    emit(as_json, {"run_id": run, "check_name": check, "results": shown}, render)


def _judge(load_id: str, verdict: str, reason: str, as_json: bool) -> None:
    from ingestion import verdicts
    from khach.lock import run_lock
    from khach.state import open_state

    env = load_environment()
    with run_lock(env, f"khach loads {verdict}"):
        with open_state(env) as state:
            found = state.execute(
                "select source from loads where load_id = ? order by source", [load_id]
            ).fetchall()
        if not found:
            raise KhachError(f"there is no load {load_id}", fix="khach loads lists them")
        judge = verdicts.accept if verdict == "accepted" else verdicts.reject
        for (source,) in found:
            judge(env, source, load_id, by=getpass.getuser(), reason=reason)
    document = {"load_id": load_id, "sources": [row[0] for row in found], "verdict": verdict}
    emit(as_json, document, lambda console: console.print(
        f"load {load_id} is {verdict}; the models follow with the next khach run"))  # fmt: skip


def _records(rows: list[dict[str, Any]], names: Sequence[str]) -> Any:
    return table(names, [[row[name] for name in names] for row in rows])
