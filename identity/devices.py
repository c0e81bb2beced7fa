"""Whose a device is. A device belongs to one person or to nobody, and never joins two persons.

A row of a device is one interval of it, where intervals are cut before; whoever is beside it is its
person. Beside several, the strongest evidence says whose it is, and where that is equal, nobody's.
A device that no person ever showed goes with the devices it was seen with.
"""

import numpy as np
import numpy.typing as npt

from identity.components import Indices, numbered_components
from identity.graph import Flags

NOBODY, CONTESTED = -1, -2


def owners(
    labels: Indices,
    is_device: Flags,
    left: Indices,
    right: Indices,
    strength: npt.NDArray[np.float64],
) -> Indices:
    """The label of each node's person: persons have theirs in `labels`, devices get one here.

    `left`, `right` and `strength` are the edges that count. A device has -1 where no person is near
    and -2 where persons contest it: an edge whose ends differ must not be.
    """
    owner = np.where(is_device, NOBODY, labels)
    one, other, weight = _both_ways(left, right, strength)
    direct = is_device[one] & ~is_device[other]
    _take(owner, one[direct], owner[other[direct]], weight[direct])

    # What is left has only devices beside it; those that hang together go together.
    rest = is_device & (owner == NOBODY)
    among = rest[left] & rest[right]
    places = np.flatnonzero(rest)
    ends = (np.searchsorted(places, side[among]) for side in (left, right))
    count, group = numbered_components(len(places), *ends)
    reach = rest[one] & is_device[other] & (owner[other] >= 0)
    takers = group[np.searchsorted(places, one[reach])]
    of_group = np.full(count, NOBODY, dtype=np.int64)
    _take(of_group, takers, owner[other[reach]], weight[reach])
    owner[places] = of_group[group]
    return owner


def _both_ways(
    left: Indices, right: Indices, strength: npt.NDArray[np.float64]
) -> tuple[Indices, Indices, npt.NDArray[np.float64]]:
    return (
        np.concatenate([left, right]),
        np.concatenate([right, left]),
        np.concatenate([strength, strength]),
    )


def _take(
    owner: Indices, takers: Indices, persons: Indices, strength: npt.NDArray[np.float64]
) -> None:
    """Give each taker the person of its strongest evidence; contested when two are equal."""
    devices, takers = np.unique(takers, return_inverse=True)
    best = np.full(len(devices), -np.inf)
    np.maximum.at(best, takers, strength)
    strongest = strength == best[takers]
    takers, persons = takers[strongest], persons[strongest]
    lowest = np.full(len(devices), np.iinfo(np.int64).max, dtype=np.int64)
    highest = np.full(len(devices), NOBODY, dtype=np.int64)
    np.minimum.at(lowest, takers, persons)
    np.maximum.at(highest, takers, persons)
    owner[devices] = np.where(lowest == highest, lowest, CONTESTED)
