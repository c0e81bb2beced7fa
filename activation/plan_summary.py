"""A stored plan as a person reads it: counts, reasons in words, what holds and what releases it."""

from dataclasses import asdict, dataclass, field
from decimal import Decimal
from typing import Any

from activation.desired import REASON_WORDS, REASONS
from activation.guards import Tripped
from activation.ledger import PlanRecord


@dataclass(frozen=True)
class PlanSummary:
    """A stored plan as a person reads it."""

    plan_id: str
    sync_id: str
    audience: str
    channel: str
    snapshot_id: str
    status: str
    blocked_by: str | None
    add_count: int
    update_count: int
    remove_count: int
    unchanged_count: int
    excluded_count: int
    reasons: dict[str, int]
    tripped: tuple[Tripped, ...]
    kind: str = "membership"
    estimated_cost_amount: Decimal | None = None
    examples: dict[str, list[str]] = field(default_factory=dict)

    @property
    def is_blocked(self) -> bool:
        """Whether a person must release it by naming its guards."""
        return self.status == "blocked"

    @property
    def change_count(self) -> int:
        """Rows that apply would send."""
        return self.add_count + self.update_count + self.remove_count

    def as_dict(self) -> dict[str, Any]:
        """For `--json`."""
        return asdict(self)

    def text(self) -> str:
        """A few lines for people."""
        counts = (
            f"send {self.add_count:,} messages, {self.unchanged_count:,} have had theirs or wait"
            if self.kind == "message"
            else f"add {self.add_count:,}, update {self.update_count:,}, "
            f"remove {self.remove_count:,}, unchanged {self.unchanged_count:,}"
        )
        lines = [
            f"{self.plan_id} {self.status}: {self.sync_id} to {self.channel}",
            f"  {counts}; left out {self.excluded_count:,}",
        ]
        if self.estimated_cost_amount is not None:
            lines.append(f"  estimated cost {self.estimated_cost_amount:,.0f}")
        lines += [f"  {act}: {', '.join(ids)}, ..." for act, ids in self.examples.items() if ids]
        lines += [
            f"    {count:,} {reason}: {REASON_WORDS[reason][0]} ({REASON_WORDS[reason][1]})"
            for reason, count in self.reasons.items()
        ]
        lines += [f"  held by {guard.text()}" for guard in self.tripped]
        if self.tripped:
            names = " ".join(f"--accept {guard.guard}" for guard in self.tripped)
            lines.append(f"  to release it: khach apply {self.plan_id} {names}")
        return "\n".join(lines)


def summarise(record: PlanRecord) -> PlanSummary:
    """A stored plan for people."""
    told = record.figures["reasons"]
    return PlanSummary(
        plan_id=record.plan_id,
        sync_id=record.sync_id,
        audience=record.audience,
        channel=record.channel,
        snapshot_id=record.snapshot_id,
        status=record.status,
        blocked_by=",".join(record.blocked_by) or None,
        add_count=record.add_count,
        update_count=record.update_count,
        remove_count=record.remove_count,
        unchanged_count=record.unchanged_count,
        excluded_count=record.excluded_count,
        reasons={one: told[one] for one in REASONS if one in told},
        tripped=tuple(Tripped(**guard) for guard in record.figures["tripped"]),
        kind=record.figures.get("kind", "membership"),
        estimated_cost_amount=record.estimated_cost_amount,
        examples=record.figures.get("examples", {}),
    )
