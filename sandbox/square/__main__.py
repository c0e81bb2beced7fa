"""`python -m sandbox.square ROOT PORT`: serve until ended; the token comes by environment."""

import os
import sys
from pathlib import Path

import uvicorn

from sandbox.square.app import create_app
from sandbox.square.process import KEY_VARIABLE


def main() -> None:
    """Serve on the loopback; no access log. The Date header is the simulated clock's."""
    root, port = Path(sys.argv[1]), int(sys.argv[2])
    uvicorn.run(
        create_app(root, os.environ[KEY_VARIABLE]),
        host="127.0.0.1",
        port=port,
        access_log=False,
        log_level="warning",
        date_header=False,
    )


if __name__ == "__main__":
    main()
