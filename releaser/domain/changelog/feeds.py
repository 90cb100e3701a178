"""Feeds of published releases: Atom and JSON Feed 1.1.

The id of an entry is made of product and version alone, so that it stays when the service moves to another address.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any
from urllib.parse import quote
from uuid import NAMESPACE_URL, uuid5

from releaser.domain.changelog.entries import ChangelogRelease
from releaser.domain.changelog.rendering import Form, render
from releaser.domain.changelog.text import escape_json, plain
from releaser.i18n import translator


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedItem:
    """One published release. `html` is already safe; `updated_at` moves when the notes are corrected."""

    version: str
    link: str
    html: str
    text: str
    published_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed:
    """A product's feed, newest first; `link` is the product's page, `address` the feed's own."""

    product: str
    title: str
    link: str
    address: str
    language: str
    items: tuple[FeedItem, ...]

    @property
    def updated_at(self) -> datetime:
        """When anything in it changed last; an empty feed never did."""
        return max((item.updated_at for item in self.items), default=datetime(1970, 1, 1, tzinfo=UTC))


def feed_of(releases: Iterable[ChangelogRelease], *, title: str, address: str, language: str) -> Feed:
    """A feed of changelogs that all stand on one page at `address`; what is not released yet is not in it."""
    return Feed(
        product=address,
        title=title,
        link=address,
        address=address,
        language=language,
        items=tuple(_item(one, address, language) for one in releases if one.released_on is not None),
    )


def _item(release: ChangelogRelease, address: str, language: str) -> FeedItem:
    day = release.released_on or date.min
    changed = max(day, release.corrected_on or day)
    return FeedItem(
        version=release.version,
        link=f"{address}#{quote(release.version)}",
        html=render([release], form=Form.HTML, language=language),
        text=render([release], form=Form.TEXT, language=language),
        published_at=datetime.combine(day, time(), UTC),
        updated_at=datetime.combine(changed, time(), UTC),
    )


def _id(product: str, version: str = "") -> str:
    return uuid5(NAMESPACE_URL, f"urn:releaser:{product}:{version}").urn


def atom(feed: Feed) -> str:
    """The feed as Atom (RFC 4287)."""
    # Imported here: only readers of feeds should pay for it.
    from feedgenerator import Atom1Feed  # noqa: PLC0415

    class Document(Atom1Feed):  # type: ignore[misc]
        def latest_post_date(self) -> datetime:
            """Asked of the feed: the library would take the present of an empty one."""
            return feed.updated_at

    t = translator(feed.language)
    document = Document(
        title=plain(feed.title),
        link=feed.link,
        description=t("Releases of {product}", product=plain(feed.title)),
        language=t.language,
        feed_url=feed.address,
        feed_guid=_id(feed.product),
        author_name=plain(feed.title),
    )
    for item in feed.items:
        document.add_item(
            title=plain(f"{feed.title} {item.version}"),
            link=item.link,
            description=None,
            content=item.html,
            unique_id=_id(feed.product, item.version),
            pubdate=item.published_at,
            updateddate=item.updated_at,
        )
    return str(document.writeString("utf-8"))


def json_feed(feed: Feed) -> str:
    """The feed as JSON Feed 1.1."""
    t = translator(feed.language)
    document: dict[str, Any] = {
        "version": "https://jsonfeed.org/version/1.1",
        "title": plain(feed.title),
        "home_page_url": feed.link,
        "feed_url": feed.address,
        "description": t("Releases of {product}", product=plain(feed.title)),
        "language": t.language,
        "items": [
            {
                "id": _id(feed.product, item.version),
                "url": item.link,
                "title": plain(f"{feed.title} {item.version}"),
                "content_html": item.html,
                "content_text": item.text,
                "date_published": _instant(item.published_at),
                "date_modified": _instant(item.updated_at),
            }
            for item in feed.items
        ],
    }
    return escape_json(json.dumps(document, ensure_ascii=False, indent=2)) + "\n"


def _instant(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
