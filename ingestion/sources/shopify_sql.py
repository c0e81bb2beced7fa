"""SQL that takes the Admin API's JSON apart: a table's rows out of pages and bulk files.

Nothing here runs. Besides the files a query reads the temporary table `offers`: the `label` of
each `path`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ingestion.casts import misfit
from ingestion.parquet import literal, quote
from ingestion.sources.shopify_tables import ROOTS, NodeTable, Root

# The node above is named in a bulk file, and in the original of a refused row from anywhere.
_PARENT = "node ->> '$.__parentId' as parent"
_WITH_PARENT = "cast(json_merge_patch(node, json_object('__parentId', parent)) as varchar)"
_LINES = (
    "delim='\\x01', quote='', escape='', header=false, auto_detect=false, "
    "max_line_size=100000000, columns={'line': 'VARCHAR'}"
)


@dataclass(frozen=True)
class Pages:
    """SQL of the nodes in answers of a page query."""

    root: Root
    paths: list[Path]

    def nodes(self, table: NodeTable) -> str:
        """`_file`, `_row`, `parent`, `node` and `original` of one table's nodes."""
        files = ", ".join(literal(path) for path in self.paths)
        answers = (
            "select label, json_extract(data, '$.page.nodes[*]') as nodes from "
            f"read_json([{files}], format='unstructured', columns={{data: 'JSON'}}, "
            "maximum_object_size=100000000, filename=true) join offers on path = filename"
        )
        roots = (
            "select label as _file, generate_subscripts(nodes, 1) as _row, "
            f"cast(null as varchar) as parent, unnest(nodes) as node from ({answers})"
        )
        if table.inside:
            roots = _inside(roots, f"$.{table.inside}{'.nodes' * table.is_connection}[*]")
        return f"select *, true as is_json, {_WITH_PARENT} as original from ({roots})"

    def lost(self, _table: NodeTable) -> str | None:
        """A page is JSON or no answer at all."""
        return None


@dataclass(frozen=True)
class BulkFile:
    """SQL of the nodes in the file of a bulk operation."""

    root: Root
    path: Path

    def nodes(self, table: NodeTable) -> str:
        """`_file`, `_row`, `parent`, `node` and `original` of one table's nodes."""
        lines = (
            f"select label as _file, _row, line as original, {_line_node('line')} from (select "
            f"line, row_number() over () as _row from read_csv({literal(self.path)}, {_LINES})), "
            "offers"
        )
        if table.inside and not table.is_connection:
            roots = f"select * from ({lines}) where {_says(self.root.type_name)}"
            inside = _inside(roots, f"$.{table.inside}[*]")
            return f"select *, true as is_json, {_WITH_PARENT} as original from ({inside})"
        wanted = _says(table.type_name)
        if table is self.root.first:
            others = [one for one in line_types(self.root) if one != table.type_name]
            wanted = " and ".join([f"not {_says(one)}" for one in others] or ["true"])
        return f"select *, {_PARENT} from ({lines}) where {wanted}"

    def lost(self, table: NodeTable) -> str | None:
        """SQL: how many rows stand inside root lines that are no JSON, which are refused whole."""
        if not table.inside or table.is_connection:
            return None
        named = f"regexp_extract_all(line, {_pattern(table.type_name)})"
        return (
            f"select sum(len({named})) from read_csv({literal(self.path)}, {_LINES}) "
            "where not json_valid(line)"
        )


def replay_query(table: str, originals: str) -> str:
    """SQL of quarantined nodes and lines (`ingestion.replay_rows.through_queries`)."""
    found = next(one for root in ROOTS for one in root.tables if one.name == table)
    nodes = f"select _file, _row, original, {_line_node('original')} from ({originals})"
    return rows_sql(found, f"select *, {_PARENT} from ({nodes})")


def _line_node(line: str) -> str:
    """SQL: a line as `node` and whether it `is_json`."""
    return (
        f"coalesce(json_valid({line}), false) as is_json, case when json_valid({line}) then "
        f"cast({line} as json) else cast('{{}}' as json) end as node"
    )


def _inside(roots: str, path: str) -> str:
    """The nodes inside the root nodes, numbered through each file."""
    return (
        "select _file, row_number() over (partition by _file order by _root, _place) as _row, "
        "parent, node from (select _file, _row as _root, node ->> '$.id' as parent, "
        f"generate_subscripts(found, 1) as _place, unnest(found) as node from (select *, "
        f"json_extract(node, {literal(path)}) as found from ({roots})))"
    )


def keys_sql(root: Root, path: Path | None) -> str:
    """SQL of the ids of a root's first table in the file of a bulk operation."""
    if path is None:
        return "select cast(null as varchar) as id where false"
    return (
        f"select line ->> '$.id' as id from (select line, line as original from "
        f"read_csv({literal(path)}, {_LINES})) where {_says(root.first.type_name)}"
    )


def rows_sql(table: NodeTable, nodes: str) -> str:
    """SQL of a table's columns as text, `_problem` (null = good) and `_original`."""
    texts = ", ".join(f"{sql} as {quote(name)}" for name, sql in table.expressions().items())
    return (
        f"select *, {_problem(table)} as _problem, coalesce({table.is_kept}, false) as _is_kept, "
        f"false as _is_deleted from (select _file, _row, is_json as _is_json, "
        f"original as _original, {texts} from (select *, json_transform(node, "
        f"{literal(table.structure)}) as item from ({nodes})))"
    )


def _problem(table: NodeTable) -> str:
    key, *_ = table.table.columns
    checks = [
        "when not _is_json then 'not valid JSON'",
        f"when coalesce({quote(key)}, '') = '' then '{key} is missing'",
    ]
    for name, type_ in table.table.duckdb_columns().items():
        if type_ == "VARCHAR" or name.startswith("_"):
            continue
        bad = misfit(quote(name), type_)
        checks.append(f"when {bad} then '{name} is not of type {type_.lower()}'")
    return f"case {' '.join(checks)} end"


def line_types(root: Root) -> list[str]:
    """The types that are lines of a bulk file."""
    inside = [table.type_name for table in root.tables if table.is_connection]
    return [root.type_name, *inside]


def _says(type_name: str) -> str:
    return f"regexp_matches(original, {_pattern(type_name)})"


def _pattern(type_name: str) -> str:
    return f'\'"__typename"\\s*:\\s*"{type_name}"\''
