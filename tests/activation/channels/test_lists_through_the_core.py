"""Plan and apply against the list platforms: who is there afterwards, and who has left."""

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field

import duckdb
import pytest
import yaml
from activation_shop import AUDIENCE, Shop, people
from fake_platforms import Platforms
from list_rows import sha256

from activation.apply import apply_plan
from activation.channels import make_channel
from activation.matches import record_match
from activation.plan import make_plan
from activation.preview import preview
from activation.reconcile import reconcile
from activation.recovery import settle_sync
from khach.state import open_state
from sandbox.channels import lists, store

Setting = dict[str, str]


@dataclass(frozen=True)
class Case:
    """A sync, and how its platform names the person of an address."""

    channel: str
    remote: Setting
    vendor: str
    list_variable: str
    named: Callable[[str], str]
    fields: Setting = field(default_factory=dict)


CASES = [
    Case("meta_ads", {"audience": "META_AUDIENCE_ID"}, "meta", "META_AUDIENCE_ID",
         lambda address: f"EXTERN_ID:e:{sha256(address)}",
         {"PHONE": "phone_e164", "FN": "given_name", "DOBY": "birth_date"}),
    Case("google_ads",
         {"audience": "GOOGLE_ADS_AUDIENCE_ID", "account": "GOOGLE_ADS_ACCOUNT_ID"},
         "google", "GOOGLE_ADS_AUDIENCE_ID",
         lambda address: f"emailAddress:{sha256(address)}", {"phone": "phone_e164"}),
]  # fmt: skip


def write(shop: Shop, case: Case, consent: str | None = None) -> None:
    sync = {
        "id": "to_platform", "kind": "membership", "channel": case.channel, "remote": case.remote,
        "fields": case.fields, "cadence": "daily",
    }  # fmt: skip
    more = {"consent_channel": consent} if consent else {}
    data = yaml.safe_load(AUDIENCE)
    shop.audience(syncs=[sync | more], name=data["name"])


def publish(
    shop: Shop, addresses: list[str], *, withdrawn: tuple[str, ...] = (), crowd: int = 0
) -> None:
    """Customers of these addresses with a phone, and what they say of advertising.

    `crowd`: so many more, who permit it.
    """
    shop.publish([one for one in people(9) if one.email in {*addresses, *withdrawn}])
    with duckdb.connect(str(shop.env.current / "marts.duckdb")) as marts:
        marts.execute(
            "insert into customers by name select customers.* replace "
            "('x' || range as customer_id, 'x' || range || '@x.vn' as email) "
            "from range(?) cross join (from customers limit 1) as customers",
            [crowd],
        )
        marts.execute(
            "update customers set phone_e164 = '+84' || (900000000 + rowid), given_name = 'Ánh'"
        )
        marts.execute(
            "insert into consents by name select 'ads-' || customer_id as consent_id, customer_id, "
            "'ads' as channel, 'marketing' as purpose, email not in (select unnest($away)) as "
            "is_granted, timestamp '2026-01-01' as granted_at, if(email in (select unnest($away)), "
            "timestamp '2026-02-01', null) as withdrawn_at from customers",
            {"away": list(withdrawn)},
        )


def carry(shop: Shop) -> None:
    """A plan and its apply; what is answered later is asked for until it is known."""
    plan = make_plan(shop.env, "to_platform")
    apply_plan(shop.env, plan.plan_id, [one.guard for one in plan.tripped])
    for _ in range(2):
        settle_sync(shop.env, "to_platform")


def held(servers: Platforms, case: Case) -> set[str]:
    return set(lists.members(servers.root, case.vendor, servers.variables[case.list_variable]))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.channel)
def test_people_come_and_whoever_withdraws_is_gone(
    bare_shop: Shop, servers: Platforms, case: Case
) -> None:
    addresses = [f"person{n:04}@example.vn" for n in range(6)]
    write(bare_shop, case)
    publish(bare_shop, addresses)
    carry(bare_shop)
    assert held(servers, case) == {case.named(address) for address in addresses}
    publish(bare_shop, addresses[2:], withdrawn=tuple(addresses[:2]))
    carry(bare_shop)
    assert held(servers, case) == {case.named(address) for address in addresses[2:]}


