"""`khach sandbox`: the simulated retailer and its servers."""

from datetime import UTC
from typing import Annotated

import typer

from khach.cli.output import AsJson, emit, facts, table
from khach.environment import Environment, load_environment
from khach.errors import ConfigError

SIZES = ("XS", "S", "M", "L")
Size = Annotated[
    str | None,
    typer.Option(metavar="XS|S|M|L", help="How many people; fixed once the history exists."),
]
sandbox_app = typer.Typer(
    help="The simulated retailer: real servers on loopback, ground truth kept apart.",
    no_args_is_help=True,
)


def register(app: typer.Typer) -> None:
    """Add this group to the root."""
    app.add_typer(sandbox_app, name="sandbox")


@sandbox_app.command(epilog="Example: KHACH_ENV=sandbox khach sandbox start --size XS")
def start(size: Size = None, as_json: AsJson = False) -> None:
    """Start its servers, and those that sources and audiences use; first simulate its history."""
    from khach.cli.servers import configured_vendors

    env = _sandbox_environment()
    from sandbox import control

    answer = control.start(env.sandbox, size=_size(size), also=configured_vendors(env))
    emit(as_json, answer, facts(answer))


@sandbox_app.command(epilog="Example: KHACH_ENV=sandbox khach sandbox stop")
def stop(as_json: AsJson = False) -> None:
    """Stop its servers; history and members stay."""
    env = _sandbox_environment()
    from sandbox import control

    answer = control.stop(env.sandbox)
    emit(as_json, answer, facts(answer))


@sandbox_app.command(epilog="Example: KHACH_ENV=sandbox khach sandbox status")
def status(as_json: AsJson = False) -> None:
    """What runs, where, and which day it is there."""
    env = _sandbox_environment()
    from sandbox import control

    answer = control.status(env.sandbox)
    emit(as_json, answer, facts(answer))


@sandbox_app.command(epilog="Example: KHACH_ENV=sandbox khach sandbox advance")
def advance(
    unless_pending: Annotated[
        bool,
        typer.Option(
            "--unless-pending", help="Not while the present day has not been run to its end."
        ),
    ] = False,
    size: Size = None,
    hours: Annotated[
        int | None,
        typer.Option(min=1, max=23, help="Only let hours of the present day go by."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Simulate one more day. The first time: the history up to its first day."""
    from khach.lock import run_lock

    env = _sandbox_environment()
    from sandbox import control

    wanted = _size(size)
    with run_lock(env, "khach sandbox advance"):
        has_history = (env.sandbox / "clock.json").exists()
        if hours is not None:
            document = {**control.pass_time(env.sandbox, hours), "advanced": False}
            said = f"it is {document['now']} of the retailer's day {document['today']} now"
            emit(as_json, document, lambda console: console.print(said))
            return
        if unless_pending and has_history and day_is_pending(env):
            document = {**control.status(env.sandbox), "advanced": False}
        else:
            document = {**control.advance(env.sandbox, size=wanted), "advanced": True}
    done = "was simulated" if document["advanced"] else "is not finished yet: no new day"
    emit(as_json, document, lambda console: console.print(
        f"the retailer's day {document['today']} {done} "
        f"(sandbox {document['size']}, its first day was {document['first_day']})"))  # fmt: skip


@sandbox_app.command(epilog="Example: KHACH_ENV=sandbox khach sandbox report")
def report(as_json: AsJson = False) -> None:
    """How hard the simulated data is, beside the least it must be."""
    env = _sandbox_environment()
    from sandbox import control

    measured = control.report(env.sandbox)
    rows = [
        (name, *(found[key] for key in ("value", "bar", "ok"))) for name, found in measured.items()
    ]
    emit(as_json, measured, lambda console: console.print(
        table(("how hard it is", "measured", "least, most", "hard enough"), rows)))  # fmt: skip


def day_is_pending(env: Environment) -> bool:
    """Whether no run has been completed on the sandbox's present day yet."""
    from khach import clock
    from khach.state import open_state

    now = clock.now(env).astimezone(UTC).replace(tzinfo=None)
    with open_state(env) as state:
        row = state.execute(
            "select count(*) from runs where stage = 'run' and status = 'ok' and as_of >= ?", [now]
        ).fetchone()
    return not (row and row[0])


def _sandbox_environment() -> Environment:
    env = load_environment()
    if not env.is_sandbox:
        raise ConfigError(
            f"the sandbox does not exist in environment {env.name}",
            fix="KHACH_ENV=sandbox khach sandbox ...",
            key="KHACH_ENV",
        )
    return env


def _size(size: str | None) -> str | None:
    if size is not None and size not in SIZES:
        raise ConfigError(f"there is no size {size!r}", fix=f"one of {', '.join(SIZES)}")
    return size
