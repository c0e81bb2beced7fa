"""What a source is: the seam between one vendor's module, the configuration and the lake.

A module in `ingestion/sources/` defines a settings model (a subclass of `SourceConfig`) and one
`SPEC = SourceSpec(...)`; `ingestion/registry.py` names the module. Nothing here or in a source
module imports dlt: whether there is anything new is decided before dlt is started.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PrivateAttr

from khach.config_files import ConfigFile
from khach.config_mistakes import WrongValueError
from khach.errors import ConfigError
from khach.settings import VARIABLE

if TYPE_CHECKING:
    from ingestion.checked import CheckedItem
    from ingestion.contract import Contract
    from ingestion.quarantine import QuarantinedRow
    from ingestion.refusals import NotRead
    from khach.environment import Environment
    from khach.progress import Reporter

# The type letters of docs/architecture.md. Timestamps are naive UTC; JSON is kept as its text.
DUCKDB_TYPES: Mapping[str, str] = {
    "v": "VARCHAR",
    "t": "TIMESTAMP",
    "d": "DATE",
    "i": "BIGINT",
    "n": "DECIMAL(18,4)",
    "b": "BOOLEAN",
    "j": "VARCHAR",
}


@dataclass(frozen=True)
class TableSpec:
    """A raw table: its columns with type letters (`DUCKDB_TYPES`); the first is the key."""

    name: str
    columns: Mapping[str, str]

    def duckdb_columns(self) -> dict[str, str]:
        """Column name to DuckDB type, in order."""
        return {name: DUCKDB_TYPES[letter] for name, letter in self.columns.items()}


@dataclass(frozen=True)
class Delivery:
    """What one file (or one read of a table or endpoint) brought to a load; a row of `_deliveries`.

    `rows_offered` is counted independently of the reader and equals `rows_landed +
    rows_quarantined`; `filtered` are the landed rows with `_is_kept` false. `fingerprint`
    recognises a file that was loaded before; `cursor` is any text that the next read of the table
    starts from. Both become visible to the next read exactly when the load is committed.

    `columns` is what the schema contract keeps of the table (`ingestion.contract`), `backfill`
    the mark of the part that a load of a backfill is (`ingestion.backfills`).

    Rows that a replay takes out of the quarantine were offered before: they count as landed here
    and as minus quarantined, with none offered, so that the sums over all loads stay true.
    """

    table_name: str
    file: str
    rows_offered: int
    rows_landed: int
    rows_quarantined: int = 0
    filtered: int = 0
    fingerprint: str | None = None
    cursor: str | None = None
    columns: str | None = None
    backfill: str | None = None


@dataclass(frozen=True)
class Extract:
    """What `fetch` hands to the lake: at most one Parquet file per table, and the counts.

    A file has all columns of its `TableSpec` and lies in `FetchContext.staging`; a table without a
    file lands with zero rows. `replayed` are rows out of the quarantine, `stopped` unread tables.
    """

    files: Mapping[str, Path]
    deliveries: list[Delivery]
    replayed: Sequence[QuarantinedRow] = ()
    stopped: Sequence[NotRead] = ()


@dataclass(frozen=True)
class Seen:
    """What committed loads of a source have taken in.

    `fingerprints`: (table, file) to what the file was when it last landed: one that goes back to
    what it was before that is a new delivery. `cursors`: table to its
    latest cursor, rejected loads left out, so that a rejected load's rows are read again.
    `contracts`: table to the columns and types it had so far.
    """

    fingerprints: Mapping[tuple[str, str], str] = field(default_factory=dict)
    cursors: Mapping[str, str] = field(default_factory=dict)
    contracts: Mapping[str, Contract] = field(default_factory=dict)


def _environment_name(value: str) -> str:
    if not re.fullmatch(r"[A-Z][A-Z0-9_]*", value):
        raise WrongValueError(
            "give the NAME of an environment variable in capitals, never its value",
            "a name such as SHOP_API_KEY",
        )
    return value


def _time_zone(value: str) -> str:
    if value not in available_timezones():
        raise WrongValueError(
            "is not an IANA time zone", "a name such as Asia/Ho_Chi_Minh or Europe/London"
        )
    return value


EnvironmentName = Annotated[
    str,
    AfterValidator(_environment_name),
    Field(title=VARIABLE, json_schema_extra={"pattern": "^[A-Z][A-Z0-9_]*$"}),
]
TimeZone = Annotated[str, AfterValidator(_time_zone), Field(title="IANA time zone")]
Currency = Annotated[str, Field(pattern=r"^[A-Z]{3}$", examples=["VND"])]
IssuedNumber = Literal["user_id", "member_number", "external_id", "anonymous_id"]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,40}$", examples=["web_shop"])]


class SourceConfig(BaseModel):
    """One entry of sources.yml; each kind adds its own settings in a subclass."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    name: Name
    """The key of the source, above its settings."""
    kind: str
    """What is read, and how; each kind has keys of its own."""
    area: Literal["web", "email", "pos", "crm"]
    """The part of the business that it tells of."""
    namespace: Name = ""
    """Whose customer, order and cart numbers it brings; the source's own name when left out."""
    namespaces: dict[IssuedNumber, Name] = Field(default_factory=dict)
    """Whose numbers a column has, where they are not this source's own."""
    time_zone: TimeZone = "UTC"
    """Zone of delivered times that have no offset."""
    currency: Currency | None = None
    """Currency (ISO 4217) of amounts whose row names none; the reporting currency when left out."""
    max_quarantine_share: Annotated[float, Field(ge=0, le=1)] = 0.01
    """A load with a larger share of a table in the quarantine is rejected (gate 1)."""

    _yaml: ConfigFile | None = PrivateAttr(default=None)

    def model_post_init(self, _context: Any) -> None:
        """Fill the namespace with the source's name when none is given."""
        if not self.namespace:
            object.__setattr__(self, "namespace", self.name)

    def problem(self, message: str, *keys: str, fix: str | None = None) -> ConfigError:
        """A ConfigError at this source's place in sources.yml; `keys` lead to the mistake."""
        location = ("sources", self.name, *keys)
        if self._yaml is None:
            return ConfigError(message, key=".".join(location), fix=fix)
        return self._yaml.error(message, location, fix=fix)

    def accepting(self, table: str) -> tuple[tuple[str, ...], str]:
        """Where in this source a table's new type is accepted, and how (`ingestion.contract`)."""
        return ("tables", table, "columns"), (
            "have it delivered as before, or say in the table's mapping how the new type is read: "
            "a changed mapping accepts it"
        )

    def check(self) -> None:
        """ConfigError for what the types alone cannot say; called once the place is known."""

    def placed(self, yaml: ConfigFile) -> SourceConfig:
        """This source, knowing the file that declares it."""
        self._yaml = yaml
        return self


