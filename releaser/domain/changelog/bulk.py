"""The changelog of many releases straight from a history, piece by piece: the same text as `rendering` makes, much faster.

A history has tens of thousands of commits. Making objects of each and escaping each by itself takes longer than reading them, so
here whole blocks of subjects are escaped in one go, and only the commits with something special to say take the long way.
What is told and how is said elsewhere (`entries`, `rendering`, `text`); a test holds the two ways together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from html import escape
from itertools import islice
from json import JSONEncoder
from operator import add
from typing import NamedTuple

from releaser.domain.changelog.entries import (
    SHORT_ID,
    TITLES,
    ChangelogCommit,
    ChangelogRelease,
    Entry,
    Section,
    breaking_of,
    entry_of,
    is_own,
    said_by,
    says_merge,
)
from releaser.domain.changelog.rendering import (
    JSON_BETWEEN,
    Form,
    entry_markdown,
    entry_text,
    heading_of,
    json_chapter,
    json_pieces,
)
from releaser.domain.changelog.text import escape_markdown, escape_markdown_lines, plain, to_html
from releaser.domain.history import History, Standing, TaggedRelease, Undoing
from releaser.domain.history.history import UNMARKED, Marks
from releaser.domain.history.texts import subjects_of
from releaser.i18n import DEFAULT_LANGUAGE, Translator, translator

BLOCK = 4000
"""So many commits are told together."""
_UNTOLD = frozenset({Standing.REVERTED, Standing.REPEATED})
_NAMES_NONE: tuple[tuple[str, ...], bool] = ((), False)


class _News(NamedTuple):
    """A release with the commits that are new in it, newest first, and what is to tell of some of them."""

    release: TaggedRelease
    commits: list[int]
    marks: dict[int, Marks]
    undoing: dict[int, Undoing]
    """What it takes back, or brings back, of what shipped: by commit."""

    def keys(self, commit: int, history: History) -> tuple[str, ...]:
        """The tickets of a commit, each once."""
        keys = history.named.get(commit, _NAMES_NONE)[0]
        if commit not in self.undoing:
            return keys
        return tuple(dict.fromkeys((*keys, *(link.key for link in self.undoing[commit].tickets))))


Block = Sequence[TaggedRelease]
Sharing = Callable[[Callable[[Block], str], Sequence[Block]], Iterator[str]]
"""Does work at every block and answers what it makes, in the blocks' order."""


def told(
    history: History,
    releases: Sequence[TaggedRelease],
    *,
    form: Form,
    title: str = "",
    language: str = DEFAULT_LANGUAGE,
    sharing: Sharing = map,
) -> Iterator[str]:
    """Pieces of the changelog of `releases`, in the order given; together they end with a line break.

    `sharing` decides who works at it: every block is told by itself.
    """
    blocks, ids = _blocks(history, releases), _ids(history, releases)
    if form is Form.JSON:
        yield from json_pieces(sharing(lambda block: JSON_BETWEEN.join(_json(history, block, ids)), blocks))
        return
    t = translator(language)
    writing = _WRITINGS[form](t)
    before = ""
    if title:
        yield writing.title(title)
        before = writing.between
    # All blocks need it: whoever works at them finds it made.
    _ = history.named
    for chapters in sharing(lambda block: writing.between.join(_chapters(history, writing, ids, block, t)), blocks):
        yield before + chapters
        before = writing.between
    yield writing.end


def _blocks(history: History, releases: Iterable[TaggedRelease]) -> list[Block]:
    """The releases, so many together that they have some thousands of commits."""
    blocks: list[Block] = []
    block: list[TaggedRelease] = []
    size = 0
    for release in releases:
        block.append(release)
        size += history.size_of(release)
        if size >= BLOCK:
            blocks.append(block)
            block, size = [], 0
    return [*blocks, block] if block else blocks


def _news(history: History, block: Block) -> tuple[list[_News], list[str]]:
    """What is new in a block's releases, and all its messages in that order."""
    found = []
    for release in block:
        commits = history.new_in(release)
        marks = history.marked(release, commits)
        reverts = [one for one, told_of in marks.items() if told_of.standing is Standing.REVERT]
        found.append(_News(release, commits, marks, history.undoing(reverts) if reverts else {}))
    return found, history.columns.messages.of([commit for news in found for commit in news.commits])


