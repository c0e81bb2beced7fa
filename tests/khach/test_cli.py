"""The command line keeps its contract: one document, exit codes, messages with a remedy."""

import csv
import errno
import io
import json
import os
import resource
import subprocess
import sys
from datetime import date
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest
import typer
import typer.main

from khach.cli.main import app, execute
from khach.cli.output import emit, plain
from khach.cli.problems import as_khach_error
from khach.environment import PROJECT, Environment
from khach.errors import GateError, KhachError
from khach.init import template_names
from tests.khach.shop import RUN, open_shop

KHACH = Path(sys.executable).with_name("khach")
NAME = "Nguyễn Thị Lan"
CONTACTS = "row of lan@example.vn, 0912345678"
COMMANDS = [
    "init", "config check", "config schema", "sandbox start", "sandbox stop", "sandbox status",
    "sandbox advance", "sandbox report", "run", "dev", "status", "doctor", "query", "sources check",
    "sources replay", "loads", "loads accept", "loads reject", "loads compact", "checks show",
    "identity report", "identity evaluate", "identity block", "identity unblock", "identity review",
    "audiences list", "audiences check", "audiences schema", "audiences show", "plan", "apply",
    "show", "receipts", "reconcile", "why", "customer", "publish", "backup", "restore",
]  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself_with_an_example(command: str, capfd) -> None:
    assert execute([*command.split(), "--help"]) == 0
    shown = " ".join(capfd.readouterr().out.split())
    assert "Usage: khach" in shown
    _, example = shown.split("Example:")
    assert f"khach {command.split(maxsplit=1)[0]}" in example
    assert "--json" in shown or command == "dev"


def test_no_command_of_the_contract_is_missing_or_extra() -> None:
    found = set()
    for name, command in typer.main.get_command(app).commands.items():
        inner = getattr(command, "commands", {})
        found |= {f"{name} {sub}" for sub in inner} or {name}
    assert found == set(COMMANDS) - {"loads"}


@pytest.mark.parametrize(
    "command",
    [("bogus",), ("query",), ("run", "--select", "everything"), ("run", "--as-of", "yesterday"),
     ("run", "--known-at", "2026-01-01"),
     ("run", "--as-of", "2026-01-01", "--known-at", "then"),
     ("run", "--from", "2026-01-01"), ("run", "--from", "2026-02-01", "--to", "2026-01-01"),
     ("run", "--source", "shop"),
     ("init",), ("init", "--from-template", "sandbocks"), ("sandbox", "status"), ("publish",),
     ("backup", "--keep", "0"), ()],
)  # fmt: skip
def test_wrong_usage_is_exit_2(command, env: Environment, capfd) -> None:
    assert execute(command) == 2
    assert capfd.readouterr().err


def test_an_unknown_environment_is_exit_2(env: Environment, monkeypatch, capfd) -> None:
    monkeypatch.setenv("KHACH_ENV", "production")
    assert execute(["status"]) == 2
    assert "sandbox, dev, prod" in capfd.readouterr().err


def test_an_error_with_json_is_one_document_on_stdout(env: Environment, capfd) -> None:
    assert execute(["status", "--json"]) == 1
    captured = capfd.readouterr()
    assert json.loads(captured.out)["exit_code"] == 1
    assert "fix: khach run" in captured.err


def test_nothing_but_the_document_reaches_stdout(capfd) -> None:
    from khach.cli.output import only_documents_on_stdout

    with only_documents_on_stdout():
        os.write(1, b"a library's banner\n")
        subprocess.run(["echo", "a child's word"], check=True)
        emit(True, {"ok": True})
    captured = capfd.readouterr()
    assert json.loads(captured.out) == {"ok": True}
    assert "banner" in captured.err
    assert "child" in captured.err


def test_init_writes_a_valid_start_and_never_overwrites(env: Environment, capfd) -> None:
    assert execute(["init", "--sandbox"]) == 0
    settings = env.config / "settings.yml"
    settings.write_text("as_of: latest\n")
    assert execute(["init", "--sandbox"]) == 2
    assert execute(["init", "--sandbox", "--if-absent"]) == 0
    assert settings.read_text() == "as_of: latest\n"
    assert execute(["init", "--sandbox", "--force"]) == 0
    assert "Asia/Ho_Chi_Minh" in settings.read_text()
    for name in ("targets.csv", "exchange_rates.csv", "generations.csv"):
        assert (env.config / name).read_text().count(",") > 1


