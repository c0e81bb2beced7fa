"""What the command line calls: start, stop, status, advance, report. `root` is the sandbox folder.

Any of these may be killed at any line. A day counts when `clock.json` names it; files of a day that
does not count yet are written again, the same. The servers load only days that count, each once.
"""

from __future__ import annotations

import fcntl
import json
import secrets
import shutil
import time
from collections.abc import Iterable, Iterator, Set
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from sandbox import channels, mailchimp, postgres, tills, vendors
from sandbox.errors import SandboxError
from sandbox.files import read_json, write_json, write_private
from sandbox.processes import is_alive
from sandbox.server_process import running_server
from sandbox.sizes import DEFAULT_SEED, MAILING_LIST, SIZES, Size

# Folders that somebody empties: the mail agency, the call centre, the stores, all others.
DROP_FOLDERS = {
    "CART_DROP_FOLDER": "carts",
    "CALL_LIST_FOLDER": "calls",
    "STORE_LIST_FOLDER": "stores",
    "AUDIENCE_DROP_FOLDER": "audiences",
}
_SAVE_EVERY_SECONDS = 20


def start(
    root: Path, size: str | None = None, seed: int | None = None, also: Iterable[str] = ()
) -> dict[str, Any]:
    """Simulate the history when there is none, start the servers, load what they lack.

    `also` names the vendors through whose APIs the shop and the tills are shown besides
    (`sandbox.vendors.VENDORS`), and `channels` the platforms that messages and audiences are sent
    to; those that run already stay up.
    """
    with _locked(root):
        _ensure_history(root, size, seed)
        _serve(root, frozenset(also))
    return status(root)


def stop(root: Path) -> dict[str, Any]:
    """End the servers; history and members stay."""
    if root.exists():
        with _locked(root):
            channels.stop(root)
            vendors.stop(root)
            mailchimp.stop(root)
            postgres.stop(root)
            write_json(root / "endpoints.json", {})
    return status(root)


def is_up(root: Path) -> bool:
    """Whether both servers of `root` run."""
    endpoints = read_json(root / "endpoints.json") or {}
    found = postgres.running(root)
    return (
        found is not None
        and endpoints.get("tills", {}).get("port") == found[1]
        and is_alive(endpoints.get("mailchimp", {}).get("pid", 0), "sandbox.mailchimp")
    )


def status(root: Path) -> dict[str, Any]:
    """Size, seed, today, whether the servers run, and their ports."""
    clock = read_json(root / "clock.json") or {}
    return {
        **clock,
        "has_history": bool(clock),
        "running": is_up(root),
        "endpoints": read_json(root / "endpoints.json") or {},
        "folder": str(root),
    }


def advance(root: Path, days: int = 1, size: str | None = None) -> dict[str, Any]:
    """Simulate the next day(s); without a history, the history up to its first day.

    Servers that run receive the new day at once, others when they are started.
    """
    with _locked(root):
        if not _ensure_history(root, size, None):
            _simulate(root, days)
        if is_up(root):
            _load(root)
    return status(root)


def pass_time(root: Path, hours: int) -> dict[str, Any]:
    """Let hours of the present day go by; nothing is simulated in them.

    Raises SandboxError without a history, or when the next day would have begun.
    """
    with _locked(root):
        clock = read_json(root / "clock.json")
        if not clock:
            raise SandboxError("there is no history yet: khach sandbox start")
        now = datetime.fromisoformat(clock["now"].replace("Z", "+00:00")) + timedelta(hours=hours)
        # The day's deliveries are in at 19:00 UTC of the day; the next ones a day later.
        end = datetime.fromisoformat(f"{clock['today']}T19:00:00+00:00") + timedelta(days=1)
        if now >= end:
            raise SandboxError("the next day would have begun: khach sandbox advance")
        write_json(root / "clock.json", clock | {"now": now.isoformat().replace("+00:00", "Z")})
    return status(root)


def report(root: Path) -> dict[str, Any]:
    """Hardness of the written data: metric -> {value, bar, ok}. SandboxError without data."""
    from sandbox import report as hardness

    if not (root / "clock.json").exists():
        raise SandboxError("there is no history yet: khach sandbox start")
    return hardness.measure(root)


