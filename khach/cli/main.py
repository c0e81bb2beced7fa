"""The root of the command line: wires the groups and turns outcomes into exit codes."""

import gc
import sys
import warnings
from collections.abc import Sequence
from contextlib import nullcontext

import typer

from khach.cli import (
    audiences,
    configuration,
    customers,
    identity,
    problems,
    query,
    run,
    sandbox,
    snapshots,
    sources,
    status,
    syncs,
)
from khach.cli.output import only_documents_on_stdout

app = typer.Typer(
    name="khach",
    help="Customer data for retailers: ingest, resolve, model, gate, activate, measure.\n\n"
    "Exit codes: 0 done; 1 failed; 2 wrong usage or configuration; 3 stopped by a gate or a guard; "
    "4 busy or unreachable, try again.",
    epilog="Example: KHACH_ENV=sandbox khach run",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for group in (
    configuration, sandbox, run, status, query, sources, identity, syncs, audiences, customers,
    snapshots,
):  # fmt: skip
    group.register(app)


def execute(arguments: Sequence[str]) -> int:
    """Run one command line in this process; the exit code."""
    as_json = "--json" in arguments
    with only_documents_on_stdout() if as_json else nullcontext():
        try:
            code = app(list(arguments), standalone_mode=False, prog_name="khach")
            sys.stdout.flush()
        except (Exception, KeyboardInterrupt) as problem:  # noqa: BLE001 (the last resort)
            return problems.report(problem, as_json=as_json)
    return int(code or 0)


def main() -> None:
    """The entry point `khach`."""
    if not sys.warnoptions:
        warnings.simplefilter("ignore")  # libraries warn their developers, not our operators
    # Libraries are imported for good; looking for garbage among them is an eighth of the start.
    gc.set_threshold(100_000, 50, 100)
    sys.exit(execute(sys.argv[1:]))