def _json(history: History, block: Block, ids: Sequence[str]) -> Iterator[str]:
    encoded, named = JSONEncoder(ensure_ascii=False).encode, history.named
    # One call for all: a raw line break, which JSON text cannot hold, parts them again.
    texts = JSONEncoder(ensure_ascii=False, separators=("\n", ":"))
    found, messages = _news(history, block)
    subjects = iter(texts.encode(subjects_of(messages))[1:-1].split("\n"))
    for news in found:
        release, commits, marks, undoing = news
        lines = [
            f'{{"id": "{ids[commit]}", "subject": {subject}, "tickets": '
            f"{encoded(news.keys(commit, history)) if commit in named or commit in undoing else '[]'}, {_NOTHING if commit not in marks else _marks(marks[commit])}}}"
            for commit, subject in zip(commits, islice(subjects, len(commits)), strict=True)
        ]
        head = {
            "version": release.version.text,
            "tag": release.tag,
            "line": release.line,
            "date": release.released_at.date().isoformat(),
            "previous": release.previous_tag,
        }
        yield json_chapter(head, lines)


_NOTHING = '"picked_from": null, "reverted_by": null'


def _marks(marks: Marks) -> str:
    picked, reverted = (f'"{one}"' if one is not None else "null" for one in (marks.picked_from, marks.reverted_by))
    return f'"picked_from": {picked}, "reverted_by": {reverted}'


def _ids(history: History, releases: Sequence[TaggedRelease]) -> Sequence[str]:
    """The ids by place; all at once where most are needed."""
    return list(history.graph.ids) if len(releases) == len(history.releases) else history.graph.ids


@dataclass(frozen=True, slots=True, kw_only=True)
class _Writing:
    """How a form is written. `lines` makes plain texts fit, all at once; `key` a ticket's key; `marks` stand around an id.

    `entry` writes an entry that has more to say than its text, `chapter` what stands under a heading.
    """

    title: Callable[[str], str]
    lines: Callable[[list[str]], list[str]]
    key: Callable[[str], str]
    marks: tuple[str, str]
    entry: Callable[[Entry], str]
    chapter: Callable[[ChangelogRelease, list[tuple[str, list[str]]]], str]
    between: str
    end: str


def _markdown(t: Translator) -> _Writing:
    def chapter(release: ChangelogRelease, sections: list[tuple[str, list[str]]]) -> str:
        parts = [f"## {heading_of(release, t, escaped=True)}"]
        for title, lines in sections:
            parts += [f"### {title}", "- " + "\n- ".join(lines)]
        return "\n\n".join(parts if sections else [*parts, t("No changes.")])

    return _Writing(
        title=lambda text: f"# {escape_markdown(plain(text))}",
        lines=escape_markdown_lines,
        key=lambda key: escape_markdown(plain(key)),
        marks=("`", "`"),
        entry=lambda entry: entry_markdown(entry, t),
        chapter=chapter,
        between="\n\n",
        end="\n",
    )


def _text(t: Translator) -> _Writing:
    def chapter(release: ChangelogRelease, sections: list[tuple[str, list[str]]]) -> str:
        heading = heading_of(release, t, escaped=False)
        parts = [f"{heading}\n{'=' * len(heading)}"]
        parts += [f"{title}:\n  * " + "\n  * ".join(lines) for title, lines in sections]
        return "\n\n".join(parts if sections else [*parts, t("No changes.")])

    return _Writing(
        title=plain,
        lines=lambda texts: texts,
        key=plain,
        marks=("", ""),
        entry=lambda entry: entry_text(entry, t),
        chapter=chapter,
        between="\n\n",
        end="\n",
    )


def _html(t: Translator) -> _Writing:
    def chapter(release: ChangelogRelease, sections: list[tuple[str, list[str]]]) -> str:
        parts = [f"<h2>{_as_html(heading_of(release, t, escaped=True))}</h2>\n"]
        for title, lines in sections:
            parts += [f"<h3>{_as_html(title)}</h3>\n<ul>\n<li>", "</li>\n<li>".join(lines), "</li>\n</ul>\n"]
        return "".join(parts if sections else [*parts, f"<p>{_as_html(t('No changes.'))}</p>\n"])

    return _Writing(
        title=lambda text: f"<h1>{_as_html(plain(text))}</h1>\n",
        lines=lambda texts: _as_html("\n".join(texts)).split("\n"),
        key=lambda key: _as_html(plain(key)),
        marks=("<code>", "</code>"),
        entry=lambda entry: (
            to_html(f"- {entry_markdown(entry, t)}").removeprefix("<ul>\n<li>").removesuffix(_ITEM_ENDS)
        ),
        chapter=chapter,
        between="",
        end="",
    )


_ITEM_ENDS = "</li>\n</ul>\n"


def _as_html(text: str) -> str:
    """Plain text as HTML, as the sanitiser of `to_html` writes it."""
    return escape(text, quote=False).replace("\xa0", "&nbsp;")


_WRITINGS: dict[Form, Callable[[Translator], _Writing]] = {
    Form.MARKDOWN: _markdown,
    Form.TEXT: _text,
    Form.HTML: _html,
}


