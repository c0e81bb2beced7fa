"""dbt without the messages that nobody hears: what somebody may hear is as it was."""

import io
import subprocess
import sys
from collections.abc import Iterator

import pytest
from dbt.events.types import MainReportVersion
from dbt_common.events.base_types import EventLevel
from dbt_common.events.event_manager import EventManager
from dbt_common.events.logger import LineFormat, LoggerConfig
from dbt_common.events.types import Note
from dbt_common.exceptions.events import EventCompilationError
from dbt_common.helper_types import WarnErrorOptions

from orchestration.dbt import ended_with_us
from orchestration.dbt_child import say_only_what_is_heard

built: list[object] = []


@pytest.fixture
def manager(monkeypatch: pytest.MonkeyPatch) -> Iterator[EventManager]:
    """dbt's manager of messages, changed for this test only; counts the messages it builds."""
    from dbt_common.events import event_manager

    build = event_manager.msg_from_base_event
    monkeypatch.setattr(
        event_manager, "msg_from_base_event", lambda *a, **k: built.append(a) or build(*a, **k)
    )
    monkeypatch.setattr(EventManager, "fire_event", EventManager.fire_event)
    say_only_what_is_heard()
    built.clear()
    yield EventManager()


def _listen(manager: EventManager, level: EventLevel) -> io.StringIO:
    heard = io.StringIO()
    manager.add_logger(
        LoggerConfig(
            name=f"test_{level}", level=level, line_format=LineFormat.Json, output_stream=heard
        )
    )
    return heard


def test_a_debug_message_is_not_even_built_where_no_log_takes_it(manager: EventManager) -> None:
    heard = _listen(manager, EventLevel.INFO)
    manager.fire_event(Note(msg="quiet"), level=EventLevel.DEBUG)
    assert not built
    manager.fire_event(MainReportVersion(version="1", log_version=3))
    manager.fire_event(Note(msg="loud"), level=EventLevel.WARN)
    assert "quiet" not in heard.getvalue()
    assert heard.getvalue().count("\n") == 2


def test_a_log_that_takes_debug_messages_gets_them(manager: EventManager) -> None:
    heard = _listen(manager, EventLevel.DEBUG)
    manager.fire_event(Note(msg="quiet"), level=EventLevel.DEBUG)
    assert "quiet" in heard.getvalue()


def test_a_callback_and_what_may_become_an_error_are_not_passed_over(
    manager: EventManager,
) -> None:
    manager.add_callback(built.append)
    manager.fire_event(Note(msg="quiet"), level=EventLevel.DEBUG)
    assert len(built) == 2
    strict = EventManager()
    strict.warn_error, strict.warn_error_options = True, WarnErrorOptions(include="all")
    with pytest.raises(EventCompilationError):
        strict.fire_event(Note(msg="bad"), EventLevel.DEBUG, None, True)


@pytest.mark.parametrize("reason", [KeyError("an event nobody knows"), GeneratorExit()])
def test_a_dbt_whose_events_are_read_no_more_holds_no_file(reason: BaseException) -> None:
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]) as dbt:
        with pytest.raises(type(reason)), ended_with_us(dbt):
            raise reason
        assert dbt.poll() is not None


def test_a_dbt_that_is_read_to_its_end_tells_its_own_code() -> None:
    with subprocess.Popen([sys.executable, "-c", "raise SystemExit(3)"]) as dbt:
        with ended_with_us(dbt):
            pass
        assert dbt.wait() == 3
