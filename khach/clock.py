"""The present: the machine's clock, or the simulated retailer's in the sandbox environment."""

import json
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from khach.environment import Environment


def now(env: Environment) -> datetime:
    """The current instant, aware, in UTC."""
    clock = env.sandbox / "clock.json"
    if env.is_sandbox and clock.exists():
        text = json.loads(clock.read_text(encoding="utf-8"))["now"]
        return datetime.fromisoformat(text.replace("Z", "+00:00")).astimezone(UTC)
    return datetime.now(UTC)


def end_of_day(day: date, time_zone: str) -> datetime:
    """The instant at which a business day is over (the next local midnight), in UTC."""
    midnight = datetime.combine(day + timedelta(days=1), time(), tzinfo=ZoneInfo(time_zone))
    return midnight.astimezone(UTC)
