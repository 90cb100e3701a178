"""Freeze the notes of a release that is being cut: what customers will read is fixed before the tag is.

The history is read as if the tag stood already, so that the notes are made by the same rules as of any other release. A
fix that was picked to another line has the note of its ticket there, which is looked up when notes are told.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from releaser.domain.changelog import Fragment, ReleaseNote, commit_of, draft_internal, draft_notes
from releaser.domain.changelog.keeping import ChangelogKeeping
from releaser.domain.history import Change, HistoryBuilder, Refs, TagRef
from releaser.domain.ticket_patterns import TicketPatterns
from releaser.domain.version import Scheme, TagFormat, parse
from releaser.errors import ConflictError
from releaser.flows.ports import Ports
from releaser.flows.read_fragments import read_fragments
from releaser.flows.recall_tags import recall_tags
from releaser.sources.source import HistorySource, Repository
from releaser.store import notes, releases
from releaser.store.plain import load
from releaser.store.releases import Release


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """What has to be known of the release before git is read."""

    scheme: Scheme
    tag_format: str
    patterns: tuple[str, ...]
    line_branch: str
    version: str
    tag: str
    commit: str
    tagged_at: datetime | None
    burned: frozenset[str]
    fragments: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FrozenNotes:
    """The drafts for customers and for internal readers, and the fragments that customers' drafts came from."""

    drafts: tuple[ReleaseNote, ...]
    internal: tuple[ReleaseNote, ...]
    written: tuple[Fragment, ...]


def freeze_notes(ports: Ports, *, release_id: int, repository: Repository) -> FrozenNotes:
    """Draft the notes from the history up to the release's commit; nothing is stored yet (the step's move does it)."""
    with ports.database.reading() as session:
        release = releases.by_id(session, release_id)
        public = notes.public_titles(session, release.product_id)
        private = notes.private_titles(session, release.product_id)
        product = release.product
        asked = _asked(release, releases.abandoned_tags(session, release.product_id))
    refs = recall_tags(ports, repository, product, repository.refs()).without_tags({*asked.burned, asked.tag})
    changes, previous = _changes(repository, refs, asked)
    came = read_fragments(repository, folder=asked.fragments, releases={asked.version: (asked.commit, previous)})
    commits = tuple(map(commit_of, changes))
    written = came.get(asked.version, ())
    return FrozenNotes(
        drafts=draft_notes(commits, titles=public, fragments=written),
        internal=draft_internal(commits, private_titles=private),
        written=written,
    )


def _asked(release: Release, burned: frozenset[str]) -> _Asked:
    product = release.product
    return _Asked(
        scheme=product.scheme,
        tag_format=product.tag_format,
        patterns=tuple(product.ticket_patterns),
        line_branch=product.line_branch,
        version=release.version,
        tag=release.tag,
        commit=release.commit,
        tagged_at=release.tagged_at,
        burned=burned,
        fragments=load(ChangelogKeeping, product.changelog).fragments,
    )


def _changes(repository: HistorySource, refs: Refs, asked: _Asked) -> tuple[tuple[Change, ...], str | None]:
    """What is new in the release, and the commit of the release that it is told against."""
    ours = TagRef(name=asked.tag, object_id=asked.commit, commit=asked.commit, tagged_at=asked.tagged_at)
    refs = replace(refs, tags=(*refs.tags, ours))
    builder = HistoryBuilder(
        tag_format=TagFormat(scheme=asked.scheme, text=asked.tag_format),
        patterns=TicketPatterns(asked.patterns),
        line_branch=asked.line_branch,
    )
    tips = {tag.commit for tag in refs.tags if tag.commit} | {head.commit for head in refs.heads}
    for batch in repository.commits(sorted(tips)):
        builder.add(batch)
    history = builder.finish(refs)
    release = history.release(parse(asked.version, scheme=asked.scheme))
    if release is None or release.commit != asked.commit:
        raise ConflictError(
            f"Another tag of the repository already stands for version {asked.version}.",
            advice="Abandon this cut and cut again: the next number will be taken.",
            tag=release.tag if release else None,
        )
    previous = history.release(release.previous) if release.previous else None
    return history.changes(release), previous.commit if previous else None
