"""From the URL in an environment variable to an open database, and its errors as ours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from ingestion.databases.dialect import Database, Opening, RefusedError, UnreachableError
from ingestion.parquet import duckdb_session
from ingestion.spec import secret
from khach.errors import BusyError

if TYPE_CHECKING:
    from ingestion.spec import SourceConfig

_MODULES = {
    "postgresql": "postgres",
    "postgres": "postgres",
    "mysql": "mysql",
    "mariadb": "mysql",
    "mssql": "sqlserver",
    "sqlserver": "sqlserver",
    "sqlite": "sqlite",
}


@contextmanager
def open_database(config: SourceConfig, url_env: str, scratch: Path) -> Iterator[Database]:
    """The database of a URL, by its scheme (`mysql+driver://` is `mysql://`).

    The server's own words may hold names and addresses: only their meaning is passed on.
    """
    address = secret(url_env, source=config.name)
    try:
        url = urlsplit(address)
        scheme, _ = url.scheme.partition("+")[0].lower(), url.port
    except ValueError:
        scheme = ""
    if scheme not in _MODULES:
        raise config.problem(
            f"{url_env} is no address of a database that we read",
            "url_env",
            fix=f"write {', '.join(f'{name}://' for name in _MODULES)}...",
        )
    plain = url._replace(scheme=scheme)
    dialect = import_module(f"ingestion.databases.{_MODULES[scheme]}")
    try:
        with (
            duckdb_session(scratch) as duck,
            dialect.connect(Opening(config, url_env, plain, duck, scratch)) as found,
        ):
            yield found
    except RefusedError:
        raise config.problem(
            f"source {config.name}: the database refuses the name, password or database in "
            f"{url_env}",
            "url_env",
            fix=f"correct the address in {url_env}",
        ) from None
    except UnreachableError:
        raise BusyError(
            f"source {config.name}: the database of {url_env} is not reachable",
            fix="start it, or try again later",
        ) from None
