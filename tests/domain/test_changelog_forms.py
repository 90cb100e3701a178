"""Whatever commits and people say, every form that is written can be read back as what was meant."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import UTC, date, datetime
from html.parser import HTMLParser
from xml.etree import ElementTree as ET

from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from releaser.domain.changelog import (
    ChangelogCommit,
    ChangelogRelease,
    Entry,
    Form,
    Section,
    as_json,
    atom,
    entries_of,
    json_feed,
    render,
)
from releaser.domain.changelog.feeds import feed_of
from releaser.domain.changelog.text import plain
from releaser.domain.ticket import TicketLink, TicketRelation

HOSTILE = st.text(st.sampled_from("a1 *_`#<>[]()!:-+&;\\\n\r\t\x00\x1b\u202e\ufeff|~жé"), max_size=30)
COMMITS = st.builds(
    lambda subject, keys, breaking: ChangelogCommit(
        id="a" * 40,
        subject=subject,
        tickets=tuple(TicketLink(key=key, relation=TicketRelation.FIXES) for key in keys),
        breaking=breaking,
    ),
    HOSTILE,
    st.lists(HOSTILE.filter(lambda text: plain(text) != ""), max_size=2),
    HOSTILE.map(plain),
)
ENTRIES = st.builds(
    lambda section, text: Entry(section=section, text=text or "x", is_markdown=True), st.sampled_from(Section), HOSTILE
)
RELEASES = st.builds(
    lambda commits, reason, title: (
        ChangelogRelease(
            version="1.1",
            tag="v1.1",
            line="1.1",
            released_on=date(2026, 3, 2),
            previous=None,
            commits=tuple(commits),
            is_yanked=bool(reason),
            yank_reason=reason,
        ),
        title,
    ),
    st.lists(COMMITS, max_size=4),
    HOSTILE,
    HOSTILE,
)


class Page(HTMLParser):
    """Reads HTML: which tags there are, whether each is closed, and the text of the entries."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.items = 0
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.items += tag == "li" and self.open == ["ul"]
        if tag not in {"br", "hr"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@given(RELEASES)
def test_markdown_and_html_have_every_entry_once_and_nothing_else(told: tuple[ChangelogRelease, str]) -> None:
    release, title = told
    count = len(entries_of(release))
    text = render([release], form=Form.MARKDOWN, title=title)
    tokens = MarkdownIt("commonmark").parse(text)
    assert sum(one.type == "list_item_open" for one in tokens) == count
    assert not {"html_block", "fence", "code_block", "blockquote_open", "hr"} & {one.type for one in tokens}
    headings = [one.tag for one in tokens if one.type == "heading_open"]
    assert headings[: 1 + bool(plain(title))] == (["h1", "h2"] if plain(title) else ["h2"])
    page = Page(render([release], form=Form.HTML, title=title))
    assert (page.items, page.open) == (count, [])
    assert page.tags <= {"h1", "h2", "h3", "ul", "li", "p", "strong", "code"}


@given(RELEASES, st.lists(ENTRIES, max_size=3))
def test_data_and_feeds_are_well_formed(told: tuple[ChangelogRelease, str], written: list[Entry]) -> None:
    release, title = told
    release = replace(release, written=tuple(written))
    assert json.loads(render([release], form=Form.JSON)) == json.loads(json.dumps(as_json([release])))
    feed = feed_of([release, replace(release, version="1.0")], title=title, address="https://e.test/x", language="ru")
    items = json.loads(json_feed(feed))["items"]
    assert len({item["id"] for item in items}) == len(items) == 2
    document = ET.fromstring(atom(feed))  # noqa: S314 -- our own
    space = {"a": "http://www.w3.org/2005/Atom"}
    for element in (document, *document.findall("a:entry", space)):
        # What RFC 4287 demands of a feed and of an entry.
        for name in ("id", "title", "updated"):
            assert len(element.findall(f"a:{name}", space)) == 1
        updated = datetime.fromisoformat(element.findtext("a:updated", "", space))
        assert updated == datetime(2026, 3, 2, tzinfo=UTC)
    assert document.findtext("a:author/a:name", "", space) == plain(title)
    assert [one.get("type") for one in document.findall("a:entry/a:content", space)] == ["html", "html"]
    for one in document.findall("a:entry/a:content", space):
        assert Page(one.text or "").open == []


@given(RELEASES, st.lists(ENTRIES, max_size=3))
def test_text_for_mail_has_lines_and_nothing_that_steers(
    told: tuple[ChangelogRelease, str], written: list[Entry]
) -> None:
    release, title = told
    text = render([replace(release, written=tuple(written))], form=Form.TEXT, title=title)
    assert re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]", text) is None
    assert text.count("\n  *") == len(entries_of(release)) + len(written)
