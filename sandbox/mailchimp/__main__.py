"""`python -m sandbox.mailchimp ROOT PORT`: serve until ended; the key comes by environment."""

import os
import sys
from pathlib import Path

import uvicorn

from sandbox.mailchimp.app import create_app
from sandbox.mailchimp.process import KEY_VARIABLE


def main() -> None:
    """Serve on the loopback; no access log, because a path may carry an address."""
    root, port = Path(sys.argv[1]), int(sys.argv[2])
    app = create_app(root, os.environ[KEY_VARIABLE])
    uvicorn.run(app, host="127.0.0.1", port=port, access_log=False, log_level="warning")


if __name__ == "__main__":
    main()
