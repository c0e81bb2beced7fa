"""The sandbox's servers around a run: started when not up, stopped when we started them."""

import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import Any

from khach.cli.output import say
from khach.config_files import read_yaml
from khach.environment import Environment, load_sandbox_variables
from khach.errors import KhachError


@contextmanager
def sandbox_servers(env: Environment) -> Iterator[None]:
    """Servers are up inside the block; those that were up before stay up. Elsewhere: nothing."""
    if not env.is_sandbox:
        yield
        return
    from sandbox import control

    status = control.status(env.sandbox)
    was_running = is_running(status)
    vendors = configured_vendors(env)
    with _terminate_is_interrupt():
        try:
            if not was_running or set(vendors) - status["endpoints"].keys():
                names = ", ".join(["tills", "e-mail platform", *vendors])
                say(f"starting the sandbox's servers ({names}) on loopback")
                control.start(env.sandbox, also=vendors)
            load_sandbox_variables(env)
            yield
        finally:
            if not was_running:
                control.stop(env.sandbox)
                say("the sandbox's servers are stopped; no server is left running")
            else:
                say("the sandbox's servers were up before and stay up (khach sandbox stop)")


def configured_vendors(env: Environment) -> list[str]:
    """What the sandbox must show besides its own servers: the vendors' APIs that sources.yml reads,
    and `channels` when an audience is sent to one of its platforms or their answers are read. A
    broken file names none.
    """
    from ingestion.config import load_sources
    from sandbox.channels import CHANNELS
    from sandbox.vendors import VENDORS

    try:
        kinds = {source.kind for source in load_sources(env)}
    except KhachError:
        kinds = set()
    is_wanted = (kinds | _configured_channels(env)) & CHANNELS
    channels = ["channels"] if is_wanted else []
    return [vendor for vendor in VENDORS if vendor in kinds] + channels


def _configured_channels(env: Environment) -> set[str]:
    """Names of channels in the audience files, without checking anything else in them."""
    found = set()
    for path in sorted((env.config / "audiences").glob("*.yml")):
        try:
            data = read_yaml(path).data
        except KhachError:
            continue
        syncs = data.get("syncs") if isinstance(data, dict) else None
        if isinstance(syncs, list):
            found |= {str(sync.get("channel")) for sync in syncs if isinstance(sync, dict)}
    return found


def is_running(status: Mapping[str, Any]) -> bool:
    """Whether every server of the sandbox answers."""
    return bool(status.get("running"))


def simulated_people(env: Environment) -> dict[str, int] | None:
    """How many people the sandbox simulates, and how many left a trace; None outside it.

    The command line's summary is the only product code that reads the truth.
    """
    people = env.sandbox / "truth" / "people.parquet"
    records = env.sandbox / "truth" / "records.parquet"
    if not env.is_sandbox or not people.exists() or not records.exists():
        return None
    import duckdb

    with duckdb.connect() as connection:
        row = connection.execute(
            "select (select count(*) from read_parquet($1)), "
            "(select count(distinct person_id) from read_parquet($2))",
            [str(people), str(records)],
        ).fetchone()
    return {"people": row[0], "seen": row[1]} if row else None


@contextmanager
def _terminate_is_interrupt() -> Iterator[None]:
    """SIGTERM unwinds like Ctrl-C, so that the servers are stopped then, too."""

    def interrupt(_signal: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    previous = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)
