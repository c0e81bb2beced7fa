"""`khach run --as-of` of an earlier day: built beside the present, which it does not touch."""

from datetime import date
from typing import Any

from rich.console import Console

from khach.cli.output import emit
from khach.configuration import resolve_as_of
from khach.environment import Environment, activate
from khach.lock import run_lock
from khach.replays import Replay, moment_of, prepare, publish_replay
from khach.settings import load_settings

_STAGES = ("build",)


def is_replay(env: Environment, day: date, known_at: str | None) -> bool:
    """Whether a day is built in a folder of its own: it lies back, or is asked for as known."""
    from orchestration.session import lies_back

    return lies_back(env, resolve_as_of(env, load_settings(env), day)) or known_at is not None


def run_replay(env: Environment, day: date, known_at: str | None, *, as_json: bool) -> int:
    """Build the day and say where its figures lie; the exit code."""
    from orchestration.run import run_job

    zone = load_settings(env).business_time_zone
    moment = moment_of(known_at, zone) if known_at else None
    with run_lock(env, "khach run --as-of"):
        replay = prepare(env, day, moment)
        activate(replay.env)
        code = run_job(replay.env, select=_STAGES, as_of=replay.as_of)
        place = publish_replay(replay, _run_of(replay)) if code == 0 else None
    document = {
        "day": day.isoformat(),
        "as_of": replay.as_of.isoformat(),
        "known_at": moment.isoformat() if moment else None,
        "published": str(place) if place else None,
        "exit_code": code,
    }
    emit(as_json, document, lambda console: _draw(console, document, replay))
    return code


def _run_of(replay: Replay) -> str:
    """The run that has just been: the only one that a fresh home knows."""
    from khach.state import open_state

    with open_state(replay.env) as state:
        row = state.execute("select max(run_id) from runs").fetchone()
    return str(row[0]) if row else ""


def _draw(console: Console, document: dict[str, Any], replay: Replay) -> None:
    known = f"as known at {document['known_at']}" if document["known_at"] else "as known now"
    console.print(f"\n[bold]{document['day']}[/bold] again, {known}")
    if document["published"] is None:
        console.print("  it stopped; nothing of the present was touched")
        return
    console.print(f"  marts    {document['published']}/marts.duckdb")
    console.print(f'  look     KHACH_HOME={replay.env.home} khach query "from customers"')
    console.print("  nothing of the present was touched: no publishing, no sync")
