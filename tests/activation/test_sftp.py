"""The delivery over SFTP, against a real server on loopback."""

import json
from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import asyncssh
import pytest
from activation_shop import AUDIENCE, Shop, people
from sftp_server import Server, serve

from activation.apply import apply_plan
from activation.channels.sftp import Sftp
from activation.plan import make_plan
from khach.errors import BusyError, ConfigError, KhachError

REMOTE = "remote: {folder: CART_DROP_FOLDER, format: csv}"
OVER_SFTP = AUDIENCE.replace("channel: file_drop", "channel: sftp").replace(
    REMOTE, "remote: {host: SFTP_ADDRESS, folder: SFTP_FOLDER, format: csv}"
)


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    with serve(tmp_path / "server") as running:
        for name, value in running.variables.items():
            monkeypatch.setenv(name, value)
        monkeypatch.delenv("SFTP_KEY_FILE", raising=False)
        yield running


@pytest.fixture
def sftp_shop(bare_shop: Shop, server: Server) -> Shop:
    bare_shop.audience(OVER_SFTP)
    bare_shop.publish(people(3))
    return bare_shop


def run(shop: Shop) -> str:
    plan = make_plan(shop.env, "cart_file")
    apply_plan(shop.env, plan.plan_id)
    return plan.plan_id


def channel(shop: Shop, server: Server, **changes: str) -> Sftp:
    remote = {"host": server.variables["SFTP_ADDRESS"], "folder": "/in/lists", "format": "csv"}
    return Sftp(shop.env, remote | changes)


def test_the_list_goes_up_flushed_and_renamed_the_manifest_last(
    sftp_shop: Shop, server: Server
) -> None:
    plan_id = run(sftp_shop)
    folder = server.folder / "in" / "lists"
    assert sorted(path.name for path in folder.iterdir()) == [
        "cart_file.csv", "cart_file.manifest.json",
    ]  # fmt: skip
    data = (folder / "cart_file.csv").read_bytes()
    manifest = json.loads((folder / "cart_file.manifest.json").read_text())
    assert manifest == {
        "file": "cart_file.csv", "format": "csv", "rows": 3, "bytes": len(data),
        "sha256": sha256(data).hexdigest(), "plan_id": plan_id,
    }  # fmt: skip
    assert data.decode().splitlines()[1] == "c0000,person0000@example.vn,chị Lan"
    assert server.log == [
        "fsync", "rename cart_file.csv", "fsync", "rename cart_file.manifest.json",
    ]  # fmt: skip
    assert channel(sftp_shop, server).holds("cart_file", plan_id)
    assert not channel(sftp_shop, server).holds("cart_file", "another")
    assert not channel(sftp_shop, server).holds("other_sync", plan_id)
    assert not list((sftp_shop.env.home / "outbox").iterdir())


def test_a_key_file_logs_in_without_a_password(
    sftp_shop: Shop, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = tmp_path / "key"
    server.client_key.write_private_key(key)
    monkeypatch.delenv("SFTP_PASSWORD")
    with pytest.raises(ConfigError, match="neither SFTP_PASSWORD nor SFTP_KEY_FILE"):
        channel(sftp_shop, server)
    monkeypatch.setenv("SFTP_KEY_FILE", str(tmp_path / "absent"))
    with pytest.raises(ConfigError, match="no private key"):
        channel(sftp_shop, server)
    monkeypatch.setenv("SFTP_KEY_FILE", str(key))
    run(sftp_shop)
    assert (server.folder / "in/lists/cart_file.csv").is_file()


def test_another_host_key_is_refused_and_nothing_is_sent(
    sftp_shop: Shop, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode()
    monkeypatch.setenv("SFTP_HOST_KEY", other)
    with pytest.raises(ConfigError, match="not the one that SFTP_HOST_KEY pins"):
        run(sftp_shop)
    assert not (server.folder / "in").exists()
    monkeypatch.setenv("SFTP_HOST_KEY", "no key")
    with pytest.raises(ConfigError, match="SFTP_HOST_KEY is no public key"):
        channel(sftp_shop, server)
    monkeypatch.delenv("SFTP_HOST_KEY")
    with pytest.raises(ConfigError, match="SFTP_HOST_KEY is not set"):
        channel(sftp_shop, server)


def test_a_wrong_password_is_told_without_the_password(
    sftp_shop: Shop, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SFTP_PASSWORD", "swordfish")
    with pytest.raises(ConfigError, match="refuses SFTP_USER") as caught:
        run(sftp_shop)
    assert "swordfish" not in str(caught.value)


def test_outside_prod_only_loopback_is_called(sftp_shop: Shop, server: Server) -> None:
    with pytest.raises(ConfigError, match="no loopback address"):
        channel(sftp_shop, server, host="sftp.example.com")
    prod = replace(sftp_shop, env=replace(sftp_shop.env, name="prod"))
    assert channel(prod, server, host="sftp.example.com")


def test_a_connection_lost_in_the_middle_leaves_the_old_list_and_the_next_run_sends_it(
    sftp_shop: Shop, server: Server
) -> None:
    first = run(sftp_shop)
    before = (server.folder / "in/lists/cart_file.csv").read_bytes()
    sftp_shop.publish(people(4))
    server.writes_left = 0
    with pytest.raises(BusyError):
        run(sftp_shop)
    server.writes_left = None
    assert (server.folder / "in/lists/cart_file.csv").read_bytes() == before
    assert channel(sftp_shop, server).holds("cart_file", first)
    assert not list((sftp_shop.env.home / "outbox").iterdir())
    second = run(sftp_shop)
    assert channel(sftp_shop, server).holds("cart_file", second)
    assert (server.folder / "in/lists/cart_file.csv").read_bytes().count(b"@") == 4


def test_lost_before_the_manifest_the_delivery_is_not_held(sftp_shop: Shop, server: Server) -> None:
    server.writes_left = 1
    plan = make_plan(sftp_shop.env, "cart_file")
    with pytest.raises(BusyError):
        apply_plan(sftp_shop.env, plan.plan_id)
    server.writes_left = None
    assert (server.folder / "in/lists/cart_file.csv").is_file()
    assert not channel(sftp_shop, server).holds("cart_file", plan.plan_id)


def test_a_server_without_fsync_is_served_one_without_rename_refused(
    sftp_shop: Shop, server: Server
) -> None:
    server.can_fsync = server.can_replace = False
    with pytest.raises(ConfigError, match="cannot replace a file at once"):
        run(sftp_shop)
    assert not list((server.folder / "in/lists").iterdir())
    server.can_replace = True
    run(sftp_shop)
    assert "fsync" not in server.log and len(server.log) == 2


def test_a_refused_folder_and_a_dead_server(sftp_shop: Shop, server: Server) -> None:
    (server.folder / "in").write_text("a file stands in the way")
    with pytest.raises(KhachError, match="refuses the delivery"):
        run(sftp_shop)
    with pytest.raises(BusyError, match="cannot be reached"):
        channel(sftp_shop, server, host="127.0.0.1:9").holds("cart_file", "p")


def test_another_format_takes_the_place_of_the_old_file(
    sftp_shop: Shop, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(sftp_shop)
    sftp_shop.audience(OVER_SFTP.replace("format: csv", "format: parquet"))
    run(sftp_shop)
    assert sorted(path.name for path in (server.folder / "in" / "lists").iterdir()) == [
        "cart_file.manifest.json", "cart_file.parquet",
    ]  # fmt: skip
