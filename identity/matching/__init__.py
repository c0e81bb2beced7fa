"""Records of one person that share no exact identifier: typing errors, swapped names, old dates."""

from identity.matching.engine import Matches, match
from identity.matching.settings import MatchSettings

__all__ = ["MatchSettings", "Matches", "match"]
