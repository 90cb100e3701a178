"""Error families.

Every error this product raises on purpose belongs to one of five families, and everything that shows an
error (problem documents, exit codes, page text) maps from the family, in one place each. An error names
the fact (`detail`), what to do about it (`advice`) and, for input, the `field` it is about; further facts
travel as attributes in `facts`.

What does not live here: HTTP status codes (`web.problems`) and exit codes (`cli.exits`).
"""

from __future__ import annotations

import re


class ReleaserError(Exception):
    """Base of every error raised on purpose; never raised itself."""

    def __init__(self, detail: str, *, advice: str = "", field: str | None = None, **facts: object) -> None:
        """Keep the fact, the advice and the facts as data."""
        super().__init__(detail)
        self.detail = detail
        self.advice = advice
        self.field = field
        self.facts = facts

    @property
    def slug(self) -> str:
        """Stable machine name: `MoveConflictError` -> `move-conflict` (RFC 9457 `type`)."""
        name = type(self).__name__.removesuffix("Error")
        return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "-", name).lower()

    def __str__(self) -> str:
        """The fact, then what to do."""
        apart = "" if self.detail.endswith("\n") else " "
        return f"{self.detail}{apart}{self.advice}".strip() if self.advice else self.detail


class InvalidError(ReleaserError):
    """The input is malformed; the same input will never be accepted."""


class NotFoundError(ReleaserError):
    """What the input names does not exist here."""


class ConflictError(ReleaserError):
    """The input is fine, but somebody else was first or holds what is needed."""


class RefusedError(ReleaserError):
    """A rule says no; `rule` names it."""

    def __init__(self, detail: str, *, rule: str, advice: str = "", field: str | None = None, **facts: object) -> None:
        """Keep the rule's stable name beside the fact."""
        super().__init__(detail, advice=advice, field=field, **facts)
        self.rule = rule


class OutsideError(ReleaserError):
    """Something outside (git, engine, registry, mail, database) failed or did not answer.

    `permanent` tells whether trying the same again can help.
    """

    def __init__(
        self, detail: str, *, permanent: bool, advice: str = "", field: str | None = None, **facts: object
    ) -> None:
        """Keep whether a repeat can help beside the fact."""
        super().__init__(detail, advice=advice, field=field, **facts)
        self.permanent = permanent


class MoveConflictError(ConflictError):
    """A state machine was asked for a move that its present state does not allow, or lost a race for it."""

    def __init__(self, noun: str, *, source: str, to: str, actual: str | None = None, advice: str = "") -> None:
        """Name the thing, the move and, where known, the state it is really in."""
        seen = f"; it is '{actual}' now" if actual is not None else ""
        super().__init__(
            f"{noun} cannot move from '{source}' to '{to}'{seen}.",
            advice=advice or "Look at its present state and try again if the move still makes sense.",
            source=source,
            to=to,
            actual=actual,
        )
