"""Exemplars: worked examples of the same task that go before a row."""

from flanmix.shots.drawing import NONE, Queries, candidates, first_of_each, first_valid
from flanmix.shots.shooting import Shooting
from flanmix.shots.writing import SHOTS, Chosen, Room, around, written

__all__ = [
    "NONE",
    "SHOTS",
    "Chosen",
    "Queries",
    "Room",
    "Shooting",
    "around",
    "candidates",
    "first_of_each",
    "first_valid",
    "written",
]
