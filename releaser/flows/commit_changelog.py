"""Commit a release's changelog to the product's own repository: its chapter in the common file, and a file of its own.

The commit is made of objects in our mirror, on the branch as it was just fetched, and pushed expecting the branch there.
When somebody pushed in between it is made once more on what they pushed; never is anything forced. What stands there
already is not committed again, so the same command completes whatever was interrupted.
"""

from __future__ import annotations

from dataclasses import dataclass

from releaser.domain.changelog import ChangelogRelease, Form, Fragment
from releaser.domain.changelog.keeping import ChangelogKeeping
from releaser.domain.changelog.text import plain_lines
from releaser.domain.version import Scheme, TagFormat, parse
from releaser.errors import RefusedError
from releaser.flows.open_repository import open_repository
from releaser.flows.place_changelog import PlacedFile, Telling, place_changelog
from releaser.flows.ports import Facts, Ports
from releaser.flows.write_out import stored_template, write_out
from releaser.sources.source import BranchMovedError, Repository
from releaser.store import changelog, chapters, fragments, notes, products, releases
from releaser.store.plain import load
from releaser.store.products import Product

_TRIES = 2
_LARGEST = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """What the store knows, read without keeping a transaction open."""

    product: Product
    release_id: int
    version: str
    scheme: Scheme
    title: str
    keeping: ChangelogKeeping
    told: ChangelogRelease
    fragments: tuple[Fragment, ...]


def commit_changelog(
    ports: Ports, *, product: str, version: str, by: str, branch: str | None = None, replace: bool = False
) -> Facts:
    """Commit and push; answers `branch`, `commit` (None when everything stands there already: `unchanged`) and `files`.

    `branch` is the changelog's, else the product's, else the repository's own when not given. Fragments that became part of the release
    are taken away by the same commit, unless they were changed since. Words of others are left alone unless `replace`.
    Raises `ProductNotFoundError`, `ReleaseNotFoundError`, `RefusedError` (rules `not-published`, `no-file`,
    `no-repository`, `no-branch`), `BranchMovedError` (twice), `PushRefusedError`, and what `place_changelog` and the
    repository raise.
    """
    asked = _read(ports, product, version)
    repository = open_repository(ports, asked.product)
    template = stored_template(asked.keeping, Form.MARKDOWN, product=product)
    chapter, text = (
        write_out(
            [asked.told],
            form=Form.MARKDOWN,
            title=title,
            language=asked.keeping.language,
            template=template,
            engine=ports.templates,
        )
        for title in ("", f"{asked.title} {asked.version}")
    )
    telling = Telling(version=parse(asked.version, scheme=asked.scheme), chapter=chapter, text=text)
    for left in range(_TRIES - 1, -1, -1):
        repository.fetch()
        to = branch or asked.keeping.branch or asked.product.branch or _main(repository, product)
        try:
            return _commit(ports, asked, repository, telling, branch=to, by=by, replace=replace)
        except BranchMovedError:
            if not left:
                raise
    raise AssertionError(product)  # the last try answers or raises


def _read(ports: Ports, product: str, version: str) -> _Asked:
    now = ports.clock.now()
    with ports.database.reading() as session:
        row = products.get(session, product)
        release = releases.get(session, row, version)
        if release.state not in notes.VISIBLE:
            raise RefusedError(
                f"{product} {release.version} is {release.state}: customers cannot see it yet.",
                rule="not-published",
                advice=f"Publish it first: releaser publish {product} {release.version}.",
                field="version",
            )
        keeping = load(ChangelogKeeping, row.changelog)
        told = changelog.of_releases(session, [release], now=now, language=keeping.language)[0]
        came = fragments.of_releases(session, [release.id]).get(release.id, [])
        return _Asked(
            product=row,
            release_id=release.id,
            version=release.version,
            scheme=row.scheme,
            title=row.title or row.name,
            keeping=keeping,
            told=told,
            fragments=tuple(came),
        )


def _main(repository: Repository, product: str) -> str:
    main = repository.refs().main
    if main is None:
        raise RefusedError(
            f"The repository of '{product}' has no default branch.",
            rule="no-branch",
            advice="Name one with --branch.",
            field="branch",
        )
    return main


def _commit(
    ports: Ports, asked: _Asked, repository: Repository, telling: Telling, *, branch: str, by: str, replace: bool
) -> Facts:
    with ports.database.reading() as session:
        ours = chapters.digests(session, asked.release_id, branch=branch)
    tip = repository.tip(branch)
    placed = place_changelog(
        lambda path: repository.file_at(tip, path),
        telling,
        keeping=asked.keeping,
        tag_format=TagFormat(scheme=asked.scheme, text=asked.product.tag_format),
        ours=ours,
        replace=replace,
    )
    files: dict[str, bytes | None] = {one.path: one.content for one in placed if one.is_changed}
    files |= dict.fromkeys(_told_fragments(repository, tip, asked))
    now = ports.clock.now()
    commit = repository.commit_files(files, onto=tip, message=f"docs(changelog): {asked.title} {asked.version}", at=now)
    _remember(ports, asked, placed, branch=branch, by=by)
    if commit is not None:
        repository.push_branch(branch, commit=commit, expected=tip)
    return {
        "product": asked.product.name,
        "version": asked.version,
        "branch": branch,
        "commit": commit,
        "unchanged": commit is None,
        "files": sorted(files),
    }


def _told_fragments(repository: Repository, tip: str, asked: _Asked) -> list[str]:
    """The fragments of the release that still stand on the branch as they were told."""
    folder = asked.keeping.fragments
    if not folder or not asked.fragments:
        return []
    there = repository.folders([tip], folder).get(tip, {})
    known = {one.name: one.text for one in asked.fragments}
    texts = repository.blobs([blob for name, blob in there.items() if name in known], largest=_LARGEST)
    return [
        f"{folder}/{name}"
        for name, blob in there.items()
        if name in known and plain_lines(texts[blob].decode(errors="replace")) == known[name]
    ]


def _remember(ports: Ports, asked: _Asked, placed: list[PlacedFile], *, branch: str, by: str) -> None:
    """Before the push: what is pushed by a process that dies then is ours all the same."""
    with ports.database.transaction() as session:
        chapters.record(
            session,
            asked.release_id,
            branch=branch,
            written={one.path: one.digest for one in placed},
            now=ports.clock.now(),
            by=by,
        )
