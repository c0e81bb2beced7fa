"""What a dbt run amounts to: tests become check results, errors become one clear message."""

import json
from typing import Any

import pytest

from khach.environment import Environment
from khach.errors import BusyError
from orchestration.dbt_results import (
    check_results,
    forget_results,
    read_results,
    runtime_problem,
    safe,
)

CANARY = "Nguyễn Thị Canary"
MANIFEST = {
    "nodes": {
        "model.khach.orders": {"name": "orders", "resource_type": "model", "config": {}},
        "test.khach.unique_orders": {
            "name": "unique_orders", "resource_type": "test", "attached_node": "model.khach.orders",
            "config": {"severity": "ERROR"}, "description": "An order stands once.",
        },
        "test.khach.few_unknown": {
            "name": "few_unknown", "resource_type": "test", "config": {"severity": "WARN"},
        },
    }
}  # fmt: skip


def result(unique_id: str, status: str, **more: Any) -> dict[str, Any]:
    return {"unique_id": unique_id, "status": status, "failures": None, "message": None, **more}


def test_a_failing_test_blocks_and_keeps_the_query_for_its_keys() -> None:
    (found,) = check_results(
        [
            result("model.khach.orders", "success"),
            result("test.khach.unique_orders", "fail", failures=7, compiled_code="select 1"),
        ],
        MANIFEST,
    )
    assert found.is_blocking
    assert (found.check_name, found.table_name, found.failed_count, found.failing_sql) == (
        "unique_orders", "orders", 7, "select 1",
    )  # fmt: skip
    assert found.rule == "An order stands once."


def test_a_warning_is_recorded_and_blocks_nothing_and_skipped_tests_are_not_green() -> None:
    found = check_results(
        [
            result("test.khach.few_unknown", "warn", failures=2),
            result("test.khach.unique_orders", "skipped"),
        ],
        MANIFEST,
    )
    assert [(r.check_name, r.is_success, r.severity) for r in found] == [
        ("few_unknown", False, "warning")
    ]


def test_a_passing_run_has_no_problem() -> None:
    assert runtime_problem([result("model.khach.orders", "success")], "", 0) is None


def test_a_failing_test_alone_is_no_runtime_problem() -> None:
    failed = [result("test.khach.unique_orders", "fail", failures=1)]
    assert runtime_problem(failed, "1 of 1 FAIL", 1) is None


def test_an_error_names_the_model() -> None:
    broken = [result("model.khach.orders", "error", message="Binder Error: no column x")]
    problem = runtime_problem(broken, "", 1)
    assert problem is not None
    assert "orders" in problem.message
    assert "no column x" in problem.message
    assert problem.exit_code == 1


@pytest.mark.parametrize("where", ["result", "console"])
def test_a_locked_file_is_busy_and_names_the_holder(where: str) -> None:
    text = "IO Error: Could not set lock on file: Conflicting lock is held in python (PID 4711)"
    results = [result("model.khach.orders", "error", message=text)] if where == "result" else []
    problem = runtime_problem(results, text, 1)
    assert isinstance(problem, BusyError)
    assert "4711" in problem.message


def test_a_dbt_that_dies_without_results_is_a_problem() -> None:
    problem = runtime_problem([], "Killed", -9)
    assert problem is not None
    assert "-9" in problem.message


def test_values_that_the_database_quotes_are_kept_neither_in_memory_nor_on_disk(
    env: Environment,
) -> None:
    message = f"Conversion Error: Could not convert string '{CANARY}' to DATE, lan@example.org"
    env.dbt_target.mkdir(parents=True)
    path = env.dbt_target / "run_results.json"
    path.write_text(
        json.dumps({"results": [result("model.khach.orders", "error", message=message)]}),
        encoding="utf-8",
    )
    problem = runtime_problem(read_results(env), "", 1)
    assert problem is not None
    for text in (problem.message, path.read_text(encoding="utf-8"), safe(message)):
        assert "Canary" not in text
        assert "lan@" not in text
        assert "Could not convert string" in text


def test_results_of_an_earlier_run_are_forgotten(env: Environment) -> None:
    env.dbt_target.mkdir(parents=True)
    (env.dbt_target / "run_results.json").write_text('{"results": []}', encoding="utf-8")
    forget_results(env)
    forget_results(env)
    assert read_results(env) == []