def test_init_lists_the_templates_with_a_line_each(capfd) -> None:
    assert execute(["init", "--help"]) == 0
    lines = capfd.readouterr().out.splitlines()
    for name in template_names():
        (line,) = [line for line in lines if line.split()[:1] == [name]]
        assert line.endswith((".", ")")), "a template's line fits a terminal of 80 columns"


# What takes more lines than a small data set: many tables, or everything explained.
LINES = {
    "sandbox": 1000, "crm": 300, "complete_journey_a": 55, "fivetran_mailchimp": 65,
    "jaffle_shop_generated": 45,
}  # fmt: skip


@pytest.mark.parametrize("template", template_names())
def test_every_template_is_a_valid_configuration(template: str, env: Environment, capfd) -> None:
    assert execute(["init", "--from-template", template]) == 0
    lines = sum(len(path.read_text().splitlines()) for path in env.config.rglob("*.yml"))
    assert lines < LINES.get(template, 40)
    capfd.readouterr()
    assert execute(["config", "check", "--json"]) == 0
    assert json.loads(capfd.readouterr().out)["is_valid"] is True
    assert env.dbt_vars.exists()


def test_config_check_names_every_broken_file(env: Environment, capfd) -> None:
    execute(["init", "--sandbox"])
    (env.config / "settings.yml").write_text("as_off: now\n")
    (env.config / "sources.yml").write_text("sauces: []\n")
    capfd.readouterr()
    assert execute(["config", "check", "--json"]) == 2
    captured = capfd.readouterr()
    mistakes = json.loads(captured.out)["mistakes"]
    assert {Path(m["file"]).name for m in mistakes} >= {"settings.yml", "sources.yml"}
    assert "did you mean as_of?" in captured.err
    assert not env.dbt_vars.exists()


def test_query_reads_marts_and_operations_by_bare_name(env: Environment, capfd) -> None:
    open_shop(env)
    assert execute(["query", "select count(*) as n from customers", "--json"]) == 0
    assert json.loads(capfd.readouterr().out) == {"columns": ["n"], "rows": [[1000]]}
    assert execute(["query", "select source, verdict from loads order by all", "--csv"]) == 0
    rows = list(csv.reader(io.StringIO(capfd.readouterr().out)))
    assert rows[0] == ["source", "verdict"]
    assert len(rows) == 4
    assert execute(["query", "from customers limit 300"]) == 0
    assert "100 more rows" in capfd.readouterr().out


def test_a_value_that_does_not_fit_is_the_askers_mistake(
    env: Environment, tmp_path: Path, capfd
) -> None:
    open_shop(env)
    for sql in ("select 1 where date '2026-01-01' > cast('2026-13-01' as date)",
                "select cast(customer_id as integer) from customers"):  # fmt: skip
        assert execute(["query", sql]) == 2
        told = capfd.readouterr().err
        assert "try_cast" in told
        assert "unexpected" not in told
        assert "Could not convert" not in told  # which would quote what is stored
        assert execute(["query", sql, "--output", str(tmp_path / "x.parquet")]) == 2


@pytest.mark.parametrize(
    "sql",
    ["delete from customers", "create table x as select 1", "drop table customers", "checkpoint",
     "copy customers to '{}/x.csv'", "attach '{}/y.duckdb'", "select 1; drop table customers",
     "set enable_external_access = true", "from read_csv('/etc/passwd')", "selec 1", "",
     "install httpfs", "select * from nowhere", "select nothing from customers"],
)  # fmt: skip
def test_query_refuses_to_write_and_to_leave_the_published_files(
    sql: str, env: Environment, tmp_path: Path, capfd
) -> None:
    open_shop(env)
    assert execute(["query", sql.format(tmp_path)]) == 2
    assert capfd.readouterr().out == ""
    assert not (tmp_path / "x.csv").exists()
    assert not (tmp_path / "y.duckdb").exists()


def test_status_marks_rows_that_do_not_add_up_and_is_still_exit_0(env: Environment, capfd) -> None:
    open_shop(env)
    assert execute(["status"]) == 0
    lines = capfd.readouterr().out.splitlines()
    assert any("web_shop" in line and line.rstrip().endswith("NO") for line in lines)
    assert any("tills" in line and line.rstrip().endswith("yes") for line in lines)
    assert any(f"khach checks show {RUN} late" in line for line in lines)
    assert execute(["status", "--json"]) == 0
    facts = json.loads(capfd.readouterr().out)
    assert facts["gates"]["passed"] == 1
    assert facts["plans"][0]["receipts"] == {"acknowledged": 2}
    assert facts["snapshot"]["customers"] == 1000


