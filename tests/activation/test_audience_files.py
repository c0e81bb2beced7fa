"""Everything that can be wrong in an audience file is named with file, line, key and a way out."""

import shutil

import pytest
from activation_shop import AUDIENCE, Shop

from activation.audiences import check_audiences, load_audiences
from activation.policy import load_policy
from khach.errors import ConfigError


def mistake(shop: Shop, old: str, new: str) -> ConfigError:
    """The error after one change of the audience file."""
    assert old in AUDIENCE
    shop.audience(AUDIENCE.replace(old, new))
    with pytest.raises(ConfigError) as caught:
        check_audiences(shop.env)
    assert caught.value.exit_code == 2
    assert str(caught.value.file).endswith("cart_abandoners.yml")
    return caught.value


def test_every_file_every_sync_and_every_example_is_told_of_at_once(shop: Shop) -> None:
    shop.audience(
        AUDIENCE.replace("channel: mailchimp", "channel: mailchmp")
        .replace("format: csv", "format: docx")
        .replace("carts_abandoned_3d > 0 and", "cart_abandoned_3d > 0 and")
    )
    other = shop.env.config / "audiences" / "other.yml"
    other.write_text(AUDIENCE.replace("min_age: 16", "minage: 16"), encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        check_audiences(shop.env)
    told = [(str(one.file).split("/")[-1], one.key) for one in caught.value.each()]
    assert told == [
        ("cart_abandoners.yml", "syncs.0.channel"),
        ("cart_abandoners.yml", "syncs.1.remote.format"),
        ("cart_abandoners.yml", "where"),
        ("other.yml", "minage"),
    ]
    other.unlink()
    shop.audience(AUDIENCE.replace("in: true", "in: no").replace("in: false", "in: yes"))
    with pytest.raises(ConfigError) as caught:
        check_audiences(shop.env)
    assert len(caught.value.each()) == AUDIENCE.count("in: ")


@pytest.mark.parametrize(
    ("old", "new", "message", "fix", "line"),
    [
        ("carts_abandoned_3d > 0 and", "cart_abandoned_3d > 0 and", "unknown column",
         "carts_abandoned_3d", 4),
        ("min_age: 16", "minage: 16", "unknown key 'minage'", "min_age", 6),
        ("where: carts_abandoned_3d > 0 and orders_since_cart = 0", "where: carts_abandoned_3d",
         "not true or false", "", 4),
        ("where: carts_abandoned_3d > 0 and", "where: order_count > 'x' and", "convert", "", 4),
        ("where: carts_abandoned_3d > 0 and", "where: last_order_at > '2026-13-01' and",
         "out of range", "", 4),
        ("where: carts_abandoned_3d > 0 and", "where: (select 1) = 1 and", "not allowed",
         "aud_<name>", 4),
        ("where: carts_abandoned_3d > 0 and", "where: customer_id in (select 'a') and",
         "not allowed", "aud_<name>", 4),
        ("where: carts_abandoned_3d > 0 and", "where: last_order_at < now() and",
         "unknown function", "as_of", 4),
        ("where: carts_abandoned_3d > 0 and", "where: last_order_at < current_timestamp and",
         "not allowed", "as_of", 4),
        ("where: carts_abandoned_3d > 0 and", "where: read_text('/etc/passwd') = '' and",
         "unknown function", "in_segment", 4),
        ("where: carts_abandoned_3d > 0 and", "where: customers.email = 'a' and",
         "without a table", "", 4),
        ("orders_since_cart = 0\n", "orders_since_cart = 0; drop table x\n", "ONE boolean",
         "", 4),
        ("where: carts_abandoned_3d > 0 and", "where: carts_abandoned_3d > and", "expression", "",
         4),
        ("where: carts_abandoned_3d > 0 and", "where: last_order_at > 5 and", "compare", "", 4),
        ("kind: membership\n    channel: mailchimp", "kind: message\n    channel: mailchimp",
         "a message says on_enter", "", 10),
        ("channel: mailchimp", "channel: mailchmp", "unknown channel", "mailchimp", 12),
        ("    consent_channel: email\n", "", "say consent_channel", "email", 17),
        ("list: MAILCHIMP_LIST_ID", "list: abc123def", "NAME of an environment variable", "", 13),
        ("format: csv", "format: docx", "format must be csv", "csv", 21),
        ("GREETING: salutation_name", "GREETING: salutation", "unknown column", "salutation", 15),
        ("GREETING: salutation_name", "greeting: salutation_name", "no field name", "match", 15),
        ("holdout: 0\n", "holdout: 10\n", "less than 1", "", 8),
        ("min_age: 16", "offer: {prefix: gio, valid_days: 3}", "should match", "", 6),
        ("GREETING: salutation_name", "GREETING: 'Hi {salutation}'", "unknown column",
         "salutation", 15),
        ("GREETING: salutation_name", "GREETING: '{offer_code}'", "needs an offer", "offer", 15),
        ("GREETING: salutation_name", "GREETING: '{given_name}'", "no fallback", "policy.yml", 15),
        ("orders_since_cart: 1, in: false", "orders_since_cart: 1, in: true",
         "example 2 does not hold", "", 26),
        ("orders_since_cart: 1, in: false", "orders: 1, in: false", "unknown column", "order", 26),
        ("purpose: marketing", "purpose: marketing\nexclude: [cart_abandoner]",
         "no audience 'cart_abandoner'", "", 6),
    ],
)  # fmt: skip
def test_a_mistake_is_named(  # noqa: PLR0917 - columns of the table above
    bare_shop: Shop, old: str, new: str, message: str, fix: str, line: int
) -> None:
    error = mistake(bare_shop, old, new)
    assert message in error.message
    assert fix in (error.fix or "")
    assert error.line == line


def test_a_rule_may_use_dates_segments_and_lists(bare_shop: Shop) -> None:
    bare_shop.audience(
        AUDIENCE[: AUDIENCE.index("examples:")],
        where="last_order_at < as_of - interval 90 day and not in_segment('vip') "
        "and province in ('Hà Nội', 'Huế') and extract(month from birth_date) = 6 "
        "and date_diff('day', last_cart_at, as_of) between 1 and 3 and email is not null",
        examples=[
            {
                "last_order_at": "2026-01-01",
                "province": "Huế",
                "birth_date": "1999-06-02",
                "last_cart_at": "2026-06-26",
                "email": "x",
                "as_of": "2026-06-28",
                "in": True,
            }
        ],
    )
    with pytest.raises(ConfigError, match="as_of is a date"):
        check_audiences(bare_shop.env)
    text = (bare_shop.env.config / "audiences" / "cart_abandoners.yml").read_text()
    dated = text.replace("as_of: '2026-06-28'", "as_of: 2026-06-28")
    (bare_shop.env.config / "audiences" / "cart_abandoners.yml").write_text(dated)
    assert check_audiences(bare_shop.env)[0].example_count == 1


def test_sync_ids_are_unique_over_all_files(bare_shop: Shop) -> None:
    bare_shop.audience(name="other")
    with pytest.raises(ConfigError, match="sync id 'cart_email' stands twice"):
        load_audiences(bare_shop.env)


def test_without_audiences_there_is_nothing_to_check(bare_shop: Shop) -> None:
    shutil.rmtree(bare_shop.env.config / "audiences")
    assert check_audiences(bare_shop.env) == []


def test_two_syncs_do_not_share_a_list(bare_shop: Shop) -> None:
    other = AUDIENCE.replace("id: cart_", "id: other_").replace("name: cart_", "name: other_")
    bare_shop.audience(other)
    with pytest.raises(ConfigError, match="'other_email' goes to the list of sync 'cart_email'"):
        load_audiences(bare_shop.env)
    bare_shop.audience(other.replace("tag: cart-abandoner", "tag: other"))
    assert len(load_audiences(bare_shop.env)) == 2  # files in one folder have the syncs' names


def test_a_webhook_is_told_the_sync_and_may_have_several(bare_shop: Shop) -> None:
    hooks = [
        {"id": name, "kind": "membership", "channel": "webhook", "consent_channel": "email",
         "remote": {"url": "HOOK_URL", "secret": "HOOK_SECRET"}}
        for name in ("one", "two")
    ]  # fmt: skip
    bare_shop.audience(syncs=hooks)
    assert load_audiences(bare_shop.env).find_sync("two")


def test_a_missing_suppression_list_stops_everything(bare_shop: Shop) -> None:
    policy = bare_shop.env.config / "policy.yml"
    policy.write_text("suppression_list: none.csv\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="does not exist"):
        load_policy(bare_shop.env)
    listed = bare_shop.env.config / "none.csv"
    listed.write_text("channel,identifier\nsms,0912 345 678\nsms,84-(0)912345678\n")
    assert load_policy(bare_shop.env).suppressions.num_rows == 1
    listed.write_text("channel,identifier\nsms,call me\n")
    with pytest.raises(ConfigError, match="neither an e-mail") as caught:
        load_policy(bare_shop.env)
    assert caught.value.line == 2 and "call" not in str(caught.value)