def _chapters(history: History, writing: _Writing, ids: Sequence[str], block: Block, t: Translator) -> Iterator[str]:
    """A block's releases, one after the other."""
    lines = _Lines(history, writing, ids)
    found, messages = _news(history, block)
    texts = iter(messages)
    placed = [lines.place(news, list(islice(texts, len(news.commits)))) for news in found]
    written = lines.written()
    for (release, *_), sections in zip(found, placed, strict=True):
        told_release = ChangelogRelease(
            version=release.version.text,
            tag=release.tag,
            line=release.line,
            released_on=release.released_at.date(),
            previous=release.previous_tag,
            commits=(),
        )
        filled = [
            (t(TITLES[section]), [written[one] for one in sections[section]])
            for section in Section
            if section in sections
        ]
        yield writing.chapter(told_release, filled)


class _Lines:
    """The lines of a block: collected first, so that all texts are made fit at once."""

    def __init__(self, history: History, writing: _Writing, ids: Sequence[str]) -> None:
        self.history = history
        self.writing = writing
        self._ids = ids
        self._texts: list[str] = []
        self._behind: list[str] = []
        self._whole: dict[int, str] = {}
        self._keys: dict[tuple[str, ...], str] = {}
        self._beside: tuple[_News | None, set[str]] = None, set()

    def place(self, news: _News, messages: Sequence[str]) -> dict[Section, list[int]]:
        """Take a release's commits with their messages; answers which lines stand in which section."""
        found: dict[Section, list[int]] = {}
        named, ids, marks, merges = self.history.named, self._ids, news.marks, self.history.graph.more
        texts, behind, (opening, closing), before_id = self._texts, self._behind, self.writing.marks, self._before_id
        for commit, subject, message in zip(news.commits, subjects_of(messages), messages, strict=True):
            standing = marks[commit].standing if commit in marks else Standing.SHOWN
            if standing in _UNTOLD or is_own(subject):
                continue
            if says_merge(subject) and commit in merges and self._is_plain_merge(commit, message, news):
                continue
            if commit in news.undoing:
                entry = self._undoing(commit, message, news)
                self._whole[len(texts)] = self.writing.entry(entry)
                found.setdefault(entry.section, []).append(len(texts))
                texts.append(entry.text)
                behind.append("")
                continue
            keys, fixes = named.get(commit, _NAMES_NONE)
            section, text, is_breaking = said_by(subject, keys, fixes=fixes)
            start = ids[commit][:SHORT_ID]
            warning = breaking_of(message) if "BREAKING" in message else ""
            if warning or is_breaking:
                entry = Entry(
                    section=section, text=text or start, tickets=keys, commit=start, is_breaking=True, warning=warning
                )
                self._whole[len(texts)] = self.writing.entry(entry)
            found.setdefault(section, []).append(len(texts))
            texts.append(text or start)
            behind.append(f" ({before_id(keys) if keys else ''}{opening}{start}{closing})")
        return found

    def _undoing(self, commit: int, message: str, news: _News) -> Entry:
        """The long way: few commits take back what shipped."""
        tickets = self.history.links.get(commit, ())
        told_one = ChangelogCommit(
            id=self._ids[commit], subject="", tickets=tickets, message=message, undoing=news.undoing[commit]
        )
        return entry_of(told_one)

    def _is_plain_merge(self, commit: int, message: str, news: _News) -> bool:
        """Whether the merge, whose subject says nothing, warns of nothing and brings no ticket that no commit beside it names."""
        if "BREAKING" in message and breaking_of(message):
            return False
        keys = news.keys(commit, self.history)
        return not keys or self._named_beside(news).issuperset(keys)

    def _named_beside(self, news: _News) -> set[str]:
        """The tickets that commits of the release name which are told and no merges."""
        if self._beside[0] is not news:
            named, merges, marks = self.history.named, self.history.graph.more, news.marks
            beside = [one for one in news.commits if (one in named or one in news.undoing) and one not in merges]
            told_ones = [one for one in beside if marks.get(one, UNMARKED).standing not in _UNTOLD]
            self._beside = news, {key for one in told_ones for key in news.keys(one, self.history)}
        return self._beside[1]

    def _before_id(self, keys: tuple[str, ...]) -> str:
        told_keys = self._keys.get(keys)
        if told_keys is None:
            told_keys = self._keys[keys] = "".join(f"{self.writing.key(key)}, " for key in keys)
        return told_keys

    def written(self) -> list[str]:
        """Every line as it stands in the document."""
        lines = list(map(add, self.writing.lines(self._texts), self._behind))
        for place, whole in self._whole.items():
            lines[place] = whole
        return lines