def test_checks_show_lists_the_failing_keys_on_demand(env: Environment, capfd) -> None:
    open_shop(env)
    assert execute(["checks", "show", RUN, "late", "--json"]) == 0
    (result,) = json.loads(capfd.readouterr().out)["results"]
    assert result["rows"] == [["web_shop:0"], ["web_shop:1"]]
    assert execute(["checks", "show", RUN, "laet"]) == 1
    assert "late" in capfd.readouterr().err


def test_loads_are_listed_and_judged_by_hand(env: Environment, capfd) -> None:
    open_shop(env)
    assert execute(["loads", "accept", "nowhere"]) == 1
    assert execute(["loads", "accept", "l2", "--reason", "a quiet day"]) == 0
    capfd.readouterr()
    assert execute(["loads", "--json"]) == 0
    loads = json.loads(capfd.readouterr().out)["loads"]
    judged = next(load for load in loads if load["load_id"] == "l2")
    assert (judged["verdict"], judged["reason"]) == ("accepted", "a quiet day")


def test_a_customer_is_found_by_id_and_by_e_mail_in_any_form(env: Environment, capfd) -> None:
    open_shop(env)
    execute(["init", "--sandbox"])
    for who in ("c5", " LAN5@example.VN "):
        capfd.readouterr()
        assert execute(["customer", who, "--json"]) == 0
        (found,) = json.loads(capfd.readouterr().out)["customers"]
        assert found["profile"]["customer_id"] == "c5"
        assert found["orders"]
    assert execute(["customer", "nobody@example.vn"]) == 1
    assert "nobody@" not in capfd.readouterr().err


def test_why_answers_for_an_id_or_an_address_and_keeps_it_out_of_its_errors(
    env: Environment, capfd
) -> None:
    open_shop(env)
    execute(["init", "--sandbox"])
    for who in ("c5", " LAN5@example.VN "):
        capfd.readouterr()
        assert execute(["why", who, "existing_customers", "--at", "2026-01-01", "--json"]) == 0
        (answer,) = json.loads(capfd.readouterr().out)["answers"]
        assert answer["customer_id"] == "c5"
        assert "no plan of it had been carried out by then" in answer["sentence"]
    assert execute(["why", "c5", "existing_custmers"]) == 2
    assert execute(["why", "c5", "existing_customers", "--at", "yesterday"]) == 2
    assert execute(["why", "nobody@example.vn", "existing_customers"]) == 1
    assert "nobody@" not in capfd.readouterr().err


def test_the_schema_of_audiences_is_written_by_init_and_printed(env: Environment, capfd) -> None:
    execute(["init", "--sandbox"])
    file = env.config / "audience.schema.json"
    written = json.loads(file.read_text())
    capfd.readouterr()
    assert execute(["audiences", "schema"]) == 0
    assert json.loads(capfd.readouterr().out) == written
    file.unlink()
    assert execute(["audiences", "schema", "--write"]) == 0
    assert json.loads(file.read_text()) == written


def test_rollback_and_backup_work_from_the_command_line(env: Environment, capfd) -> None:
    open_shop(env)
    assert execute(["publish", "--rollback"]) == 1
    capfd.readouterr()
    assert execute(["backup", "--json"]) == 0
    file = json.loads(capfd.readouterr().out)["file"]
    assert execute(["restore", file]) == 0
    assert execute(["restore", "nowhere.tar.gz"]) == 1


@pytest.mark.parametrize(
    "problem",
    [OSError(errno.ENOSPC, "x"), OSError(errno.EDQUOT, "x"), OSError(errno.EFBIG, "x"),
     duckdb.IOException('Could not write file "a": No space left on device')],
)  # fmt: skip
def test_a_full_disk_is_said_plainly_wherever_it_stands_in_the_chain(problem) -> None:
    wrapper = RuntimeError("a step failed")
    wrapper.__cause__ = problem
    for seen in (problem, wrapper):
        found = as_khach_error(seen)
        assert "disk is full" in found.message
        assert found.fix
        assert found.exit_code == 1


