"""What was delivered against what could be read: the share of quarantined rows by table."""

from collections.abc import Sequence
from pathlib import Path

from expectations.engine import Gate
from expectations.history import parquet
from khach.checks import CheckResult
from khach.environment import Environment

RULES = ("quarantined_share", "quarantined_some")
# One bad line in a file of four is no reason to stop everybody; a file of nothing else is.
MINIMUM_ROWS = 5


def check(
    gate: Gate,
    env: Environment,
    source: str,
    load_id: str,
    files: Sequence[Path],
    *,
    max_share: float,
) -> list[CheckResult]:
    """Judge the counts of each table of a load: above `max_share` it blocks, above half it warns.

    The failing keys are the quarantined rows: file, line and reason.
    """
    if not files:
        return []
    tables = gate.query(
        "select table_name, sum(rows_offered), sum(rows_landed), sum(rows_quarantined) "
        f"from {parquet(files)} group by table_name order by table_name"
    )
    results = []
    for table, offered, landed, quarantined in tables:
        share = quarantined / offered if offered else 0.0
        is_accident = quarantined < (MINIMUM_ROWS if max_share else 1)
        is_too_much = quarantined > 0 and (landed == 0 or (share > max_share and not is_accident))
        is_much = share > max_share / 2 and not is_accident
        counted = f"{quarantined:,} of {offered:,} rows ({share:.1%}) are in the quarantine"
        for name, is_failed, severity in (
            ("quarantined_share", is_too_much, "error"),
            ("quarantined_some", is_much and not is_too_much, "warning"),
        ):
            results.append(
                CheckResult(
                    check_name=f"landing.{source}.{table}.{name}",
                    stage="landing",
                    rule=f"{counted}, at most {max_share:.1%} may be (max_quarantine_share)",
                    is_success=not is_failed,
                    severity="error" if severity == "error" else "warning",
                    source=source,
                    table_name=table,
                    load_id=load_id,
                    failed_count=int(quarantined) if is_failed else 0,
                    failing_sql=_rows(env, source, table, files) if is_failed else None,
                )
            )
    return results


def _rows(env: Environment, source: str, table: str, files: Sequence[Path]) -> str:
    """SQL of the quarantined rows of the load's files, as they are when it runs."""
    folder = str(env.quarantine / source / table / "**" / "*.ndjson").replace("'", "''")
    name = table.replace("'", "''")
    return (
        f"select file, line, reason from read_json('{folder}', format = 'newline_delimited', "
        "columns = {file: 'VARCHAR', line: 'BIGINT', reason: 'VARCHAR'}) where file in "
        f"(select file from {parquet(files)} where table_name = '{name}') order by file, line"
    )
