"""The KPIs as dbt_project defines them: read from the YAML that the marts are made from.

`python -m khach.kpi_catalogue` writes docs/kpi-catalogue.md again; a test keeps it in step.
"""

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from khach.environment import PROJECT

DEFINITIONS = PROJECT / "dbt_project/models/marts/kpis/_kpi_entities__models.yml"
PAGE = PROJECT / "docs" / "kpi-catalogue.md"
GRAINS = ("day", "week", "month")
# Values of these overlap: a customer is in several at once.
OVERLAPPING = frozenset({"segment"})


@dataclass(frozen=True)
class Kpi:
    """One KPI over the entities of one model; a name may stand in two, each with its slices."""

    name: str
    formula: str
    slices: tuple[str, ...]
    additive_slices: tuple[str, ...]
    window: str
    bounds: tuple[int, int] | None  # what a value can be
    is_money: bool


@dataclass(frozen=True)
class Entities:
    """What the KPIs of one model count, and on which day."""

    model: str
    description: str
    kpis: tuple[Kpi, ...]


def load_catalogue() -> list[Entities]:
    """Every entity model with its KPIs, in the order of the file."""
    models = yaml.safe_load(DEFINITIONS.read_text(encoding="utf-8"))["models"]
    return [_entities(model) for model in models if "kpi" in _meta(model)]


def slices_by_kpi() -> dict[str, tuple[str, ...]]:
    """The slices that each KPI is published by."""
    found: dict[str, tuple[str, ...]] = {}
    for entities in load_catalogue():
        for kpi in entities.kpis:
            found[kpi.name] = (*found.get(kpi.name, ()), *kpi.slices)
    return found


@functools.cache
def bounds_by_kpi() -> Mapping[str, tuple[int, int]]:
    """Least and most that a value of a KPI can be, where it is bounded: a share's are 0 and 1."""
    kpis = (kpi for entities in load_catalogue() for kpi in entities.kpis)
    return {kpi.name: kpi.bounds for kpi in kpis if kpi.bounds}


@functools.cache
def money_kpis() -> frozenset[str]:
    """The KPIs that are amounts of the reporting currency."""
    return frozenset(kpi.name for part in load_catalogue() for kpi in part.kpis if kpi.is_money)


def page() -> str:
    """docs/kpi-catalogue.md."""
    lines = [
        "# KPI catalogue: what is counted, on which day, by which slices",
        "",
        f"Made of `{DEFINITIONS.relative_to(PROJECT)}` by `python -m khach.kpi_catalogue`; what "
        "the KPIs mean is in [kpis](kpis.md).",
        "",
        *_READING,
    ]
    for entities in load_catalogue():
        lines += ["", f"## {entities.model}", f"{entities.description}.", ""]
        lines += ["| KPI | formula | by | adds up over | null until |", "|---|---|---|---|---|"]
        for kpi in entities.kpis:
            by = ", ".join(name for name in kpi.slices if name != "all")
            adds = "-"
            if kpi.additive_slices:
                missing = [name for name in kpi.slices if name not in kpi.additive_slices]
                adds = "all but " + ", ".join(missing) if missing else "all"
            lines.append(f"| {kpi.name} | {kpi.formula} | {by} | {adds} | {kpi.window} |")
    return "\n".join(lines) + "\n"


_READING = """\
How to read a slice:
- The day of an entity decides the period, for numerator and denominator alike: who opens an e-mail
  a week later counts as opened in the week it was sent.
- channel, store, province and country are the entity's own where it has them (an order's, a
  conversation's), else the customer's. generation, age_band, gender and segment are the customer's
  as known today; segment holds the kinds lifecycle and rfm, one of each for a customer, and every
  flag, which overlap.
- traffic_source and campaign of an order or cart are those of its web session (a cart's campaign is
  its reminder's); of a sign-up, those of the customer's first touch: a visit, any other touch of
  the customer's, or a lead.
- contact says whether the entity's customer is known; channel_purpose is `<channel>:<purpose>`.
- A slice of the repurchase KPIs chooses customers by an order of that slice in the period; their
  order days are those on all channels.
- Every slice has its row `unknown` in every period; `all` is the whole. The unknown channel or
  purpose of reachable_share is empty: its denominator is all customers for every known value.
- Contacts are what the business begins: an answer to a customer is none. A sales call is an
  outbound call of purpose `sales`, or of no purpose and content class `promotion`.
- A refusal counts as a block where it takes back what had been granted.
- Sign-ups and what else lies before the first touch ever observed are in no period.
- The Value KPIs are sums over customers as they stand, published for the periods in progress.
- Rates and shares lie in 0..1, those of targets.csv too: 45 % is 0.45.\
""".splitlines()


def _entities(model: Mapping[str, Any]) -> Entities:
    meta = _meta(model)
    kpis = tuple(_kpi(kpi, meta) for kpi in meta["kpi"])
    return Entities(model["name"], str(model["description"]).strip(), kpis)


def _kpi(kpi: Mapping[str, Any], meta: Mapping[str, Any]) -> Kpi:
    slices = tuple(name for name in meta["slices"] if name not in kpi.get("not_by", ()))
    adding = tuple(name for name in slices if name not in OVERLAPPING)
    days = kpi.get("window_days")
    window = {None: "-", 0: "the period is over"}.get(
        days, f"{str(days).replace('_', ' ')}{' days' if isinstance(days, int) else ''} after it"
    )
    formula = str(kpi.get("formula", "as over all, within the category"))
    additive = adding if kpi.get("is_additive") else ()
    bounds = (kpi["bounds"][0], kpi["bounds"][1]) if "bounds" in kpi else None
    return Kpi(kpi["name"], formula, slices, additive, window, bounds, "is_money" in kpi)


def _meta(model: Mapping[str, Any]) -> Mapping[str, Any]:
    meta: Mapping[str, Any] = (model.get("config") or {}).get("meta") or {}
    return meta


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
