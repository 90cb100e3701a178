"""The life of a customer's request (a *ticket* on the vendor's side is the same object).

Which commits and versions a ticket is linked to is not here but in `domain.ticket` and `domain.history`.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class TicketState(StrEnum):
    """Where a request stands."""

    NEW = "new"
    TRIAGED = "triaged"
    IN_PROGRESS = "in_progress"
    WAITING_CUSTOMER = "waiting_customer"
    SOLUTION_PROVIDED = "solution_provided"
    CLOSED = "closed"
    REOPENED = "reopened"


class CloseReason(StrEnum):
    """Why a request was closed."""

    CONFIRMED = "confirmed"
    BY_RULE = "by_rule"
    WITHDRAWN = "withdrawn"
    DUPLICATE = "duplicate"


_S = TicketState

MOVES: Mapping[TicketState, frozenset[TicketState]] = {
    _S.NEW: frozenset({_S.TRIAGED, _S.IN_PROGRESS, _S.SOLUTION_PROVIDED, _S.CLOSED}),
    _S.TRIAGED: frozenset({_S.IN_PROGRESS, _S.WAITING_CUSTOMER, _S.SOLUTION_PROVIDED, _S.CLOSED}),
    _S.IN_PROGRESS: frozenset({_S.WAITING_CUSTOMER, _S.SOLUTION_PROVIDED, _S.CLOSED}),
    _S.WAITING_CUSTOMER: frozenset({_S.IN_PROGRESS, _S.SOLUTION_PROVIDED, _S.CLOSED}),
    _S.SOLUTION_PROVIDED: frozenset({_S.CLOSED, _S.REOPENED}),
    _S.CLOSED: frozenset({_S.REOPENED}),
    _S.REOPENED: frozenset({_S.IN_PROGRESS, _S.WAITING_CUSTOMER, _S.SOLUTION_PROVIDED, _S.CLOSED}),
}

WAITS_FOR_FIX = frozenset({_S.NEW, _S.TRIAGED, _S.IN_PROGRESS, _S.WAITING_CUSTOMER, _S.REOPENED})
