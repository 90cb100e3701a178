"""Exit codes: one place that maps error families to what a pipeline reads. How rollouts end stands in `deploy`."""

from __future__ import annotations

from enum import IntEnum

from releaser.errors import (
    ConflictError,
    InvalidError,
    NotFoundError,
    OutsideError,
    RefusedError,
    ReleaserError,
)


class Exit(IntEnum):
    """What a command's end means to a pipeline."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    REFUSED = 3
    NOT_ALLOWED = 4
    BUSY = 5
    ROLLED_BACK = 6
    STILL_RUNNING = 7
    UNREACHABLE = 8
    INTERRUPTED = 130
    TERMINATED = 143


class TerminatedError(BaseException):
    """SIGTERM arrived; like KeyboardInterrupt it passes everything on its way out, so that all is put in order."""


_FAMILIES: tuple[tuple[type[ReleaserError], Exit], ...] = (
    (InvalidError, Exit.USAGE),
    (NotFoundError, Exit.USAGE),
    (RefusedError, Exit.REFUSED),
    (ConflictError, Exit.BUSY),
    (OutsideError, Exit.UNREACHABLE),
)


def of_error(error: ReleaserError) -> Exit:
    """The exit code of an error's family."""
    return next((code for family, code in _FAMILIES if isinstance(error, family)), Exit.FAILED)
