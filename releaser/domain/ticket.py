"""Ticket keys in commit messages."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class TicketRelation(StrEnum):
    """What a commit says of a ticket: that it solves it, or that it has to do with it."""

    FIXES = "fixes"
    REFS = "refs"


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketLink:
    """One ticket named by a commit."""

    key: str
    relation: TicketRelation
