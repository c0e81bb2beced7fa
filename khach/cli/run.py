"""`khach run`: the main job once; in the sandbox with its servers. `khach dev`: Dagster's UI."""

from datetime import date
from typing import TYPE_CHECKING, Annotated

import typer

from khach.cli.output import AsJson, emit, say
from khach.environment import Environment, load_environment
from khach.errors import ConfigError
from khach.lock import run_lock

if TYPE_CHECKING:
    from orchestration.session import Days

STAGES = ("ingest", "build", "check", "publish", "sync")


def register(app: typer.Typer) -> None:
    """Add these commands to the root."""
    app.command(epilog="Example: khach run --select ingest,build,check")(run)
    app.command(epilog="Example: khach dev")(dev)


def run(  # noqa: PLR0917 (options of the contract)
    select: Annotated[
        str | None, typer.Option(metavar="STAGES", help=f"Some of {','.join(STAGES)}.")
    ] = None,
    as_of: Annotated[
        str | None, typer.Option(metavar="DATE", help="End of the observed period, YYYY-MM-DD.")
    ] = None,
    known_at: Annotated[
        str | None, typer.Option(metavar="TIME", help="With --as-of: as it was known then.")
    ] = None,
    from_: Annotated[
        str | None, typer.Option("--from", metavar="DATE", help="Read these days again: the first.")
    ] = None,
    to: Annotated[
        str | None, typer.Option(metavar="DATE", help="The last, in the source's time zone.")
    ] = None,
    source: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="With --from: of this source only.")
    ] = None,
    full_refresh: Annotated[
        bool, typer.Option("--full-refresh", help="Rebuild the warehouse from the lake.")
    ] = False,
    hourly: Annotated[
        bool, typer.Option("--hourly", help="The light job: syncs of hourly cadence, no KPIs.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Everything but publishing and syncing.")
    ] = False,
    as_json: AsJson = False,
) -> int:
    """Run the main job once: ingest, build, check, publish, sync.

    --as-of of an earlier day builds that day again in data/replay/DAY, from the same lake, and
    changes nothing else; with --known-at its figures are those that were published then.
    """
    from khach.cli.replays import is_replay, run_replay
    from khach.cli.servers import sandbox_servers, simulated_people
    from khach.cli.summary import draw_overview
    from khach.overview import overview
    from orchestration.run import run_job

    stages = _stages(select)
    day = parse_day(as_of) if as_of else None
    env = load_environment()
    if known_at and not day:
        raise ConfigError("--known-at needs --as-of", fix="khach run --as-of DATE --known-at TIME")
    if day and is_replay(env, day, known_at):
        if stages or from_ or to or source:
            raise ConfigError("an earlier day is built whole: --as-of goes with --known-at alone")
        return run_replay(env, day, known_at, as_json=as_json)
    days = _days(env, from_, to, source)
    if hourly and (stages or days or day):
        raise ConfigError("--hourly is a job of its own: it goes with no other selection")
    if days and stages and "ingest" not in stages:
        raise ConfigError("--from reads days again, but --select leaves out ingest")
    with run_lock(env, "khach run"), sandbox_servers(env):
        code = run_job(
            env, select=stages, as_of=day, full_refresh=full_refresh, dry_run=dry_run, days=days,
            hourly=hourly,
        )  # fmt: skip
    facts = overview(env)
    people = simulated_people(env)
    document = facts | {"simulated": people, "exit_code": code}
    emit(as_json, document, lambda console: draw_overview(console, env, facts, people))
    return code


def dev() -> int:
    """Dagster's UI and daemon with the schedules, on loopback; Ctrl-C ends both."""
    import os
    import subprocess
    import sys

    from khach.cli.servers import sandbox_servers

    env = load_environment()
    env.dagster_home.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "dagster", "dev", "-m", "orchestration.definitions"]
    with sandbox_servers(env):
        say("Dagster listens on http://127.0.0.1:3000")
        done = subprocess.run(
            [*command, "--host", "127.0.0.1"], cwd=env.project, env=os.environ, check=False
        )
    return 0 if done.returncode in (0, 130, -2) else 1


def parse_day(value: str) -> date:
    """An ISO date; ConfigError otherwise."""
    try:
        return date.fromisoformat(value)
    except ValueError:
        raise ConfigError(f"{value!r} is no date", fix="write it as YYYY-MM-DD") from None


def _days(
    env: Environment, first: str | None, last: str | None, sources: list[str] | None
) -> "Days | None":
    """The days to read again; ConfigError when they make no range or a source cannot."""
    if not first and not last and not sources:
        return None
    from ingestion.backfills import parts, require_sources
    from orchestration.session import Days

    if not first or not last:
        raise ConfigError(
            "--from, --to and --source belong together", fix="khach run --from DATE --to DATE"
        )
    days = parse_day(first), parse_day(last)
    parts(*days)
    return Days(*days, require_sources(env, sources))


def _stages(select: str | None) -> tuple[str, ...] | None:
    """The selected stages in the order of the job; None means all of them."""
    from khach.config_mistakes import suggest

    if select is None:
        return None
    wanted = {part.strip() for part in select.split(",") if part.strip()}
    for name in sorted(wanted - set(STAGES)):
        raise ConfigError(f"there is no stage {name!r}", fix=suggest(name, STAGES))
    return tuple(name for name in STAGES if name in wanted)
