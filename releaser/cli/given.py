"""What people write on a command line that is more than a word: durations, instants, `name=value`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime, timedelta

from releaser.domain.declaration import InvalidDeclarationError
from releaser.errors import InvalidError

_DURATION = re.compile(r"([0-9]{1,6})\s*([smhd]?)")
_PLACE = re.compile(r"^[a-z]+\[[0-9]+\]\.")
_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400}


class DurationError(InvalidError):
    """The text is no duration."""


class InstantError(InvalidError):
    """The text is no instant."""


class DateError(InvalidError):
    """The text is no date."""


class PairError(InvalidError):
    """The text is no `name=value`."""


class DescriptionError(InvalidError):
    """What is described on the command line makes no sense."""


def duration(text: str, *, field: str = "timeout") -> timedelta:
    """Read `90s`, `20m`, `2h`, `1d`; a bare number is seconds. Raises `DurationError`."""
    match = _DURATION.fullmatch(text.strip())
    if not match:
        raise DurationError(f"'{text[:40]}' is no duration.", advice="Use for instance 90s, 20m or 2h.", field=field)
    return timedelta(seconds=int(match[1]) * _UNITS[match[2]])


def instant(text: str, *, field: str = "at") -> datetime | None:
    """Read an ISO 8601 instant with its offset; empty is None. Raises `InstantError`."""
    if not text:
        return None
    try:
        value = datetime.fromisoformat(text)
    except ValueError:
        value = None
    if value is None or value.tzinfo is None:
        raise InstantError(
            f"'{text[:40]}' is no instant with a zone.", advice="Use for instance 2030-05-31T22:00+03:00.", field=field
        )
    return value


def day(text: str, *, field: str) -> date | None:
    """Read an ISO 8601 date; empty is None. Raises `DateError`."""
    try:
        return date.fromisoformat(text) if text else None
    except ValueError as error:
        raise DateError(f"'{text[:40]}' is no date.", advice="Use for instance 2030-05-31.", field=field) from error


def pairs(texts: Sequence[str], *, field: str, example: str) -> dict[str, str]:
    """Read `name=value` texts. Raises `PairError`."""
    found: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name or name in found:
            why = "is given twice" if name in found else "is no name=value"
            raise PairError(f"'{text[:80]}' {why}.", advice=f"Use for instance {example}.", field=field)
        found[name] = value
    return found


@contextmanager
def described() -> Iterator[None]:
    """Tell what is wrong with the one thing described by options, without its place in a declaration.

    Raises `DescriptionError` instead of `InvalidDeclarationError`.
    """
    try:
        yield
    except InvalidDeclarationError as error:
        problems = error.facts["problems"]
        assert isinstance(problems, list)  # noqa: S101 -- as its class makes it
        told = [(_PLACE.sub("", one["field"]), one["detail"], one["advice"]) for one in problems]
        text = " ".join(f"{field}: {detail} {advice}".strip() for field, detail, advice in told)
        raise DescriptionError(text, field=told[0][0] or None) from error
