"""A product's feed of published releases, for feed readers."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy.orm import Session

from releaser.domain.changelog import Feed, FeedItem, atom, json_feed, notes_html, notes_text
from releaser.domain.release import ReleaseState
from releaser.flows.ports import Ports
from releaser.i18n import DEFAULT_LANGUAGE
from releaser.store import notes, products, releases
from releaser.store.releases import Release

LONGEST = 30
"""Releases in a feed."""


class FeedForm(StrEnum):
    """The kinds of feed."""

    ATOM = "atom"
    JSON = "json"


def render_feed(ports: Ports, *, product: str, form: FeedForm, feed_path: str, language: str = DEFAULT_LANGUAGE) -> str:
    """The newest published releases with their notes for customers; `feed_path` is where readers get the feed itself.

    Raises `ProductNotFoundError`.
    """
    now = ports.clock.now()
    with ports.database.reading() as session:
        row = products.get(session, product)
        link = f"{ports.address}/products/{row.name}"
        found = releases.in_states(session, row.id, ReleaseState.PUBLISHED, ReleaseState.YANKED)
        newest = sorted(found, key=lambda r: (r.published_at is not None, r.published_at, r.sort_key), reverse=True)
        feed = Feed(
            product=row.name,
            title=row.title or row.name,
            link=link,
            address=ports.address + feed_path,
            language=language,
            items=tuple(_item(session, release, link, language, now) for release in newest[:LONGEST]),
        )
    return atom(feed) if form is FeedForm.ATOM else json_feed(feed)


def _item(session: Session, release: Release, link: str, language: str, now: datetime) -> FeedItem:
    page = notes.page(session, release, now=now)
    published = release.published_at or release.tagged_at or release.product.created_at
    return FeedItem(
        version=release.version,
        link=f"{link}/releases/{release.version}",
        html=notes_html(page, language=language),
        text=notes_text(page, language=language),
        published_at=published,
        updated_at=max(at for at in (published, release.yanked_at, page.changed_at) if at is not None),
    )
