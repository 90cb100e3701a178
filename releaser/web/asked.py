"""What routes ask of a request: the ports, and who is asking."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, cast

from fastapi import Depends, Header, Path, Request
from pydantic import AfterValidator, AwareDatetime, Field

from releaser.flows.ports import Ports
from releaser.web.reader import Reader, reader_of

BIGGEST_ID = 2**31 - 1
EARLIEST_YEAR, LATEST_YEAR = 1970, 9000


def _ports(request: Request) -> Ports:
    return cast("Ports", request.app.state.ports)


def _actor(
    x_releaser_actor: Annotated[
        str,
        Header(
            description="Who asks, for the record. Believed, as long as the service listens on loopback only.",
            max_length=200,
            pattern=r"^[^\x00-\x1f\x7f]+$",
        ),
    ] = "api",
) -> str:
    return x_releaser_actor


def _without_nul(text: str) -> str:
    if "\x00" in text:
        message = "a NUL character stands in it"
        raise ValueError(message)
    return text


def _in_every_zone(at: datetime) -> datetime:
    if not EARLIEST_YEAR <= at.year <= LATEST_YEAR:
        message = f"the year is not from {EARLIEST_YEAR} to {LATEST_YEAR}"
        raise ValueError(message)
    return at


Instant = Annotated[AwareDatetime, AfterValidator(_in_every_zone)]
"""An instant with an offset, in a year in which every zone can tell it."""

Asked = Annotated[Ports, Depends(_ports)]
"""The ports of the application."""

Actor = Annotated[str, Depends(_actor)]
"""Who is asking; the joint where access control will stand."""

Reading = Annotated[Reader, Depends(reader_of)]
"""Who reads a page."""

Id = Annotated[int, Path(ge=1, le=BIGGEST_ID)]
"""The number of a row."""

Whole = AfterValidator(_without_nul)
"""Of a text of a body: nothing stands in it that a database cannot keep. Halves of letters pydantic refuses itself."""

Text = Annotated[str, Field(max_length=2_000), Whole]
"""A text of a body."""
