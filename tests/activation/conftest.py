"""One e-mail platform for all tests of this room, one list of its own for each shop."""

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from activation_shop import Shop, write_contract
from faulty_channels import VARIANTS
from one_life import empty_state, stand_in
from world import World, make_world

from activation.channels import CHANNELS
from khach.environment import Environment
from sandbox.mailchimp import process, store

KEY = "0123456789abcdef0123456789abcdef-us1"


@pytest.fixture(scope="session")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """The stateful e-mail platform of the sandbox: its folder and its address."""
    root = tmp_path_factory.mktemp("platform")
    running = process.start(root, KEY)
    yield root, running["url"]
    process.stop(root)


@pytest.fixture
def bare_shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shop:
    """An installation of environment sandbox, without any server."""
    shop = make_shop(tmp_path / "shop", tmp_path, "none", "http://127.0.0.1:9/3.0")
    for name, value in shop.variables.items():
        monkeypatch.setenv(name, value)
    return shop


@pytest.fixture
def shop(platform: tuple[Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shop:
    """An installation with a list at the e-mail platform, its variables set."""
    shop = make_shop(tmp_path / "shop", platform[0], new_list(platform[0]), platform[1])
    for name, value in shop.variables.items():
        monkeypatch.setenv(name, value)
    return shop


@pytest.fixture
def twin(platform: tuple[Path, str], tmp_path: Path) -> Shop:
    """A second installation with a list of its own; its variables are not set."""
    return make_shop(tmp_path / "twin", platform[0], new_list(platform[0]), platform[1])


@pytest.fixture
def worlds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., World]:
    """Makes worlds; the last one made is the one that activation sees."""
    write_contract(tmp_path)
    template = empty_state(tmp_path)
    made: list[World] = []
    for name, kind in VARIANTS.items():
        monkeypatch.setitem(CHANNELS, name, kind)
    stand_in(monkeypatch, lambda: made[-1].lives)

    def make(variant: str, **given: Any) -> World:
        folder = tmp_path / f"w{uuid.uuid4().hex}"
        made[:] = [make_world(folder, tmp_path, template, variant, **given)]
        return made[-1]

    return make


def make_shop(folder: Path, platform: Path, list_id: str, url: str) -> Shop:
    """Folders, configuration, contract and variables of one shop."""
    env = Environment("sandbox", folder / "home", folder / "config", folder, folder)
    env.home.mkdir(parents=True)
    env.config.mkdir()
    write_contract(folder)
    (env.config / "settings.yml").write_text("minimum_age: 16\n", encoding="utf-8")
    (env.config / "policy.yml").write_text("suppression_list: null\n", encoding="utf-8")
    variables = {
        "CART_DROP_FOLDER": str(folder / "drop"),
        "MAILCHIMP_LIST_ID": list_id,
        "MAILCHIMP_API_KEY": KEY,
        "MAILCHIMP_API_URL": url,
    }
    shop = Shop(env, platform, list_id, variables)
    shop.audience()
    return shop


def new_list(platform: Path) -> str:
    """An empty list at the platform."""
    list_id = uuid.uuid4().hex[:10]
    connection = store.connect(platform)
    store.add_list(connection, list_id, "Khách", store.wall_now())
    connection.close()
    return list_id