@contextmanager
def _locked(root: Path) -> Iterator[None]:
    """One start, stop or advance at a time; the lock ends with its process."""
    root.mkdir(parents=True, exist_ok=True)
    with (root / ".lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _ensure_history(root: Path, size: str | None, seed: int | None) -> bool:
    """Simulate the history unless it is there; whether it was made now."""
    clock = read_json(root / "clock.json")
    if clock:
        for name, wanted in (("size", size), ("seed", seed)):
            if wanted is not None and wanted != clock[name]:
                raise SandboxError(
                    f"this sandbox has {name} {clock[name]}: use another KHACH_HOME for {wanted}"
                )
        _drop_uncounted(root, clock["today"])
        return False
    if size is not None and size not in SIZES:
        raise SandboxError(f"no such size: {size} (sizes are {', '.join(SIZES)})")
    _simulate_history(root, SIZES[size or "S"], DEFAULT_SEED if seed is None else seed)
    return True


def _drop_uncounted(root: Path, today: str) -> None:
    """Remove what a killed advance wrote of a day that does not count; it will be written again."""
    for folder in (
        "exports/web_events",
        "exports/web_shop",
        "exports/crm",
        "truth/days",
        "truth/journal",
        "channels/inbox",
    ):
        for file in (root / folder).glob("*"):
            if file.name.partition(".")[0][-10:] > today or file.name[0] == ".":
                file.unlink()
    for inbox in ("tills/inbox", "mailchimp/inbox"):
        for day in (root / inbox).glob("*"):
            if day.name > today or day.name[0] == ".":
                shutil.rmtree(day)


def _simulate_history(root: Path, size: Size, seed: int) -> None:
    from sandbox import world

    state = world.latest(root, seed, size)
    _run_days(root, state, size.days - 1 - state.day)


def _simulate(root: Path, days: int) -> None:
    from sandbox import world

    today = date.fromisoformat(read_json(root / "clock.json")["today"])
    _run_days(root, world.load(root, today), days)


def _run_days(root: Path, state: Any, days: int) -> None:
    """Simulate `days` days, write their files, then the state, the truth and last the clock."""
    import duckdb

    from sandbox import exports, truth, world
    from sandbox.responses import read
    from sandbox.simulate import simulate_day

    saved_at = time.monotonic()
    texts = read(channels.texts(root))
    call_list = [int(number[-9:]) for number in channels.call_list(root)]
    with duckdb.connect() as con:
        con.execute("set TimeZone = 'UTC'; set memory_limit = '2GB'; set threads = 2")
        for left in reversed(range(days)):
            exports.write_day(root, simulate_day(state, con, texts, call_list))
            if left == 0 or time.monotonic() - saved_at > _SAVE_EVERY_SECONDS:
                world.save(state, root)
                saved_at = time.monotonic()
    truth.write(root, state)
    today = state.date_of(state.day)
    now = datetime(today.year, today.month, today.day, 19, tzinfo=UTC)  # 02:00 the day after
    write_json(root / "clock.json", {
        "seed": state.seed, "size": state.size.name,
        "first_day": state.size.first_day.isoformat(), "today": today.isoformat(),
        "now": now.isoformat().replace("+00:00", "Z"),
    })  # fmt: skip


def _serve(root: Path, also: Set[str]) -> None:
    """Start the servers, say where they are, load what they lack."""
    keys = _keys(root)
    url, port, pid = postgres.start(root, keys["tills_password"])
    platform = mailchimp.start(root, keys["mailchimp_key"])
    shown = vendors.start(root, keys, also)
    folders = {name: root / "drop" / folder for name, folder in DROP_FOLDERS.items()}
    for folder in folders.values():
        folder.mkdir(parents=True, exist_ok=True)
    values = {
        "SANDBOX_TILLS_URL": url,
        "SANDBOX_EXPORTS": str(root / "exports"),
        "MAILCHIMP_API_URL": platform["url"],
        "MAILCHIMP_API_KEY": keys["mailchimp_key"],
        "MAILCHIMP_LIST_ID": MAILING_LIST,
        **{name: str(folder) for name, folder in folders.items()},
    } | vendors.variables(shown, keys)
    if "channels" in also or running_server(root, "channels"):
        shown["channels"] = channels.start(root, keys)
        values |= channels.variables(shown["channels"], keys)
    write_private(root / "env", "".join(f"{key}={value}\n" for key, value in values.items()))
    write_json(root / "endpoints.json", {
        "tills": {"kind": "postgresql", "host": "127.0.0.1", "port": port, "pid": pid},
        "mailchimp": {"kind": "mailchimp", **platform},
        **{name: {"kind": name, **running} for name, running in shown.items()},
    })  # fmt: skip
    _load(root, url)


def _load(root: Path, url: str | None = None) -> None:
    today = read_json(root / "clock.json")["today"]
    if url is None:
        url, _, _ = postgres.start(root, _keys(root)["tills_password"])
    tills.load_inbox(root, url, up_to=today)
    mailchimp.load_inbox(root)
    channels.load_inbox(root, today)


def _keys(root: Path) -> dict[str, str]:
    """This sandbox's own secrets, drawn once."""
    path = root / "keys.json"
    keys = read_json(path) or {}
    drawn = {
        "tills_password": secrets.token_urlsafe(18),
        "mailchimp_key": secrets.token_hex(16) + "-us1",
        **vendors.new_keys(),
        **channels.new_keys(),
    }
    if drawn.keys() - keys.keys():
        keys = drawn | keys
        write_private(path, json.dumps(keys))
    return dict(keys)