@pytest.mark.parametrize(
    ("case", "told"), [(CASES[0], (30, 30)), (CASES[1], (29, 33))], ids=["meta_ads", "google_ads"]
)
def test_how_many_the_platform_found_stands_beside_what_was_sent_and_who_was_meant(
    bare_shop: Shop, servers: Platforms, case: Case, told: tuple[int, int]
) -> None:
    """30 of 36 are known to the platform; one more is meant and does not permit it."""
    addresses = [f"person{n:04}@example.vn" for n in range(7)]
    for address in addresses[:6]:
        store.set_fate(servers.root, case.vendor, case.named(address), "unmatched")
    write(bare_shop, case)
    publish(bare_shop, addresses[:6], withdrawn=(addresses[6],), crowd=30)
    carry(bare_shop)
    record_match(
        bare_shop.env,
        "to_platform",
        make_channel(bare_shop.env, case.channel, case.remote, "to_platform"),
    )
    with open_state(bare_shop.env) as state:
        found = state.execute(
            "select matched_at_least, matched_at_most, sent_count, audience_size from sync_matches"
        ).fetchall()
    assert found == [(*told, 36, 37)]
    shown = preview(bare_shop.env, yaml.safe_load(AUDIENCE)["name"]).matches["to_platform"]
    assert (shown.matched_at_least, shown.matched_at_most) == told
    assert "of 36 sent" in shown.text()
    assert "of 37 in the audience" in shown.text()


def test_contacts_come_into_the_list_and_leave_it(bare_shop: Shop, servers: Platforms) -> None:
    case = Case("hubspot", {"list": "HUBSPOT_LIST_ID"}, "hubspot", "HUBSPOT_LIST_ID", str,
                {"firstname": "given_name"})  # fmt: skip
    addresses = [f"person{n:04}@example.vn" for n in range(4)]
    write(bare_shop, case, consent="ads")
    publish(bare_shop, addresses)
    carry(bare_shop)
    assert len(held(servers, case)) == 4
    publish(bare_shop, addresses[1:], withdrawn=(addresses[0],))
    carry(bare_shop)
    assert len(held(servers, case)) == 3
    # The members' handles are the records' ids, so that the list itself can be compared.
    drift = reconcile(bare_shop.env, "to_platform")
    assert (drift.remote_count, drift.acknowledged_count) == (3, 3)
    assert (drift.missing_count, drift.stray_count) == (0, 0)


def test_a_whole_file_takes_the_place_of_the_last(bare_shop: Shop, servers: Platforms) -> None:
    remote = {"advertiser": "TIKTOK_ADVERTISER_ID", "audience": "TIKTOK_AUDIENCE"}
    case = Case("tiktok_ads", remote, "tiktok", "", str, {"phone": "phone_e164"})
    addresses = [f"person{n:04}@example.vn" for n in range(2)]
    write(bare_shop, case)
    publish(bare_shop, addresses, crowd=1000)
    carry(bare_shop)
    audience = _audience(servers)
    assert len(lists.members(servers.root, "tiktok", audience)) == 1002
    publish(bare_shop, addresses[1:], withdrawn=(addresses[0],), crowd=1000)
    carry(bare_shop)
    crowd = [f"x{n}@x.vn" for n in range(1000)]
    expected = {f"email_sha256:{sha256(address)}" for address in [addresses[1], *crowd]}
    assert set(lists.members(servers.root, "tiktok", audience)) == expected
    with open_state(bare_shop.env) as state:
        found = state.execute(
            "select matched_at_least, matched_at_most, sent_count, audience_size "
            "from sync_matches order by measured_at"
        ).fetchall()
    assert found == [(1002, 1002, 1002, 1002), (1001, 1001, 1001, 1002)]


def _audience(servers: Platforms) -> str:
    with closing(store.connect(servers.root)) as books:
        (audience,) = lists.documents(books, "tiktok", "audience")
    return audience
