"""How a command ends when something went wrong: message, place, remedy, exit code."""

import errno
import re
import sys
import traceback
from collections.abc import Iterator

import typer
from typer.exceptions import TyperException

from khach.cli.output import emit
from khach.errors import BusyError, ConfigError, KhachError
from khach.redact import redact, shape

_DISK_ERRNOS = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_DISK_WORDS = re.compile(
    r"no space left|disk quota exceeded|file too large|max_temp_directory_size|disk full", re.I
)
# Errors of these kinds quote the offending value, which may be a person's name.
_QUOTING = ("ConversionException", "ConstraintException", "InvalidInputException", "DataError")


def report(problem: BaseException, *, as_json: bool) -> int:
    """Tell a person (stderr) and a program (`--json`, stdout) what happened; the exit code."""
    if isinstance(problem, KeyboardInterrupt | typer.Abort):
        print("stopped", file=sys.stderr)
        return 130
    if isinstance(problem, BrokenPipeError):
        return 1
    if isinstance(problem, TyperException) and not is_printable(problem):
        print(problem.format_message(), file=sys.stderr)  # plain help: no command was given
        return 2
    known = as_khach_error(problem)
    print(redact(f"error: {known}"), file=sys.stderr)
    if as_json:
        emit(True, {key: _clean(value) for key, value in known.as_dict().items()})
    return known.exit_code


def is_printable(problem: TyperException) -> bool:
    """False for `no arguments given`, whose message is the help page itself."""
    return type(problem).__name__ != "NoArgsIsHelpError"


def as_khach_error(problem: BaseException) -> KhachError:
    """Any exception in the form the command line prints."""
    if disk_is_full(problem):
        return KhachError(
            "the disk is full (or a quota or file-size limit is reached); nothing was half-written",
            fix="free space, then run the same command again; `khach doctor` shows what takes room",
        )
    if isinstance(problem, KhachError):
        return problem
    if isinstance(problem, TyperException):
        return ConfigError(problem.format_message(), fix="add --help to see how it is used")
    if type(problem).__module__ == "sandbox.errors":
        return KhachError(str(problem))
    if is_duckdb_lock(problem):
        return BusyError(
            f"a database file is held by another process{_pid(str(problem))}",
            fix="wait for it to end, or stop it; `khach doctor` shows who holds what",
        )
    log = write_log(problem)
    return KhachError(
        f"unexpected {type(problem).__name__}: {safe_message(problem)}",
        fix=f"the details are in {log}" if log else "run it again; if it stays, report it",
    )


def disk_is_full(problem: BaseException) -> bool:
    """Whether a full disk stands anywhere in the chain of causes."""
    return any(
        (isinstance(link, OSError) and link.errno in _DISK_ERRNOS)
        or bool(_DISK_WORDS.search(str(link)))
        for link in _chain(problem)
        if not isinstance(link, ConfigError | TyperException)
    )


def is_duckdb_lock(problem: BaseException) -> bool:
    """Whether DuckDB refused a file because another process has it."""
    return any(
        type(link).__name__ == "IOException" and "Could not set lock" in str(link)
        for link in _chain(problem)
    )


def safe_message(problem: BaseException) -> str:
    """The first line of an exception, without quoted values and what looks personal."""
    first = (str(problem).strip().splitlines() or [""])[0]
    if any(kind.__name__ in _QUOTING for kind in type(problem).__mro__):
        first = re.sub(r"(['\"])(.*?)\1", lambda m: m[1] + shape(m[2]) + m[1], first)
    return redact(first)


def write_log(problem: BaseException) -> str | None:
    """Append the redacted traceback to `$KHACH_HOME/logs/khach.log`; None when that fails too."""
    from khach.environment import load_environment
    from khach.runs import utc_now

    try:
        log = load_environment().logs / "khach.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        frames = "".join(traceback.format_tb(problem.__traceback__))
        with log.open("a", encoding="utf-8") as file:
            file.write(
                f"{utc_now():%Y-%m-%d %H:%M:%S} {type(problem).__name__}: "
                f"{safe_message(problem)}\n{redact(frames)}"
            )
    except (OSError, KhachError):
        return None
    return str(log)


def _chain(problem: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while problem is not None and id(problem) not in seen:
        seen.add(id(problem))
        yield problem
        problem = problem.__cause__ or problem.__context__


def _pid(message: str) -> str:
    match = re.search(r"PID ([0-9]+)", message)
    return f" (process {match.group(1)})" if match else ""


def _clean(value: str | int | None) -> str | int | None:
    return redact(value) if isinstance(value, str) else value
