"""The share of a rollout's targets that is enough for a pipeline, and what it means for the exit code.

A quorum changes what the command ends with, and nothing else: not how the rollout goes (that is what its threshold is for), and
not what is told of targets that did not succeed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from releaser.cli.exits import Exit
from releaser.domain.rollout import UPDATE_GOOD, UpdateState
from releaser.errors import InvalidError
from releaser.flows.ports import Facts

_SHARE = re.compile(r"(100|[1-9][0-9]?)%")
_DECIDED = frozenset({Exit.DONE, Exit.FAILED, Exit.ROLLED_BACK, Exit.STILL_RUNNING})


class QuorumError(InvalidError):
    """The text is no share of targets."""


def parse_quorum(text: str) -> int:
    """Read `95%`, 1 to 100. Raises `QuorumError`."""
    match = _SHARE.fullmatch(text.strip())
    if not match:
        raise QuorumError(
            f"'{text[:40]}' is no share of targets.",
            advice="Use a whole percentage from 1% to 100%, such as 95%.",
            field="quorum",
        )
    return int(match[1])


@dataclass(frozen=True, slots=True, kw_only=True)
class Quorum:
    """How many of how many targets succeeded, and how many percent were asked for."""

    asked: int
    good: int
    total: int

    @property
    def is_reached(self) -> bool:
        """Whether at least the share asked for succeeded, counted exactly."""
        return 100 * self.good >= self.asked * self.total

    def exit(self, code: Exit) -> Exit:
        """The exit code: the share decides, unless the rollout was refused or the wait interrupted."""
        if code not in _DECIDED:
            return code
        if self.is_reached:
            return Exit.DONE
        return Exit.FAILED if code is Exit.DONE else code

    def facts(self) -> Facts:
        """As plain data."""
        return {"asked": f"{self.asked}%", "good": self.good, "total": self.total, "reached": self.is_reached}


def quorum_of(facts: Facts, *, asked: int) -> Quorum:
    """Count a rollout's facts; of a rehearsal what is ready."""
    if facts["rehearsed"] is not None:
        good = [bool(one["ready"]) for one in facts["rehearsed"]]
    else:
        good = [UpdateState(one["state"]) in UPDATE_GOOD for one in facts["targets"]]
    return Quorum(asked=asked, good=sum(good), total=len(good))