@dataclass(frozen=True)
class Backfill:
    """A part of `khach run --from --to`: days (inclusive) to read again, although seen.

    Days are those of the source's time zone. One part becomes one load. `range_first` is the first
    day of the whole range, for what spans several parts and must be read in only one of them.
    """

    first: date
    last: date
    range_first: date

    def instants(self, time_zone: str) -> tuple[datetime, datetime]:
        """The first instant and the first one after the last day, both aware, UTC."""
        zone = ZoneInfo(time_zone)
        ends = (self.first, self.last + timedelta(days=1))
        first, after = (datetime.combine(day, time(), zone).astimezone(UTC) for day in ends)
        return first, after


@dataclass(frozen=True)
class FetchContext:
    """Everything `fetch` may use; `staging` is an empty folder on the lake's own disk.

    With `backfill`, exactly the days of that part are read again, whatever `seen` says; deliveries
    then carry no cursor, so that the next ordinary read starts where it would have started anyway.
    """

    env: Environment
    config: Any  # the kind's own SourceConfig subclass
    seen: Seen
    staging: Path
    progress: Reporter
    backfill: Backfill | None = None


# Quarantined rows of a table to why each stays (None: it passes); those that pass are in the file.
RowReplay = Callable[[FetchContext, TableSpec, Sequence["QuarantinedRow"], Path], list[str | None]]


@dataclass(frozen=True)
class SourceSpec:
    """One kind of source.

    `tables(config)` declares every raw table, all of which exist after the first load.
    `fetch(context)` returns what is new, or None when nothing is (then dlt is not started).
    `check(env, config)` reaches the source without loading anything.
    `replay(context, table, rows, path)` reads quarantined rows again (`ingestion.replay_rows`).
    `can_backfill`: `fetch` honours `FetchContext.backfill`; otherwise --from/--to is refused.
    Errors: ConfigError (wrong password, absent file or variable), BusyError (unreachable),
    KhachError (anything else).
    """

    kind: str
    settings: type[SourceConfig]
    tables: Callable[[Any], list[TableSpec]]
    fetch: Callable[[FetchContext], Extract | None]
    check: Callable[[Environment, Any], list[CheckedItem]]
    replay: RowReplay
    can_backfill: bool = False


def secret(name: str, *, source: str) -> str:
    """The value of an environment variable that sources.yml names; ConfigError when unset."""
    value = os.environ.get(name, "")
    if not value:
        raise ConfigError(
            f"source {source}: the environment variable {name} is not set", fix=f"export {name}=..."
        )
    return value
