"""Plan and apply every sync in a process that kills itself at the n-th executed line of activation.

`python activation_child.py HOME CONFIG PROJECT KILL_AT`; prints how many lines ran when it lived.
"""

import os
import signal
import sys
import threading
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import Any

import activation
from activation.apply import apply_plan
from activation.channels.mailchimp import Mailchimp
from activation.plan import make_plan
from activation.recovery import settle
from khach.environment import Environment

# Where something is sent or recorded; a kill while files are read would prove little.
KILLABLE = {
    str(path)
    for name in (
        "apply",
        "plan",
        "delivery",
        "sending",
        "intents",
        "outcomes",
        "ledger",
        "leases",
        "recovery",
        "suppression",
        "channels/*",
    )
    for path in Path(activation.__file__).parent.glob(f"{name}.py")
}


def main() -> None:
    home, config, project, kill_at = sys.argv[1:]
    env = Environment("sandbox", Path(home), Path(config), Path(home), Path(project))
    Mailchimp.capabilities = replace(Mailchimp.capabilities, batch_size=4)
    lines = 0

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal lines
        if frame.f_code.co_filename not in KILLABLE:
            return None
        lines += event == "line"
        if lines == int(kill_at):
            os.kill(os.getpid(), signal.SIGKILL)
        return trace

    threading.settrace(trace)
    sys.settrace(trace)
    settle(env)
    for sync in ("cart_email", "cart_file"):
        apply_plan(env, make_plan(env, sync).plan_id)
    sys.settrace(None)
    sys.stdout.write(str(lines))


if __name__ == "__main__":
    main()
