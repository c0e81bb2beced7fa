"""How a delivered table becomes one of our entities: the `tables:` part of sources.yml."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from unicodedata import normalize

import duckdb
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from ingestion.entities import ENTITIES, NEEDED, REQUIRED, entity_of
from ingestion.expressions import (
    NOT_SHARED,
    Compiled,
    UnknownColumnError,
    check_expression,
    compile_expression,
    expression_columns,
    is_guarded,
)
from ingestion.parquet import literal
from ingestion.projection import Target, typed_query
from ingestion.readers import Reading

if TYPE_CHECKING:
    from ingestion.spec import SourceConfig


def _text(value: Any) -> Any:
    """YAML reads `2` and `true` as number and boolean; we want the words that were written."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | float) else value


_Scalar = str | int | float | bool
Text = Annotated[str, BeforeValidator(_text, json_schema_input_type=_Scalar)]
PART = re.compile(r"__[a-z][a-z0-9]*(_[a-z0-9]+)*")


def _expression(value: Any) -> Any:
    text = _text(value)
    if isinstance(text, str):
        check_expression(text)
    return text


Expression = Annotated[
    str, BeforeValidator(_expression, json_schema_input_type=_Scalar), Field(title="SQL expression")
]


class TableMapping(BaseModel):
    """One entity of a source: where it comes from and what fills its columns."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, populate_by_name=True, use_attribute_docstrings=True
    )

    from_: Annotated[str, Field(alias="from", min_length=1)]
    """Where its rows are: a pattern below the folder, or a table or SELECT of the database."""
    columns: dict[str, Expression]
    """Our column to their column, or to an expression over their columns, `_row` and `_file`."""
    constants: dict[str, Text] = Field(default_factory=dict)
    """Our column to a fixed word for all rows."""
    filter: Expression | None = None
    """Rows for which it is not true land, are counted, and go no further."""
    deleted_when: Expression | None = None
    """True for a row that says that its key is deleted."""
    values: dict[str, dict[Text, Text]] = Field(default_factory=dict)
    """Our column to their words for ours; a word that is not in the list stays as it is."""

    def source_columns(self) -> list[str]:
        """Every delivered column that the mapping reads."""
        texts = [*self.columns.values(), *filter(None, (self.filter, self.deleted_when))]
        return list(dict.fromkeys(name for text in texts for name in expression_columns(text)))


def check_tables(config: SourceConfig, tables: Mapping[str, TableMapping]) -> None:
    """ConfigError when an entity or a target column does not exist, or a key is not mapped."""
    for table, mapping in tables.items():
        place = ("tables", table)
        entity = entity_of(table)
        if entity not in ENTITIES:
            near = _near(entity, ENTITIES)
            raise config.problem(f"there is no entity {entity!r}{near}", *place)
        if table != entity and not PART.fullmatch(table.removeprefix(entity)):
            raise config.problem(
                f"{table!r} is no name for a table of {entity}",
                *place,
                fix=f"{entity}, or {entity}__ and a name of small letters, digits and underscores",
            )
        columns = ENTITIES[entity]
        for part in ("columns", "constants"):
            for target in getattr(mapping, part):
                if target not in columns:
                    near = _near(target, columns)
                    message = f"entity {entity} has no column {target!r}{near}"
                    raise config.problem(message, *place, part, target)
        for target in mapping.constants:
            if target in mapping.columns:
                message = f"{target} stands in columns and in constants"
                raise config.problem(message, *place, "constants", target)
        for target in mapping.values:
            if target not in mapping.columns:
                message = f"values map {target}, which is not in columns"
                raise config.problem(message, *place, "values", target)
        key = next(iter(columns))
        if key not in mapping.columns:
            raise config.problem(f"entity {entity} needs its key {key}", *place, "columns")


def targets(
    config: SourceConfig, entity: str, mapping: TableMapping, columns: Mapping[str, str], where: str
) -> tuple[list[Target], Compiled, Compiled | None]:
    """Targets in the entity's order, the filter, and what says that a row is a tombstone.

    All over a delivery's columns (name to type). ConfigError names file, line and key when the
    delivery `where` lacks one.
    """
    found = []
    for name, letter in ENTITIES[entity_of(entity)].items():
        if name in mapping.constants:
            found.append(Target(name, letter, literal(mapping.constants[name])))
        elif name in mapping.columns:
            compiled = _compiled(
                config,
                mapping.columns[name],
                columns,
                where,
                ("tables", entity, "columns", name),
            )
            sql = _mapped(compiled.sql, mapping.values.get(name))
            found.append(Target(name, letter, sql, compiled.failures))
        else:
            found.append(Target(name, letter, "null"))
    kept = _compiled(config, mapping.filter or "true", columns, where, ("tables", entity, "filter"))
    if mapping.deleted_when is None:
        return found, kept, None
    place = ("tables", entity, "deleted_when")
    return found, kept, _compiled(config, mapping.deleted_when, columns, where, place)


def check_absent(
    config: SourceConfig,
    entity: str,
    mapping: TableMapping,
    reading: Reading,
    seen: Collection[str],
) -> None:
    """ConfigError where keys that no JSON line has are more than optional values left out.

    That is: what our models need of the entity would be empty throughout; the filter reads a key
    that no delivery had (`seen`: those that earlier ones had); or a key looks like a misspelt one.
    """
    absent = {name.lower() for name in reading.absent}
    where = next(iter(reading.offered))
    if not absent or not any(reading.offered.values()):
        return
    columns = {name: "VARCHAR" for name in reading.columns if name not in reading.absent}
    key = next(iter(ENTITIES[entity_of(entity)]))
    needed = (key, *NEEDED.get(entity_of(entity), ()))
    spare = [name for name in columns if name not in mapping.source_columns()]
    texts: dict[tuple[str, ...], str]
    texts = {("columns", name): text for name, text in mapping.columns.items()}
    texts |= {("filter",): mapping.filter} if mapping.filter else {}
    texts |= {("deleted_when",): mapping.deleted_when} if mapping.deleted_when else {}
    for place, text in texts.items():
        read = expression_columns(text)
        missing = [name for name in read if name.lower() in absent]
        new = [name for name in missing if name.lower() not in seen]
        is_empty = place[-1] in needed and place[0] == "columns" and missing == read
        is_misspelt = any(difflib.get_close_matches(name, spare, 1, 0.8) for name in new)
        if missing and (is_empty or is_misspelt or (new and place == ("filter",))):
            _compiled(config, text, columns, where, ("tables", entity, *place))


def entity_query(
    connection: duckdb.DuckDBPyConnection,
    config: SourceConfig,
    entity: str,
    mapping: TableMapping,
    reading: Reading,
) -> Callable[[Sequence[str], Path | None], str]:
    """A `landing.TypedQuery`: SQL of the entity's typed rows, `_problem` and `_original`."""
    found, kept, deleted = targets(config, entity, mapping, reading.columns, mapping.from_)
    if any(is_guarded(one.failures) for one in (*found, kept, deleted) if one):
        connection.execute(NOT_SHARED)
    mapped = {target.name for target in found if target.sql != "null"}
    dated = [name for name in REQUIRED.get(entity_of(entity), ()) if name in mapped]
    required = (found[0].name, *dated)
    flags = (*kept.failures, *(deleted.failures if deleted else ()))
    found[0] = replace(found[0], failures=(*found[0].failures, *flags))

    def query(files: Sequence[str], landed: Path | None) -> str:
        return typed_query(
            connection,
            relation=reading.relation(files, landed),
            targets=found,
            required=required,
            is_kept=kept.sql,
            carried=("_file", "_row", "_malformed", "_original"),
            time_zone=config.time_zone,
            is_deleted=deleted.sql if deleted else None,
        )

    return query


