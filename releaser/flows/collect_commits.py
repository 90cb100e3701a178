"""Read a product's history: fetch, compute which fix is in which version, and keep it. Nothing new is noticed early."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from releaser.domain.changelog import Fragment
from releaser.domain.changelog.keeping import ChangelogKeeping
from releaser.domain.history import Delta, History, Refs
from releaser.domain.train import TrainRules
from releaser.flows.keep_alarms import are_news, fetch_accepted, keep_alarms
from releaser.flows.open_repository import open_repository
from releaser.flows.ports import Facts, Ports, Progress, silent
from releaser.flows.read_fragments import read_fragments
from releaser.flows.read_rules import read_rules
from releaser.flows.recall_tags import recall_tags
from releaser.flows.refresh_history import refresh_history
from releaser.flows.rest_collector import rest_collector
from releaser.flows.see_heads import see_heads
from releaser.sources.source import Fetched, Repository
from releaser.store import collected, fragments, freezes, products, releases
from releaser.store.news import news
from releaser.store.plain import load
from releaser.store.products import Product

_MADE_BY = "1"
"""Names the rules a history is computed by; another number has every history read again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Read:
    """A history that was read, and what names the state it was read in."""

    history: History
    delta: Delta | None
    refs: Refs
    fingerprint: str
    seen_at: datetime
    fragments: Mapping[str, tuple[Fragment, ...]]


def collect_commits(ports: Ports, *, product: str, progress: Progress = silent) -> Facts:
    """Read what is new. The facts tell `unchanged`, counts, `new_releases`, `unread_tags` and alarms of moved tags.

    Idempotent. Raises `ProductNotFoundError`, `RefusedError` (no repository), and the errors of `sources.source`.
    """
    with ports.database.reading() as session:
        row = products.get(session, product)
        burned = releases.abandoned_tags(session, row.id)
    repository = open_repository(ports, row)
    fetched = fetch_accepted(ports, row, repository, progress=_part(progress, "fetch"))
    read = _read(ports, repository, row, burned, progress)
    if read is None:
        _see_again(ports, row)
        with ports.database.reading() as session:
            alarmed = are_news(session, row, fetched)
        if alarmed:
            with ports.database.transaction() as session:
                keep_alarms(session, products.get(session, product), fetched, None, now=ports.clock.now())
        with ports.database.reading() as session:
            return _facts(collected.counts(products.get(session, product)), row, fetched, read, new=[])
    progress("store", 0, None)
    with rest_collector():
        new, counts = _store(ports, row, fetched, read)
    ports.histories[row.id] = (read.fingerprint, read.history)
    return _facts(counts, row, fetched, read, new=new)


def _store(ports: Ports, product: Product, fetched: Fetched, read: _Read) -> tuple[list[str], dict[str, int]]:
    """Write what was read; the new versions, and how much there is of what."""
    told = news(read.history, read.delta, stands_at=product.history_state)
    while True:
        with ports.database.transaction() as session:
            row = products.get(session, product.name)
            new = collected.keep(session, row, told)
            if new is not None:
                fragments.keep(session, row.id, read.fragments)
                see_heads(session, row, read.refs, seen_at=read.seen_at)
                keep_alarms(session, row, fetched, read.history, now=read.seen_at)
                row.fingerprint, row.collected_at = read.fingerprint, read.seen_at
                return new, collected.counts(row)
        # Somebody else collected meanwhile, so the way from where the store stood leads nowhere now.
        told = news(read.history, None, stands_at="")


def _part(progress: Progress, what: str) -> Callable[[int, int | None], None]:
    return lambda done, total: progress(what, done, total)


def _see_again(ports: Ports, product: Product) -> None:
    """What is frozen is judged by where branches were seen, so it matters that one was seen unchanged."""
    if load(TrainRules, product.trains).phased and product.collected_at is not None:
        with ports.database.transaction() as session:
            freezes.see_again(session, product.id, since=product.collected_at, now=ports.clock.now())


def _read(
    ports: Ports, repository: Repository, product: Product, burned: frozenset[str], progress: Progress
) -> _Read | None:
    """The history as of now, or None when the same refs were read by the same rules before."""
    # What was burned is no release: the next one tells everything since the one before it.
    refs = repository.refs().without_tags(burned)
    seen_at = ports.clock.now()
    fingerprint = _fingerprint(refs, product, burned)
    if fingerprint == product.fingerprint:
        return None
    refs = recall_tags(ports, repository, product, refs)
    held = ports.histories.get(product.id)
    reading = refresh_history(
        repository,
        refs,
        rules=read_rules(product),
        known=held[1] if held is not None else None,
        with_tickets=True,
        progress=_part(progress, "commits"),
    )
    return _Read(
        history=reading.history,
        delta=reading.delta,
        refs=refs,
        fingerprint=fingerprint,
        seen_at=seen_at,
        fragments=_fragments(repository, product, reading.history),
    )


def _fragments(repository: Repository, product: Product, history: History) -> dict[str, tuple[Fragment, ...]]:
    """Version -> the changelog fragments that came with it; versions are written as the history writes them."""
    commits = {one.version: one.commit for one in history.releases}
    return read_fragments(
        repository,
        folder=load(ChangelogKeeping, product.changelog).fragments,
        releases={
            one.version.text: (one.commit, commits[one.previous] if one.previous else None) for one in history.releases
        },
    )


def _fingerprint(refs: Refs, product: Product, burned: frozenset[str]) -> str:
    rules = (
        _MADE_BY,
        product.scheme.value,
        product.tag_format,
        product.line_branch,
        *product.ticket_patterns,
        *sorted(burned),
        *(f"path {path}" for path in product.paths),
        *(f"fragments {folder}" for folder in [product.changelog.get("fragments")] if folder),
    )
    return hashlib.sha256("\0".join([refs.fingerprint, *rules]).encode()).hexdigest()


def _no_release(product: Product) -> str:
    return (
        f"No tag of the repository is a version in the format '{product.tag_format}', so there is no release yet: "
        "change the tag format with `releaser apply`, or cut the first release."
    )


def _facts(counts: dict[str, int], product: Product, fetched: Fetched, read: _Read | None, *, new: list[str]) -> Facts:
    unread = read.history.unread_tags if read else ()
    return {
        "product": product.name,
        "unchanged": read is None,
        **counts,
        "new_releases": new,
        "hint": "" if counts["releases"] else _no_release(product),
        "unread_tags": [{"tag": tag.name, "trouble": tag.trouble.value} for tag in unread],
        "alarms": [{"tag": a.name, "was": a.was, "now": a.now} for a in fetched.alarms],
    }
