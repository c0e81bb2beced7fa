"""One entity of a sql source: its table or query, held against the mapping, windowed and landed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from ingestion.contract import Stopped
from ingestion.databases.dialect import ALWAYS, Database, QueryError, is_select
from ingestion.databases.reading import reading, reading_name, told
from ingestion.databases.window import NoTimeError, Window, days_window, read_window
from ingestion.dlt_pipeline import import_dlt
from ingestion.entities import entity_table
from ingestion.expressions import expression_columns
from ingestion.landing import UnreadableError, count_mismatch, land
from ingestion.mapping import entity_query, targets
from ingestion.quarantine import forget_in_other_files, write_quarantine
from ingestion.readers import Reading
from ingestion.spec import Delivery, FetchContext
from khach.redact import shape

if TYPE_CHECKING:
    from ingestion.spec import SourceConfig


class Table:
    """A table or query whose columns are what the mapping says; ConfigError where they are not."""

    def __init__(self, database: Database, config: SourceConfig, entity: str, mapping: Any) -> None:
        self.database = database
        self.entity = entity
        self.mapping = mapping
        # What stands for a delivered file: one reading of a table, of which the quarantine is kept.
        self.file = self.name = entity if is_select(mapping.from_) else mapping.from_
        self.base = database.base(mapping.from_)
        self._config = config
        with self.errors():
            self.columns = database.describe(mapping.from_)
        self._check()

    def types(self) -> Mapping[str, str]:
        """The columns' DuckDB types, as the mapping sees them."""
        return {column.name: column.type_ for column in self.columns}

    def count(self) -> int:
        """How many rows there are."""
        with self.errors():
            return self.database.count(self.base)

    def window(self, context: FetchContext) -> Window | None:
        """The rows that are new, or those of a backfill's days; None when there are none.

        From now on `file` is this reading, named by the marks that it starts from, so that no
        other takes its quarantine for its own, and the same one does after a kill.
        """
        cursor, part = self.mapping.cursor, context.backfill
        self.file = reading_name(self.name, self.marks(context), part)
        if part is not None and cursor is None and part.first > part.range_first:
            return None  # a table without a cursor is read whole, with the first part
        with self.errors():
            if part is None:
                return read_window(
                    self.database,
                    self.base,
                    self.columns,
                    cursor=cursor,
                    overlap_minutes=self.mapping.overlap_minutes,
                    time_zone=self._config.time_zone,
                    seen=self.marks(context),
                )
            try:
                return days_window(
                    self.database,
                    self.base,
                    self.columns,
                    cursor=cursor,
                    part=part,
                    time_zone=self._config.time_zone,
                )
            except NoTimeError as problem:
                raise self._config.problem(
                    f"the cursor {cursor} is {problem}, no time: {self.entity} cannot be read "
                    "again by date",
                    *("tables", self.entity, "cursor"),
                ) from None

    def marks(self, context: FetchContext) -> Mapping[str, Any]:
        """What the last load that counts left for the next one."""
        seen = context.seen.cursors.get(self.entity)
        return json.loads(seen) if seen else {}

    def land(self, context: FetchContext, window: Window, path: Path) -> Delivery:
        """The rows of a window as a Parquet file; those that do not fit are quarantined."""
        import_dlt()
        table = entity_table(self.entity)
        with self.errors():
            context.progress.step(f"{self._config.name}: {self.entity}")
            found = self.read(self.mapping.source_columns(), window.predicate)
            rows = found.offered[self.file]
            context.progress.step(f"{self._config.name}: {self.entity}", rows, unit="rows")
            try:
                query = entity_query(
                    self.database.duck, self._config, self.entity, self.mapping, found
                )
                landed = land(self.database.duck, table, found, query, path)
            except UnreadableError:
                raise count_mismatch(table) from None
            except duckdb.Error as problem:
                raise self.database.meaning(problem) from None
        context.progress.advance(rows)
        refused = landed.refused.get(self.file, [])
        types = found.original_columns(self.file)
        source = self._config.name
        write_quarantine(context.env, source, self.entity, self.file, refused, columns=types)
        forget_in_other_files(
            context.env, source, (self.entity, self.file), refused, partial(told, path, table)
        )
        return Delivery(
            self.entity,
            self.file,
            rows_offered=rows,
            rows_landed=landed.landed.get(self.file, 0),
            rows_quarantined=len(refused),
            filtered=landed.filtered.get(self.file, 0),
        )

    def read(self, names: list[str], predicate: str = ALWAYS) -> Reading:
        """Some columns (whatever their case) of the rows for which a predicate holds."""
        lowered = {name.lower() for name in names}
        wanted = [column for column in self.columns if column.name.lower() in lowered]
        return reading(self.database.scan(self.base, wanted, predicate), self.file)

    def with_sample(self, flip: Stopped) -> Stopped:
        """With the shape of one value of the column."""
        column = next(one for one in self.columns if one.name.lower() == flip.column)
        field = f"t.{self.database.quote(column.name)}"
        largest = f"(select max({field}) from {self.base} as t)"
        query = f"select {column.as_text(self.database).read} as v from {self.base} as t"
        value = self.database.row(f"{query} where {field} = {largest}")[0]
        return replace(flip, values=shape(str(value)) if value is not None else None)

    @contextmanager
    def errors(self) -> Iterator[None]:
        """ConfigError, with what there is, for what the database does not understand."""
        try:
            yield
        except QueryError:
            raise self._config.problem(
                f"source {self._config.name}: {self.entity} cannot be read from "
                f"{self.mapping.from_!r}",
                *("tables", self.entity, "from"),
                fix=f"give a table, or one SELECT, that the user may read{self._known()}",
            ) from None

    def _known(self) -> str:
        try:
            names = self.database.tables()
        except Exception:  # noqa: BLE001 - it may say nothing any more; the first error counts
            return ""
        return f"; there are: {', '.join(names[:20])}{', ...' if len(names) > 20 else ''}"

    def _check(self) -> None:
        types, mapping, place = self.types(), self.mapping, ("tables", self.entity)
        targets(self._config, self.entity, mapping, types, mapping.from_)
        if mapping.cursor is not None and mapping.cursor not in types:
            raise self._config.problem(
                f"{mapping.from_} has no column {mapping.cursor!r}",
                *(*place, "cursor"),
                fix=f"its columns are: {', '.join(types)}",
            )
        problems = {column.name.lower(): column.problem for column in self.columns}
        for target, text in mapping.columns.items():
            for name in expression_columns(text):
                if problem := problems.get(name.lower()):
                    raise self._config.problem(
                        f"column {name} of {mapping.from_} {problem}",
                        *(*place, "columns", target),
                        fix="leave it out, or let `from` select it as text",
                    )
