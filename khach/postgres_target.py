"""The published tables in a PostgreSQL database, for BI tools that want a server.

A snapshot is loaded into `<schema>__new` and takes the place of `<schema>` in one transaction.
That takes hold of every table at once or of none: a statement that has found one table of a
snapshot finds all others of it. A kill leaves the old snapshot, and a `__new` for the next to drop.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import duckdb

from khach.environment import Environment
from khach.errors import BusyError, ConfigError, KhachError
from khach.postgres_tables import do, load_tables
from khach.settings import load_settings

if TYPE_CHECKING:
    import psycopg

_OURS = "Published by khach: replaced as a whole by every run."
_STAYS = "the files of the snapshot are published"
_SWAP_SECONDS = 60.0
_LOCK_SECONDS = 5.0
_REFUSED = ("authentication failed", "no password supplied", "no pg_hba", "does not exist")


def copy_to_postgres(env: Environment) -> bool:
    """Bring the snapshot `current` into the database that settings.yml names; False without one.

    BusyError when it cannot be reached, or its readers do not let go of the snapshot before;
    ConfigError when it refuses us or the schema is somebody else's. The old snapshot then stays.
    """
    target = load_settings(env).publish
    if target.postgres_url_env is None:
        return False
    url = _url(target.postgres_url_env)
    names = (target.schema_name, f"{target.schema_name}_analyst")
    with _our_words(target.postgres_url_env), _connected(url) as server:
        _lock(server, target.schema_name)
        _prepare(server, names)
        load_tables(env, server, url, *map(_new, names))
        _pass_on_grants(server, names)
        _swap_when_free(server, names)
    return True


def _new(name: str) -> str:
    return f"{name}__new"


def _url(name: str) -> str:
    address = os.environ.get(name, "")
    fix = f"export {name}=postgresql://..."
    if not address:
        raise ConfigError(f"publish: the environment variable {name} is not set; {_STAYS}", fix=fix)
    if urlsplit(address).scheme not in ("postgres", "postgresql"):
        raise ConfigError(f"publish: {name} is no address of PostgreSQL; {_STAYS}", fix=fix)
    return address


@contextmanager
def _our_words(name: str) -> Iterator[None]:
    """Errors without the server's own words: those hold addresses, names and values."""
    import psycopg

    try:
        yield
    except psycopg.errors.DependentObjectsStillExist:
        raise KhachError(
            f"something in the database of {name} depends on published tables, or stands in their "
            f"schema, and would be lost with the snapshot that is replaced; {_STAYS}",
            fix="keep views and tables of your own elsewhere, and made from copies",
        ) from None
    except psycopg.errors.InsufficientPrivilege:
        raise ConfigError(
            f"publish: the role of {name} may not create or replace the schema; {_STAYS}",
            fix="grant create on database ... to it",
        ) from None
    except (psycopg.Error, duckdb.Error) as problem:
        raise _known(name, problem) from None


def _known(name: str, problem: Exception) -> KhachError:
    import psycopg

    from ingestion.databases.dialect import UnreachableError
    from ingestion.databases.postgres import Postgres

    words, code = str(problem), getattr(problem, "sqlstate", None) or ""
    if not code and any(word in words for word in _REFUSED):
        return ConfigError(
            f"publish: the database of {name} refuses the name, password or database; {_STAYS}",
            fix=f"correct the address in {name}",
        )
    is_lost = isinstance(problem, psycopg.OperationalError) and code[:2] in ("", "08", "57")
    if is_lost or any(word in words for word in Postgres.WORDS[UnreachableError]):
        return BusyError(
            f"publish: the database of {name} is not reachable; {_STAYS}",
            fix="start it, or try again later: khach run",
        )
    return KhachError(
        f"publish: the database of {name} took no snapshot (code {code or 'unknown'}); {_STAYS}",
        fix="the server's own log says why",
    )


@contextmanager
def _connected(url: str) -> Iterator[psycopg.Connection]:
    import psycopg

    with psycopg.connect(url, autocommit=True, connect_timeout=10) as server:
        yield server


