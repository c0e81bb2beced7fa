"""The vocabulary of suites: each function makes one rule, which the engine hands to GX.

A suite file reads as a list of sentences. Keys, references, accepted values and arithmetic are
dbt's; here are volume, freshness, distribution, format and drift.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

Severity = Literal["error", "warning"]
EMAIL = r"^[^@\s]+@[^@\s]+\.[^@\s.]+$"
E164 = r"^\+[1-9][0-9]{6,14}$"
# Stands in a predicate for the instant after which a timestamp lies in the far future.
HORIZON = "{horizon}"


@dataclass(frozen=True)
class Rule:
    """One expectation of GX by name, with its arguments.

    `failing` is the SQL predicate of failing rows (null: the rule does not apply to a row); then
    GX judges the predicate itself, as a column with the rule's name. Without it the rule judges
    the table as a whole.
    """

    name: str
    sentence: str
    expectation: str
    arguments: Mapping[str, Any]
    severity: Severity = "error"
    failing: str | None = None


def share(name: str, failing: str, *, at_most: float = 0.0, severity: Severity = "error") -> Rule:
    """At most a share (0..1) of the rows to which the rule applies may fail."""
    limit = f"at most {at_most:.1%} of rows" if at_most else "no row"
    return Rule(
        name=name,
        sentence=f"{name.replace('_', ' ')}: {limit}",
        expectation="ExpectColumnValuesToBeInSet",
        arguments={"column": name, "value_set": [False], "mostly": 1 - at_most},
        severity=severity,
        failing=failing,
    )


def missing(column: str, *, at_most: float = 0.01, severity: Severity = "error") -> Rule:
    """At most a share (0..1) of a column may be null."""
    return share(f"{column}_missing", f"{column} is null", at_most=at_most, severity=severity)


def in_future(column: str, *, at_most: float = 0.01) -> Rule:
    """At most a share of the timestamps lies after the horizon: a broken clock or time zone."""
    return share(f"{column}_in_future", f"{column} > {HORIZON}", at_most=at_most)


def malformed_email(column: str, *, at_most: float, severity: Severity) -> Rule:
    """At most a share of the given addresses does not look like one."""
    failing = f"not regexp_matches(nullif(trim({column}), ''), '{EMAIL}')"
    return share(f"{column}_malformed", failing, at_most=at_most, severity=severity)


def rows_between(
    low: int | None, high: int | None = None, *, name: str = "volume", severity: Severity
) -> Rule:
    """The number of rows lies between two limits."""
    limits = f"between {low or 0:,} and {high:,}" if high is not None else f"{low or 0:,} or more"
    return Rule(
        name=name,
        sentence=f"the number of rows is {limits}",
        expectation="ExpectTableRowCountToBeBetween",
        arguments={"min_value": low, "max_value": high},
        severity=severity,
    )


def fresh(column: str, since: datetime, *, severity: Severity = "warning") -> Rule:
    """The newest timestamp (naive UTC) is not older than `since`."""
    return Rule(
        name="freshness",
        sentence=f"the newest {column} is not before {since:%Y-%m-%d %H:%M}",
        expectation="ExpectColumnMaxToBeBetween",
        arguments={"column": column, "min_value": since},
        severity=severity,
    )


def median_between(column: str, low: float, high: float) -> Rule:
    """The median of a number lies where it used to lie (a warning)."""
    return Rule(
        name=f"{column}_level",
        sentence=f"the median of {column} is between {low:,.4g} and {high:,.4g}",
        expectation="ExpectColumnMedianToBeBetween",
        arguments={"column": column, "min_value": low, "max_value": high},
        severity="warning",
    )


def mean_between(column: str, low: float, high: float, *, severity: Severity = "warning") -> Rule:
    """The mean of a number lies between two limits."""
    return Rule(
        name=f"{column}_mean",
        sentence=f"the mean of {column} is between {low:,.4g} and {high:,.4g}",
        expectation="ExpectColumnMeanToBeBetween",
        arguments={"column": column, "min_value": low, "max_value": high},
        severity=severity,
    )


def same_mix(column: str, weights: Mapping[str, float], *, threshold: float = 0.5) -> Rule:
    """The shares of a column's values are near the given ones (relative entropy; a warning)."""
    return Rule(
        name=f"{column}_mix",
        sentence=f"the mix of {column} is like that of earlier loads",
        expectation="ExpectColumnKLDivergenceToBeLessThan",
        arguments={
            "column": column,
            "partition_object": {"values": list(weights), "weights": list(weights.values())},
            "threshold": threshold,
            # A value never seen before would have weight 0, which is an infinite divergence.
            "tail_weight_holdout": 0.01,
        },
        severity="warning",
    )
