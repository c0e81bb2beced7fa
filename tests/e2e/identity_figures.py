"""What resolution must reach on the simulated retailer, against its ground truth."""

from tests.e2e.installation import Installation

# The least recall of each situation; pairs of records.
LEAST = {
    "pairs_that_share_evidence": 0.97,
    "anonymous_then_sign_up": 0.95,
    "two_emails": 0.95,
    "typo": 0.85,
}


def hold(retailer: Installation) -> None:
    """Precision, recall per situation, and nobody joined by a shared thing alone."""
    found = retailer.json("identity", "evaluate")
    assert found["precision"] >= 0.995, found
    for situation, least in LEAST.items():
        figures = found["situations"][situation]
        assert figures["pairs"] > 0, situation
        assert figures["recall"] >= least, (situation, figures)
    joined = found["situations"]["customers_of_several_people"]
    assert {name: count for name, count in joined.items() if name.startswith("only_")} == {
        "only_a_shared_device": 0, "only_a_shared_phone": 0, "only_a_shared_email": 0,
    }  # fmt: skip
