"""Trains: the dated slots of a product's rhythm, one stable release each.

Rules:
- The rhythm gives each train its *slot*: the first train's day and every `cadence_days` after it, counted in days and not in
  hours, so that no change of clocks moves a train. The slot is the train's identity for good.
- A slot on a day off moves to the nearest working day, earlier or later as the product says, or the train is skipped. It never
  moves as far as the next slot of the rhythm: no train takes another one's place.
- A person may shift one train (its day moves, its number stays, the next train does not move), skip it (it gives no number)
  or restore it. Trains never overtake each other.
- Beyond what is known of the production calendar nothing is guessed: such a train stands on its slot and says so.

What does not live here: which days are worked (`domain.calendar`), when commits must be in (`domain.freeze`), what a train
carries (`domain.carry`), and the words for people (`domain.train_text`).
"""

from __future__ import annotations

from releaser.domain.train.numbers import (
    Cut,
    late_until,
    numbered,
    train_of_cut,
    versions_given,
)
from releaser.domain.train.preview import Timetable
from releaser.domain.train.timetable import (
    PREVIEW,
    TrainNotFoundError,
    TrainOrderError,
    around,
    coming,
    decided,
    in_order,
    left,
    train_named,
)
from releaser.domain.train.train import (
    DEFAULT_RULES,
    EARLIEST,
    LATEST,
    MOVES,
    Because,
    DayOff,
    Decision,
    Decisions,
    Rhythm,
    Train,
    TrainRules,
    TrainState,
    train_at,
)

__all__ = [
    "DEFAULT_RULES",
    "EARLIEST",
    "LATEST",
    "MOVES",
    "PREVIEW",
    "Because",
    "Cut",
    "DayOff",
    "Decision",
    "Decisions",
    "Rhythm",
    "Timetable",
    "Train",
    "TrainNotFoundError",
    "TrainOrderError",
    "TrainRules",
    "TrainState",
    "around",
    "coming",
    "decided",
    "in_order",
    "late_until",
    "left",
    "numbered",
    "train_at",
    "train_named",
    "train_of_cut",
    "versions_given",
]
