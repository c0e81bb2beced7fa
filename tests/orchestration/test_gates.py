"""What a gate stops and what it does not. The job is the real one; the rooms are recorders."""

import io
from collections.abc import Callable, Iterator, Mapping
from contextlib import redirect_stderr
from types import SimpleNamespace
from typing import Any

import pytest
from dagster import AssetExecutionContext, MaterializeResult

import orchestration.dbt
import orchestration.run
from khach.checks import CheckResult, gate_error
from khach.environment import Environment
from khach.errors import BusyError, GateError, KhachError
from khach.state import open_state
from orchestration import stages
from orchestration.run import run_job
from orchestration.session import Session, StepFailed

CANARY = "hoa.canary@example.org"
FIRST_SYNC = ["plan cart_email", "exit cart_email", "apply cart_email"]
SECOND_SYNC = ["plan cart_file", "exit cart_file", "apply cart_file"]


def failing(name: str, stage: str, table: str, severity: str = "error") -> CheckResult:
    return CheckResult(
        check_name=name, stage=stage, rule=f"the rule of {name}", is_success=False,
        severity=severity, source="shop", table_name=table, load_id="17.5", failed_count=3,
        failing_sql="select 1",
    )  # type: ignore[arg-type]  # fmt: skip


class Rooms:
    """Stands where the stages are; each call is written down and may be told to fail."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.raises: dict[str, Exception] = {}
        self.findings: dict[str, list[CheckResult]] = {}

    def _call(self, name: str) -> None:
        self.calls.append(name)
        if name in self.raises:
            raise self.raises[name]

    def _judge(self, session: Session, name: str) -> stages.Verdict:
        self._call(name)
        results = self.findings.get(name, [])
        return stages.Verdict(results, session.record(results))

    def ingest_source(self, _session: Session, source: str) -> Any:
        self._call(f"ingest {source}")
        return SimpleNamespace(load_id="17.5")

    def judge_landing(self, session: Session, source: str) -> stages.Verdict:
        return self._judge(session, f"landing {source}")

    def build(
        self, context: AssetExecutionContext, _env: Any, _manifest: Any, session: Session
    ) -> Iterator[MaterializeResult]:
        session.enter("build")
        try:
            self._call("build")
        except KhachError as problem:
            session.note("build", problem)
            raise StepFailed("build") from None
        # staging before main: Dagster wants the order of the graph
        for key in sorted(context.selected_asset_keys, key=str, reverse=True):
            yield MaterializeResult(asset_key=key)

    def judge_marts(self, session: Session) -> stages.Verdict:
        return self._judge(session, "marts")

    def publish(self, _session: Session) -> str:
        self._call("publish")
        return "s1"

    def plan_sync(self, _session: Session, sync_id: str, *, is_hourly: bool) -> Any:
        assert not is_hourly
        self._call(f"plan {sync_id}")

    def judge_audience(self, session: Session, sync_id: str) -> stages.Verdict:
        return self._judge(session, f"exit {sync_id}")

    def apply_sync(self, _session: Session, sync_id: str) -> Any:
        self._call(f"apply {sync_id}")

    def carry_withdrawals(self, _session: Session, sync_id: str) -> None:
        self._call(f"withdrawals {sync_id}")


Run = Callable[..., int]


@pytest.fixture
def rooms(
    shop: Environment, short_manifest: Mapping[str, Any], monkeypatch: pytest.MonkeyPatch
) -> Rooms:
    made = Rooms()
    for name in (
        "ingest_source", "judge_landing", "judge_marts", "publish",
        "plan_sync", "judge_audience", "apply_sync", "carry_withdrawals",
    ):  # fmt: skip
        monkeypatch.setattr(stages, name, getattr(made, name))
    monkeypatch.setattr(stages, "plan_figures", lambda _summary: {})
    monkeypatch.setattr(stages, "apply_figures", lambda _summary: {})
    monkeypatch.setattr(orchestration.dbt, "_build", made.build)
    monkeypatch.setattr(orchestration.run, "load_manifest", lambda _env: short_manifest)
    monkeypatch.setattr(orchestration.run, "_warm_up", lambda _stages: None)
    monkeypatch.setattr("khach.report.write_report", lambda _env: None)
    return made


def journal(env: Environment) -> dict[str, str]:
    with open_state(env) as state:
        return dict(state.execute("select stage, status from runs").fetchall())


def stored(env: Environment) -> bytes:
    """Everything that Dagster and our journal keep of a run."""
    files = [*env.dagster_home.rglob("*"), env.state, *env.logs.rglob("*")]
    return b"".join(path.read_bytes() for path in files if path.is_file())


def test_the_whole_job_runs_in_order_and_one_sync_ends_before_the_next_begins(
    shop: Environment, rooms: Rooms
) -> None:
    assert run_job(shop) == 0
    first, rest = rooms.calls[:4], rooms.calls[4:]
    assert sorted(first) == ["ingest desk", "ingest shop", "landing desk", "landing shop"]
    assert rest == ["build", "marts", "publish", *FIRST_SYNC, *SECOND_SYNC]
    assert journal(shop) == dict.fromkeys(
        ("run", "ingest", "build", "check", "publish", "sync"), "ok"
    )


def test_a_rejected_load_keeps_dbt_from_starting_but_not_the_other_sources(
    shop: Environment, rooms: Rooms
) -> None:
    rooms.findings["landing shop"] = [failing("landing.shop.orders.volume", "landing", "orders")]
    shown = io.StringIO()
    with redirect_stderr(shown):
        assert run_job(shop) == 3
    assert sorted(rooms.calls) == ["ingest desk", "ingest shop", "landing desk", "landing shop"]
    assert journal(shop) == {"run": "stopped", "ingest": "stopped"}
    for part in ("shop", "orders", "the rule of", "load 17.5", "3 failing", "khach checks show r"):
        assert part in shown.getvalue()


def test_a_warning_stops_nothing(shop: Environment, rooms: Rooms) -> None:
    rooms.findings["landing shop"] = [failing("landing.a", "landing", "orders", "warning")]
    rooms.findings["marts"] = [failing("marts.customers.a", "marts", "customers", "warning")]
    assert run_job(shop) == 0
    assert rooms.calls[-1] == "apply cart_file"


def test_a_failing_dbt_test_keeps_the_marts_from_being_published(
    shop: Environment, rooms: Rooms
) -> None:
    problem = gate_error("r1", [failing("unique_orders", "build", "orders")])
    assert problem is not None
    rooms.raises["build"] = problem
    assert run_job(shop) == 3
    assert rooms.calls[-1] == "build"
    assert journal(shop)["build"] == "stopped"


def test_failing_marts_are_neither_published_nor_synced(shop: Environment, rooms: Rooms) -> None:
    rooms.findings["marts"] = [failing("marts.customers.volume", "marts", "customers")]
    assert run_job(shop) == 3
    assert rooms.calls[-1] == "marts"
    assert journal(shop)["check"] == "stopped"


def test_a_plan_that_fails_its_exit_check_is_not_applied_while_other_syncs_go_on(
    shop: Environment, rooms: Rooms
) -> None:
    rooms.findings["exit cart_email"] = [failing("audience.a", "audience", "cart_email")]
    assert run_job(shop) == 3
    # Contact with who withdrew ends all the same.
    assert rooms.calls[-6:] == [*FIRST_SYNC[:2], "withdrawals cart_email", *SECOND_SYNC]


def test_a_guard_that_holds_a_plan_is_exit_3_and_the_next_sync_goes_on(
    shop: Environment, rooms: Rooms
) -> None:
    rooms.raises["apply cart_email"] = GateError("plan p1 is held by first_run")
    assert run_job(shop) == 3
    assert rooms.calls[-1] == "apply cart_file"


def test_an_unreachable_source_is_exit_4_and_nothing_is_built(
    shop: Environment, rooms: Rooms
) -> None:
    rooms.raises["ingest shop"] = BusyError("source shop does not answer")
    assert run_job(shop) == 4
    assert sorted(rooms.calls) == ["ingest desk", "ingest shop", "landing desk"]


def test_no_value_of_a_row_reaches_dagster_the_journal_or_the_terminal(
    shop: Environment, rooms: Rooms
) -> None:
    rooms.raises["publish"] = RuntimeError(f"duplicate key {CANARY}")
    shown = io.StringIO()
    with redirect_stderr(shown):
        assert run_job(shop) == 1
    kept = stored(shop)
    assert b"RuntimeError" in kept
    assert CANARY.encode() not in kept
    assert CANARY not in shown.getvalue()


@pytest.mark.parametrize(
    ("selected", "expected"),
    [
        (["build"], ["build"]),
        (["publish"], ["build", "marts", "publish"]),
        (["sync"], [*FIRST_SYNC, *SECOND_SYNC]),
    ],
)
def test_selected_stages_run_alone_but_publishing_always_brings_its_checks(
    shop: Environment, rooms: Rooms, selected: list[str], expected: list[str]
) -> None:
    assert run_job(shop, select=selected) == 0
    assert rooms.calls == expected


def test_a_dry_run_neither_publishes_nor_syncs(shop: Environment, rooms: Rooms) -> None:
    assert run_job(shop, dry_run=True) == 0
    assert rooms.calls[-1] == "marts"
