"""Facts as JSON: the same plain data that flows give to everybody, written the way this API writes it.

Instants are ISO 8601 in UTC with `Z`, dates ISO 8601, durations seconds.
"""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from enum import Enum
from pathlib import PurePath
from typing import Any

from starlette.responses import JSONResponse

from releaser.domain.changelog.text import escape_json


def plain(value: object) -> object:
    """What JSON has no form for, as what it has. Raises `TypeError` for anything a flow should not have given."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, PurePath):
        return str(value)
    if isinstance(value, set | frozenset):
        return sorted(value)
    message = f"{type(value).__name__} is not plain data"
    raise TypeError(message)


def as_json(value: object) -> str:
    """`value` as compact JSON; what could steer a terminal that shows it is written by its number."""
    return escape_json(json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=plain))


class FactsResponse(JSONResponse):
    """A JSON answer made from facts."""

    def render(self, content: Any) -> bytes:  # noqa: ANN401 -- starlette's signature
        """The body."""
        return as_json(content).encode()
