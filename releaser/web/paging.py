"""Pages of lists: `?limit=&offset=` in, `{"items": [...], "next": url | null}` out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import Depends, Query, Request
from pydantic import BaseModel, Field

from releaser.web.answers import FactsResponse

MOST = 200
FARTHEST = 10_000_000


class Page(BaseModel):
    """Which part of a list is asked for."""

    limit: int = Field(50, ge=1, le=MOST, description="How many items at most.")
    offset: int = Field(0, ge=0, le=FARTHEST, description="How many items to pass over; `next` carries it.")

    @property
    def look_ahead(self) -> int:
        """One more than is shown, to know whether there is a next page."""
        return self.limit + 1


def _page(
    limit: Annotated[int, Query(ge=1, le=MOST, description="How many items at most.")] = 50,
    offset: Annotated[int, Query(ge=0, le=FARTHEST, description="How many to pass over; `next` carries it.")] = 0,
) -> Page:
    return Page(limit=limit, offset=offset)


Paged = Annotated[Page, Depends(_page)]


def next_address(request: Request, page: Page) -> str:
    """The address of the page after this one, relative to the host, every other parameter kept."""
    return str(
        request.url.include_query_params(limit=page.limit, offset=page.offset + page.limit).replace(
            scheme="", netloc=""
        )
    )


def listed(request: Request, page: Page, found: Sequence[dict[str, Any]]) -> FactsResponse:
    """`found` holds up to `page.look_ahead` items from `page.offset` on."""
    more = len(found) > page.limit
    return FactsResponse({"items": list(found[: page.limit]), "next": next_address(request, page) if more else None})


def cut(request: Request, page: Page, everything: Sequence[dict[str, Any]]) -> FactsResponse:
    """As `listed`, from a list that is whole and small."""
    return listed(request, page, everything[page.offset : page.offset + page.look_ahead])
