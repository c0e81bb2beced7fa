"""`khach publish --rollback`, `khach backup`, `khach restore`."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from khach.cli.output import AsJson, emit
from khach.environment import load_environment
from khach.errors import ConfigError


def register(app: typer.Typer) -> None:
    """Add these commands to the root."""
    app.command(epilog="Example: khach publish --rollback")(publish)
    app.command(epilog="Example: khach backup")(backup)
    app.command(epilog="Example: khach restore data/backups/khach-20260629T020000.tar.gz")(restore)


def publish(
    rollback: Annotated[
        bool, typer.Option("--rollback", help="Show readers the snapshot before this one.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Move readers back to the snapshot before; publishing itself is part of khach run."""
    from khach.postgres_target import copy_to_postgres
    from khach.publishing import rollback as roll_back

    if not rollback:
        raise ConfigError(
            "publishing is part of a run, with its checks",
            fix="khach run; or khach publish --rollback to go back one snapshot",
        )
    env = load_environment()
    snapshot_id = roll_back(env)
    copy_to_postgres(env)
    emit(as_json, {"snapshot_id": snapshot_id}, lambda console: console.print(
        f"readers now see {snapshot_id}; the next khach run publishes a new one"))  # fmt: skip


def backup(
    keep: Annotated[int, typer.Option(min=1, help="How many backups stay.")] = 14,
    as_json: AsJson = False,
) -> None:
    """Copy what cannot be rebuilt: state, configuration, and the list of the lake's files."""
    from khach.backup import make_backup

    made = make_backup(load_environment(), keep=keep)
    emit(as_json, {"file": made.file, "bytes": made.size, "removed": made.removed}, lambda console:
         console.print(f"wrote {made.file} ({made.size:,} bytes); "
                       f"put it back with khach restore {made.file}", markup=False))  # fmt: skip


def restore(file: Annotated[Path, typer.Argument(metavar="FILE")], as_json: AsJson = False) -> None:
    """Put a backup back after checking it; what stood there before is kept beside it."""
    from khach.backup import restore_backup

    done = restore_backup(load_environment(), file)

    def render(console: Console) -> None:
        for line in done.lines():
            console.print(line, markup=False)

    emit(as_json, vars(done), render)
