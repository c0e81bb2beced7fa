"""`python -m sandbox.channels ROOT PORT`: serve until ended; the keys come by the environment."""

import json
import os
import sys
from pathlib import Path

import uvicorn

from sandbox.channels.app import OpenProtocol, create_app
from sandbox.channels.process import KEYS_VARIABLE


def main() -> None:
    """Serve on the loopback; no access log, since paths may name people."""
    root, port = Path(sys.argv[1]), int(sys.argv[2])
    uvicorn.run(
        create_app(root, json.loads(os.environ[KEYS_VARIABLE])),
        host="127.0.0.1",
        port=port,
        http=OpenProtocol,
        access_log=False,
        log_level="warning",
    )


if __name__ == "__main__":
    main()
