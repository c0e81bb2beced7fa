"""An earlier day built again shows the figures that were published then, and touches nothing."""

from datetime import datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from tests.e2e.installation import Installation

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("twin")]


def _differences(published: Path, again: Path) -> dict[str, tuple[int, int]]:
    """Rows of each public table that only one of two snapshots holds."""
    with duckdb.connect() as connection:
        connection.execute(f"attach '{published / 'marts.duckdb'}' as one (read_only)")
        connection.execute(f"attach '{again / 'marts.duckdb'}' as other (read_only)")
        tables = connection.execute(
            "select table_name from duckdb_tables() "
            "where database_name = 'one' and schema_name = 'main'"
        ).fetchall()
        assert len(tables) > 30
        found = {}
        for (table,) in tables:
            row = connection.execute(
                f"select (select count(*) from (from one.main.{table} except all "
                f"from other.main.{table})), (select count(*) from (from other.main.{table} "
                f"except all from one.main.{table}))"
            ).fetchone()
            if row and any(row):
                found[table] = row
    return found


@pytest.mark.nightly
def test_a_day_as_it_was_known_is_what_was_published_then(
    twin: Installation, settled: Installation, tmp_path: Path
) -> None:
    published = twin.home / "published" / "current"
    (as_of, published_at) = duckdb.sql(
        f"select as_of::timestamp, published_at::timestamp from '{published / 'snapshot.json'}'"
    ).fetchall()[0]
    later = settled.copy(tmp_path / "later")  # two runs have learned more since
    settings = later.config / "settings.yml"
    written = settings.read_text(encoding="utf-8")
    assert "loyal_order_days: 3" in written
    settings.write_text(written.replace("loyal_order_days: 3", "loyal_order_days: 2"), "utf-8")
    kept = {path.name for path in (later.home / "published").iterdir()}
    state = (later.home / "state.duckdb").stat().st_mtime_ns

    day = (as_of + timedelta(hours=7) - timedelta(days=1)).date()  # Viet Nam's day that was over
    known_at = f"{published_at + timedelta(seconds=1):%Y-%m-%dT%H:%M:%S}+00:00"
    told = later.json("run", "--as-of", str(day), "--known-at", known_at)

    again = Path(told["published"])
    assert datetime.fromisoformat(told["as_of"]).replace(tzinfo=None) == as_of
    assert _differences(published, again) == {}
    assert {path.name for path in (later.home / "published").iterdir()} == kept
    assert (later.home / "state.duckdb").stat().st_mtime_ns == state
