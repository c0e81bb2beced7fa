"""DuckDB's extensions, from their Python packages."""

from importlib.util import find_spec
from pathlib import Path

import duckdb

from khach.errors import KhachError


def load_extension(connection: duckdb.DuckDBPyConnection, name: str) -> None:
    """Load an extension of DuckDB from its Python package; nothing is downloaded."""
    package = f"duckdb-extension-{name.replace('_', '-')}"
    spec = find_spec(package.replace("-", "_"))
    folder = Path(next(iter(spec.submodule_search_locations or []))) if spec else Path()
    file = folder / "extensions" / f"v{duckdb.__version__}" / f"{name}.duckdb_extension"
    if spec is None or not file.exists():
        raise KhachError(
            f"the {name} extension of DuckDB {duckdb.__version__} is not installed",
            fix=f"install {package}=={duckdb.__version__}",
        )
    path = str(file).replace("'", "''")
    connection.execute(f"load '{path}'")
