"""Answers that come later: what a channel only took over is asked for until its end is known."""

from datetime import datetime, timedelta

from activation.audience_file import Sync
from activation.channels.base import BatchRejectedError, Channel, Outcome
from activation.outcomes import Answer, record_answers
from khach.environment import Environment
from khach.runs import utc_now
from khach.state import open_state

# File audiences take up to two days; what has no answer by then gets none.
PATIENCE = timedelta(hours=72)
_PAGE = 1000


def poll_submitted(env: Environment, sync: Sync, channel: Channel) -> None:
    """Ask for every open answer of a sync; after three days of silence a row is `unknown`.

    A channel that is not asked has taken its messages, and that is all there will be to know.
    """
    with open_state(env) as state:
        rows = state.execute(
            "select distinct handle, submitted_at from sync_submitted where sync_id = ? "
            "order by submitted_at, handle",
            [sync.id],
        ).fetchall()
    # A platform may give one handle (a list's own id) to what was submitted at several times.
    times: dict[str, list[datetime]] = {}
    for handle, submitted_at in rows:
        times.setdefault(str(handle), []).append(submitted_at)
    every = list(times)
    for start in range(0, len(every), _PAGE):
        handles = every[start : start + _PAGE]
        silent = [_silent(sync)] * len(handles)
        outcomes = _asked(channel, handles) if sync.capabilities.is_polled else silent
        answers = [
            Answer(handle, submitted_at, _or_given_up(outcome, utc_now() - submitted_at))
            for handle, outcome in zip(handles, outcomes, strict=True)
            for submitted_at in times[handle]
        ]
        with open_state(env) as state:
            record_answers(state, sync.id, answers)


def _asked(channel: Channel, handles: list[str]) -> list[Outcome]:
    """A question that the platform refuses has no answer: of one handle alone that is the end.

    Else a single handle that it does not understand would stop every plan of the sync.
    """
    try:
        return channel.poll(handles)
    except BatchRejectedError as problem:
        if len(handles) == 1:
            return [Outcome("unknown", problem.outcome.code, problem.outcome.message)]
    middle = len(handles) // 2
    return _asked(channel, handles[:middle]) + _asked(channel, handles[middle:])


def _silent(sync: Sync) -> Outcome:
    return Outcome("acknowledged") if sync.is_message else Outcome("submitted")


def _or_given_up(outcome: Outcome, age: timedelta) -> Outcome:
    if outcome.status in ("submitted", "unanswered"):
        return Outcome("unknown", "no_answer") if age > PATIENCE else Outcome("submitted")
    return outcome