def _lock(server: psycopg.Connection, schema: str) -> None:
    """One publisher at a time; the lock ends with the connection, a killed one's too."""
    deadline = time.monotonic() + _LOCK_SECONDS
    take = "select pg_try_advisory_lock(hashtextextended(%s, 0))"
    while not _rows(server, take, f"khach:{schema}")[0][0]:
        if time.monotonic() >= deadline:
            raise BusyError(
                f"another run is publishing to schema {schema} of the database; {_STAYS}",
                fix="wait for it, or give each installation a schema of its own",
            )
        time.sleep(0.1)


def _prepare(server: psycopg.Connection, names: tuple[str, str]) -> None:
    """Two empty schemas; only what this product made is dropped or ever replaced."""
    from psycopg import sql

    found = _rows(server, "select nspname, obj_description(oid, 'pg_namespace') from pg_namespace "
                  "where nspname = any(%s)", [*names, *map(_new, names)])  # fmt: skip
    for schema, comment in found:
        if comment != _OURS:
            raise ConfigError(
                f"publish: schema {schema} of the database is not ours to replace; {_STAYS}",
                fix="name another `schema` under `publish` in settings.yml",
            )
    for name in reversed(names):  # the views before their tables
        do(server, "drop schema if exists {} cascade", _new(name))
    for name in names:
        with server.transaction():
            do(server, "create schema {}", _new(name))
            comment = sql.SQL("comment on schema {} is {}")
            server.execute(comment.format(sql.Identifier(_new(name)), sql.Literal(_OURS)))


def _pass_on_grants(server: psycopg.Connection, names: tuple[str, str]) -> None:
    """Whoever may use the schema reads its tables, the new ones too."""
    for schema, role in _rows(
        server,
        "select n.nspname, r.rolname from pg_namespace as n cross join aclexplode(n.nspacl) as a "
        "left join pg_roles as r on r.oid = a.grantee where n.nspname = any(%s) "
        "and a.privilege_type = 'USAGE' and a.grantee <> n.nspowner",
        list(names),
    ):
        to, who = ("{}", [role]) if role else ("public", [])
        do(server, f"grant usage on schema {{}} to {to}", _new(schema), *who)
        do(server, f"grant select on all tables in schema {{}} to {to}", _new(schema), *who)


def _swap_when_free(server: psycopg.Connection, names: tuple[str, str]) -> None:
    """Swap between two statements of the readers, who are never kept waiting for one another."""
    import psycopg

    deadline = time.monotonic() + _SWAP_SECONDS
    while True:
        try:
            return _swap(server, names)
        except psycopg.errors.LockNotAvailable:
            if time.monotonic() >= deadline:
                raise BusyError(
                    f"readers of the database held the snapshot before for {_SWAP_SECONDS:.0f} s; "
                    f"{_STAYS}",
                    fix="end what is `idle in transaction` in pg_stat_activity, then khach run",
                ) from None
        time.sleep(0.02)


def _swap(server: psycopg.Connection, names: tuple[str, str]) -> None:
    """The new snapshot for the old one; LockNotAvailable when somebody reads at this moment."""
    with server.transaction():
        old = _rows(
            server,
            "select n.nspname, c.relname, c.relkind::text from pg_class as c join pg_namespace "
            "as n on n.oid = c.relnamespace where n.nspname = any(%s) and c.relkind in ('r', 'v') "
            "order by 1, 2",
            list(names),
        )
        if old:
            holes = ", ".join("{}.{}" for _ in old)
            both = [part for schema, name, _ in old for part in (schema, name)]
            do(server, f"lock table {holes} in access exclusive mode nowait", *both)
        for kind, word in (("v", "view"), ("r", "table")):
            for schema, name in ((s, n) for s, n, k in old if k == kind):
                do(server, f"drop {word} {{}}.{{}} restrict", schema, name)
        for name in names:
            do(server, "drop schema if exists {} restrict", name)
            do(server, "alter schema {} rename to {}", _new(name), name)


def _rows(server: psycopg.Connection, query: str, *values: object) -> list[tuple]:
    return server.execute(query.encode(), values).fetchall()
