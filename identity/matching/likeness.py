"""How alike two words are, as SQL over both sides of a pair (`_l`, `_r`).

Millions of pairs are asked, so all that is dear stands behind something cheap that answers most.
"""


def in_turn(*conditions: str) -> str:
    """All of them, the cheap ones first: of an `and` the engine answers every part."""
    *cheap, last = conditions
    return f"(case {' '.join(f'when not ({c}) then false' for c in cheap)} else {last} end)"


def either(one: str, other: str) -> str:
    """The second is looked at only where the first does not hold."""
    return f"(case when {one} then true else {other} end)"


# So similar are words at least that count as one with so many typing errors.
LEAST = {1: 0.85, 2: 0.75}


def edits(column: str, most: int, core: str = "{column}_{side}") -> str:
    """At most so many typing errors; what is cheap to see spares most pairs the dear distance.

    A typing error changes the length by one at most and is two edits at most (letters swapped).
    `core` is what may differ: an end that both have in common changes no distance.
    """
    left, right = f"{column}_l", f"{column}_r"
    one, other = (core.format(column=column, side=side) for side in "lr")
    one_length = f"strlen({left}) = nullif(strlen({right}), 0)"
    replaced = f"(case when {one_length} then hamming({left}, {right}) end)"
    return in_turn(
        f"abs(strlen({left}) - strlen({right})) <= {most}",
        # One error that keeps the length changes a letter or swaps two.
        *([f"{replaced} <= 2"] if most == 1 else []),
        f"jaro_similarity({left}, {right}) >= {LEAST[most]}",
        either(
            f"{replaced} <= {most}",
            in_turn(
                f"levenshtein({one}, {other}) <= {2 * most}",
                f"damerau_levenshtein({one}, {other}) <= {most}",
            ),
        ),
    )


def similar(column: str, similarity: float) -> str:
    """So similar, where a common beginning counts more (Winkler)."""
    return f"jaro_winkler_similarity({column}_l, {column}_r) >= {similarity}"


def close(column: str, similarity: float, most: int) -> str:
    """So similar, or so few typing errors."""
    # The beginning adds at most 0.4 of what similarity lacks; a little less, for the rounding.
    least = min(LEAST[most], 1 - (1 - similarity) / 0.6 - 0.001)
    return in_turn(
        f"jaro_similarity({column}_l, {column}_r) >= {least}",
        either(similar(column, similarity), edits(column, most)),
    )


def part(column: str) -> str:
    """One is the beginning or a word of the other: an initial, a short form, a middle name."""
    left, right = f"{column}_l", f"{column}_r"
    return (
        f"(case when strlen({left}) > strlen({right})"
        f" then starts_with({left}, {right}) or ends_with({left}, ' ' || {right})"
        f" else starts_with({right}, {left}) or ends_with({right}, ' ' || {left}) end)"
    )
