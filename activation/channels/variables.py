"""What an operator sets for a channel: keys and addresses, read late, and which may be called."""

import os
from urllib.parse import urlsplit

from khach.environment import Environment
from khach.errors import ConfigError

_LOOPBACK = ("127.0.0.1", "localhost", "::1")


def require_variable(name: str, needed_by: str) -> str:
    """The value of an environment variable; ConfigError when it is absent or empty."""
    if value := os.environ.get(name):
        return value
    raise ConfigError(
        f"the environment variable {name} is not set; {needed_by} needs it",
        key=name,
        fix=f"export {name}=..., or start the sandbox (`khach sandbox start`), which sets it",
    )


def platform_address(env: Environment, variable: str, real: str) -> str:
    """The address that `variable` holds; in prod the platform's own one when it is not set.

    Raises ConfigError when the environment must not call it.
    """
    url = os.environ.get(variable) or (real if env.name == "prod" else None)
    url = url or require_variable(variable, "a channel outside prod")
    require_allowed_address(env, url, variable)
    return url


def require_allowed_address(env: Environment, url: str, variable: str) -> None:
    """Refuse an address that this environment must not call (DESIGN decision 16).

    Outside prod only loopback servers are ever called; prod never sends over plain http.
    """
    parts = urlsplit(url)
    if parts.hostname in _LOOPBACK:
        return
    if env.name != "prod":
        raise ConfigError(
            f"{variable} is no loopback address, and KHACH_ENV={env.name} calls the sandbox only",
            key=variable,
            fix="use the sandbox's address, or set KHACH_ENV=prod to reach real platforms",
        )
    if parts.scheme not in ("https", "sftp"):
        raise ConfigError(f"{variable} must begin with https://", key=variable)