def _compiled(
    config: SourceConfig,
    text: str,
    columns: Mapping[str, str],
    where: str,
    place: tuple[str, ...],
) -> Compiled:
    try:
        return compile_expression(text, columns)
    except UnknownColumnError as unknown:
        raise config.problem(
            f"{where} has no column {unknown.column!r}{_near(unknown.column, columns)}",
            *place,
            fix=f"its columns are: {', '.join(columns)}",
        ) from None
    except ValueError as mistake:
        raise config.problem(str(mistake), *place) from None


def _mapped(sql: str, values: Mapping[str, str] | None) -> str:
    """The value that stands for each of a system's own; letters and their tones may be apart."""
    if not values:
        return sql
    composed = {normalize("NFC", old): new for old, new in values.items()}
    cases = " ".join(f"when {literal(old)} then {literal(new)}" for old, new in composed.items())
    text = f"cast(({sql}) as varchar)"
    return f"case nfc_normalize({text}) {cases} else {text} end"


def _near(word: str, known: Mapping[str, Any]) -> str:
    lowered = {name.lower(): name for name in known}
    near = difflib.get_close_matches(word.lower(), list(lowered), n=1, cutoff=0.6)
    return f"; did you mean {lowered[near[0]]}?" if near else f"; there are {', '.join(known)}"
