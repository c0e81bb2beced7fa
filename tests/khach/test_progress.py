"""What a person at a terminal sees of long work, and that nobody else sees anything."""

import io

import pytest
from rich.console import Console
from rich.progress import Progress

from khach import progress
from khach.progress import Bars, Silent, bytes_read, duration, reporter


@pytest.fixture
def clock() -> list[float]:
    """The time that the bars read; tests set its only entry."""
    return [100.0]


@pytest.fixture
def shown(clock: list[float]) -> tuple[Progress, io.StringIO]:
    """A progress on a terminal that is a text buffer."""
    text = io.StringIO()
    terminal = Console(file=text, force_terminal=True, width=120, color_system=None)
    columns = progress.columns()
    return Progress(*columns, console=terminal, auto_refresh=False, get_time=lambda: clock[0]), text


def lines(bars: Progress, text: io.StringIO) -> list[str]:
    """The lines as they stand on the terminal now."""
    text.seek(0)
    text.truncate()
    bars.console.print(bars.get_renderable())
    return [line.rstrip() for line in text.getvalue().splitlines()]


def test_rows_rate_and_time_left_while_it_goes_and_rows_and_time_when_it_is_done(
    shown: tuple[Progress, io.StringIO], clock: list[float]
) -> None:
    bars = Bars(shown[0])
    bars.step("tills: receipts", 400_000, unit="rows")
    clock[0] += 10
    bars.advance(100_000)
    (line,) = lines(*shown)
    assert "tills: receipts" in line
    assert "100,000 of 400,000 rows" in line
    assert line.endswith("10,000 rows/s, 10 s, about 30 s left")
    clock[0] += 30
    bars.advance(400_000)  # more than was expected: never done before the next step
    (line,) = lines(*shown)
    assert "✓" not in line
    bars.note("3 refused")
    bars.step("tills: into the lake")
    line, current = lines(*shown)
    assert line.startswith("✓ tills: receipts")
    assert "400,000 rows, 3 refused" in line
    assert line.endswith("10,000 rows/s, 40 s")
    assert "✓" not in current


def test_bytes_grow_and_what_is_over_at_once_leaves_no_line(
    shown: tuple[Progress, io.StringIO], clock: list[float]
) -> None:
    bars = Bars(shown[0])
    bars.step("ingest email")
    bars.step("email: members", unit="rows")
    clock[0] += 4
    bars.expect(1_000)
    bars.expect(1_000)
    bars.advance(500)
    bars.step("web: events [2026]", 3_000_000, unit="bytes")
    bars.advance(1_500_000)
    members, events = lines(*shown)
    assert "2,000 rows" in members
    assert "web: events [2026]" in events  # no markup in names
    assert "1.5 MB of 3.0 MB" in events
    bars.finish()
    assert len(lines(*shown)) == 2


def test_nothing_is_shown_where_nobody_looks(capfd: pytest.CaptureFixture[str]) -> None:
    with reporter() as found, bytes_read(found, 10):
        found.step("x", 10, unit="bytes")
        found.advance(10)
    assert isinstance(found, Silent)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("seconds", "said"), [(0.4, "0 s"), (59.4, "59 s"), (59.6, "1 min 0 s"), (7500, "2 h 5 min")]
)
def test_durations_are_words(seconds: float, said: str) -> None:
    assert duration(seconds) == said
