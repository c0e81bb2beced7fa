"""`python -m sandbox.woocommerce ROOT PORT`: serve until ended; the keys come by environment."""

import os
import sys
from pathlib import Path

import uvicorn

from sandbox.woocommerce.app import create_app
from sandbox.woocommerce.process import KEY_VARIABLE


def main() -> None:
    """Serve on the loopback; no access log. The Date header is the simulated clock's."""
    root, port = Path(sys.argv[1]), int(sys.argv[2])
    key, _, secret = os.environ[KEY_VARIABLE].partition(":")
    app = create_app(root, key, secret)
    uvicorn.run(
        app,
        host="127.0.0.1",
        port=port,
        access_log=False,
        log_level="warning",
        date_header=False,
    )


if __name__ == "__main__":
    main()
