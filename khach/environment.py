"""The only place that knows where things are and which environment this is."""

import os
from dataclasses import dataclass
from pathlib import Path

from khach.errors import ConfigError

ENVIRONMENTS = ("sandbox", "dev", "prod")
PROJECT = Path(__file__).resolve().parent.parent

# Telemetry of every tool is off, and all their state lies under $KHACH_HOME.
TELEMETRY_OFF = {
    "RUNTIME__DLTHUB_TELEMETRY": "false",
    "DO_NOT_TRACK": "1",
    "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
    "GX_ANALYTICS_ENABLED": "false",
    "DAGSTER_DISABLE_TELEMETRY": "1",
}


@dataclass(frozen=True)
class Environment:
    """Name and folders of one installation; every path of the product derives from here."""

    name: str
    home: Path
    config: Path
    samples: Path
    project: Path = PROJECT
    lake_home: Path | None = None  # whose lake is read; None: the home's own

    @property
    def is_sandbox(self) -> bool:
        """Whether the simulated retailer owns the clock and the servers."""
        return self.name == "sandbox"

    @property
    def lake(self) -> Path:
        """Raw Parquet files, append-only."""
        return (self.lake_home or self.home) / "lake"

    @property
    def quarantine(self) -> Path:
        """Rows that could not be landed, with their original bytes."""
        return self.lake / "quarantine"

    @property
    def warehouse(self) -> Path:
        """The working file; can be deleted and rebuilt from the lake."""
        return self.home / "warehouse.duckdb"

    @property
    def state(self) -> Path:
        """What we believed or did on a day; cannot be rebuilt."""
        return self.home / "state.duckdb"

    @property
    def published(self) -> Path:
        """Snapshots for readers, and the link `current`."""
        return self.home / "published"

    @property
    def current(self) -> Path:
        """The link to the newest published snapshot."""
        return self.published / "current"

    @property
    def operations(self) -> Path:
        """Receipts, plans, runs and data quality for readers."""
        return self.published / "operations.duckdb"

    @property
    def dlt_dir(self) -> Path:
        """dlt's pipelines and configuration."""
        return self.home / "dlt"

    @property
    def dagster_home(self) -> Path:
        """Dagster's instance."""
        return self.home / "dagster"

    @property
    def dbt_vars(self) -> Path:
        """The vars file that `dbt build --vars` needs."""
        return self.home / "dbt_vars.yml"

    @property
    def dbt_target(self) -> Path:
        """dbt's manifest, compiled SQL and run results."""
        return self.home / "dbt"

    @property
    def dbt_project(self) -> Path:
        """The dbt project in the checkout."""
        return self.project / "dbt_project"

    @property
    def logs(self) -> Path:
        """Redacted logs."""
        return self.home / "logs"

    @property
    def sandbox(self) -> Path:
        """The simulated retailer's own folder."""
        return self.home / "sandbox"

    @property
    def scratch(self) -> Path:
        """Temporary files on the same file system as the lake; emptied by the next run."""
        return self.home / "scratch"

    @property
    def replays(self) -> Path:
        """Earlier days built again, one folder each; each is a home of its own."""
        return self.home / "replay"


def load_environment() -> Environment:
    """Read the environment variables and switch the tools' telemetry off.

    Raises ConfigError when `KHACH_ENV` is not sandbox, dev or prod.
    """
    name = os.environ.get("KHACH_ENV") or "dev"
    if name not in ENVIRONMENTS:
        raise ConfigError(
            f"KHACH_ENV is {name!r}, which is not an environment",
            fix=f"set KHACH_ENV to one of {', '.join(ENVIRONMENTS)}",
            key="KHACH_ENV",
        )
    env = Environment(
        name=name,
        home=_folder("KHACH_HOME", PROJECT / "data"),
        config=_folder("KHACH_CONFIG", PROJECT / "config"),
        samples=_folder("KHACH_SAMPLES", PROJECT.parent / "shared" / "data"),
    )
    activate(env)
    if env.is_sandbox:
        load_sandbox_variables(env)
    return env


def activate(env: Environment) -> None:
    """Point every tool of this process, and its children, at an environment's folders."""
    os.environ.update(TELEMETRY_OFF)
    os.environ["KHACH_HOME"] = str(env.home)
    os.environ["KHACH_CONFIG"] = str(env.config)
    os.environ["KHACH_SAMPLES"] = str(env.samples)
    os.environ["DAGSTER_HOME"] = str(env.dagster_home)
    os.environ["DLT_DATA_DIR"] = str(env.dlt_dir)


def load_sandbox_variables(env: Environment) -> None:
    """Lay the sandbox's addresses and keys under `os.environ`, as an operator would set them.

    Called again after the sandbox's servers started, since their ports change.
    """
    file = env.sandbox / "env"
    if not file.exists():
        return
    for line in file.read_text(encoding="utf-8").splitlines():
        key, separator, value = line.partition("=")
        if separator and not key.startswith("#"):
            os.environ[key.strip()] = value.strip()


def _folder(variable: str, default: Path) -> Path:
    value = os.environ.get(variable)
    return Path(value).expanduser().resolve() if value else default