def test_a_full_disk_during_a_command_is_exit_1(env: Environment) -> None:
    open_shop(env)
    done = subprocess.run(
        ["bash", "-c", f"ulimit -f 8; trap '' XFSZ; {KHACH} backup"],
        capture_output=True, text=True, check=False, env=os.environ,
    )  # fmt: skip
    assert done.returncode == 1
    assert "disk is full" in done.stderr
    assert not list((env.home / "backups").glob("*.tar.gz"))


def test_a_locked_warehouse_is_busy(env: Environment, capfd) -> None:
    from tests.khach.test_state import HOLDER

    open_shop(env)
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(env.state)], stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout
    try:
        assert holder.stdout.readline() == "held\n"
        found = _raised_by(lambda: duckdb.connect(str(env.state)))
        assert as_khach_error(found).exit_code == 4
        assert str(holder.pid) in as_khach_error(found).message
    finally:
        holder.kill()
        holder.wait()
        holder.stdout.close()


def test_an_unexpected_error_keeps_values_out_and_points_at_the_log(env: Environment) -> None:
    quoting = _raised_by(lambda: duckdb.execute("select ?::integer", [NAME]).fetchall())
    assert NAME in str(quoting)
    for problem in (quoting, ValueError(CONTACTS)):
        found = as_khach_error(problem)
        assert found.exit_code == 1
        assert "khach.log" in (found.fix or "")
    written = (env.logs / "khach.log").read_text()
    assert "ValueError" in written
    for secret in (*NAME.split(), "lan@example", "0912345678"):
        assert secret not in written


def test_a_gate_is_exit_3_and_ctrl_c_is_130(env: Environment, monkeypatch, capfd) -> None:
    def stop(error: BaseException):
        def fail(*_arguments, **_options) -> None:
            raise error

        return fail

    for error, code in ((GateError("held"), 3), (KeyboardInterrupt(), 130), (KhachError("x"), 1)):
        monkeypatch.setattr("khach.overview.overview", stop(error))
        assert execute(["status"]) == code


def test_a_day_is_pending_until_a_run_of_that_day_was_completed(
    env: Environment, monkeypatch
) -> None:
    from dataclasses import replace
    from datetime import datetime

    from khach.cli.sandbox import day_is_pending
    from khach.runs import end_stage, start_stage

    sandbox = replace(env, name="sandbox")
    sandbox.sandbox.mkdir()
    (sandbox.sandbox / "clock.json").write_text('{"now": "2026-06-29T19:00:00Z"}')
    assert day_is_pending(sandbox)
    now = datetime(2026, 6, 29, 19)  # noqa: DTZ001 (naive UTC, as in state)
    start_stage(sandbox, "r1", "run", now)
    assert day_is_pending(sandbox)
    end_stage(sandbox, "r1", "run", "failed")
    assert day_is_pending(sandbox)
    start_stage(sandbox, "r2", "run", now)
    end_stage(sandbox, "r2", "run", "ok")
    assert not day_is_pending(sandbox)
    (sandbox.sandbox / "clock.json").write_text('{"now": "2026-06-30T19:00:00Z"}')
    assert day_is_pending(sandbox)


@pytest.mark.parametrize(
    ("value", "expected"),
    [(Decimal("2.0000"), 2), (Decimal("1.25"), 1.25), (date(2026, 1, 2), "2026-01-02"),
     (Decimal("12345678901234567890.1234"), "12345678901234567890.1234"), ({2, 1}, [1, 2])],
)  # fmt: skip
def test_json_values_stay_exact(value, expected) -> None:
    assert plain(value) == expected


def test_the_command_line_imports_nothing_heavy_and_starts_fast(env: Environment) -> None:
    heavy = {"dagster", "dlt", "great_expectations", "pandas", "matplotlib", "dbt", "pydantic"}
    code = f"import sys, khach.cli; print(sorted({heavy!r} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=PROJECT
    )
    assert done.stdout.strip() == "[]"
    assert min(_processor_seconds("--help") for _ in range(3)) < 0.8  # 0.3 s on a quiet machine


def _processor_seconds(*arguments: str) -> float:
    """Processor time of a command: the wall clock of a shared machine proves nothing."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([str(KHACH), *arguments], capture_output=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _raised_by(work) -> Exception:
    try:
        work()
    except Exception as problem:  # noqa: BLE001
        return problem
    raise AssertionError("nothing was raised")
