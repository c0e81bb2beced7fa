"""identity.yml says whom to believe; a mistake is named with file, line, key and a remedy."""

import pytest

from khach.cli.main import execute
from khach.configuration import write_dbt_vars
from khach.environment import Environment
from khach.errors import ConfigError
from khach.identity_decisions import _matched
from khach.identity_settings import ATTRIBUTES, load_identity_settings, trusted_sources

CONFIGURED = ["web_events", "web_shop", "tills", "crm", "email", "texts"]


@pytest.fixture
def sandbox(env: Environment) -> Environment:
    assert execute(["init", "--sandbox", "--force"]) == 0
    return env


def write(env: Environment, text: str) -> None:
    (env.config / "identity.yml").write_text(text, encoding="utf-8")


def test_without_the_file_sources_are_believed_in_their_order(sandbox: Environment) -> None:
    (sandbox.config / "identity.yml").unlink()
    assert trusted_sources(sandbox) == dict.fromkeys(ATTRIBUTES, CONFIGURED)


def test_what_is_named_comes_first_and_every_source_stays(sandbox: Environment) -> None:
    write(sandbox, "survivorship:\n  order: [email]\n  attributes: {gender: [tills, email]}\n")
    found = write_dbt_vars(sandbox)["trusted_sources"]
    assert found["gender"] == ["tills", "email", "web_events", "web_shop", "crm", "texts"]
    assert found["email"] == ["email", "web_events", "web_shop", "tills", "crm", "texts"]


@pytest.mark.parametrize(
    ("text", "line", "key", "hint"),
    [
        ("survivorship:\n  ordr: [tills]\n", 2, "survivorship.ordr", "order"),
        ("survivorship:\n  order: [tills, web_shp]\n", 2, "survivorship.order.1", "web_shop"),
        ("survivorship:\n  order: [tills, tills]\n", 2, "survivorship.order.1", "twice"),
        ("survivorship:\n  order: tills\n", 2, "survivorship.order", ""),
        ("survivorship:\n  attributes:\n    emial: [tills]\n", 3, "survivorship.attributes.emial",
         "email"),
    ],
)  # fmt: skip
def test_a_mistake_is_named_with_its_line_and_a_remedy(
    sandbox: Environment, text: str, line: int, key: str, hint: str
) -> None:
    write(sandbox, text)
    with pytest.raises(ConfigError) as refused:
        load_identity_settings(sandbox)
    problem = refused.value
    assert (problem.file, problem.line) == (str(sandbox.config / "identity.yml"), line)
    assert (problem.key or "").startswith(key)
    assert hint in f"{problem.message} {problem.fix}"
    assert execute(["config", "check"]) == 2


@pytest.mark.parametrize(
    ("rules", "matched"),
    [("true", "lannguyen@gmail.com"), ("false", "lan.nguyen+x@googlemail.com")],
)
def test_a_value_is_blocked_as_it_is_matched(
    sandbox: Environment, rules: str, matched: str
) -> None:
    write(sandbox, f"gmail_rules: {rules}\n")
    assert _matched(sandbox, "email", " Lan.Nguyen+x@GoogleMail.com ") == matched
    assert _matched(sandbox, "email", "lan.nguyen@example.vn") == "lan.nguyen@example.vn"
