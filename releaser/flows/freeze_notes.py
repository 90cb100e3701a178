"""Freeze the notes of a release that is being cut: what customers will read is fixed before the tag is.

The history is read as if the tag stood already, so that the notes are made by the same rules as of any other release.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from releaser.domain.changelog import ReleaseNote, commit_of, draft_notes
from releaser.domain.history import Change, HistoryBuilder, TagRef
from releaser.domain.ticket import TicketPatterns
from releaser.domain.version import Scheme, TagFormat, parse
from releaser.errors import ConflictError
from releaser.flows.ports import Ports
from releaser.sources.source import HistorySource
from releaser.store import notes, releases
from releaser.store.releases import Release
from releaser.store.session import Database


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


def freeze_notes(ports: Ports, *, release_id: int, repository: HistorySource) -> tuple[ReleaseNote, ...]:
    """Draft the notes from the history up to the release's commit; nothing is stored yet (the step's move does it)."""
    with ports.database.reading() as session:
        release = releases.by_id(session, release_id)
        titles = notes.public_titles(session, release.product_id)
        asked = _asked(release, releases.abandoned_tags(session, release.product_id))
    drafts = draft_notes(map(commit_of, _changes(repository, asked)), titles=titles)
    return _inherited(ports.database, release_id, drafts)


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
    )


def _changes(repository: HistorySource, asked: _Asked) -> tuple[Change, ...]:
    refs = repository.refs().without_tags({*asked.burned, asked.tag})
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
    return history.changes(release)


def _inherited(database: Database, release_id: int, drafts: tuple[ReleaseNote, ...]) -> tuple[ReleaseNote, ...]:
    """A fix picked to another line keeps what a person wrote of its ticket."""
    with database.reading() as session:
        release = releases.by_id(session, release_id)
        written = notes.written_before(session, release, [draft.ticket for draft in drafts])
        texts = {place: note.text for place, note in written.items()}
    found = [replace(draft, text=texts.pop((draft.ticket, draft.language), draft.text)) for draft in drafts]
    sections = {draft.ticket: draft for draft in drafts}
    found += [
        replace(sections[ticket], language=language, text=text)
        for (ticket, language), text in texts.items()
        if ticket in sections
    ]
    return tuple(found)
