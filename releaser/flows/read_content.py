"""What a cut would bring and leave out, read from the collected history: the facts of the gate that git tells."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date

from sqlalchemy.orm import Session

from releaser.domain.content import Brought, ChangeKind, brought
from releaser.domain.gate import Frozen, TakenBack
from releaser.domain.history import BranchHead, Change, Head, History, LineStatus, Standing, TicketTable
from releaser.domain.line import SUPPORTED, TicketKind
from releaser.domain.missing import CutPlace, Missing, Supported, missing_fixes
from releaser.domain.release import CutKind
from releaser.domain.ticket import TicketRelation
from releaser.errors import ConflictError, RefusedError
from releaser.flows.freeze_state import freeze_state
from releaser.flows.judge_tickets import judge_tickets
from releaser.flows.number_cut import Numbered
from releaser.flows.open_history import open_history
from releaser.flows.open_repository import open_repository
from releaser.flows.ports import Facts, Ports
from releaser.flows.read_rules import read_rules
from releaser.flows.recall_tags import recall_tags
from releaser.flows.refresh_history import refresh_history
from releaser.i18n import Phrase, mark
from releaser.sources.source import BranchNotFoundError, Repository
from releaser.store import lines, marks, overrides, products, releases
from releaser.store.products import Product
from releaser.store.releases import Release


class BranchMovedError(ConflictError):
    """The branch moved while it was looked at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What is at the tip of the branch, against `numbered.previous`. `in_force` are all tickets fixed there.

    `missing` are tickets that a supported line is known to lack the fix of, `uncertain` those of which nobody knows whether one
    does. `train_on` is the slot of the train that a stable leaves with.
    """

    numbered: Numbered
    branch: str
    commit: str
    brought: tuple[Brought, ...]
    in_force: frozenset[str]
    taken_back: tuple[TakenBack, ...]
    frozen: tuple[Frozen, ...]
    missing: tuple[Missing, ...]
    uncertain: tuple[Missing, ...]
    train_on: date | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Said:
    """What people said that bears on it."""

    kinds: dict[str, TicketKind]
    supported: tuple[Supported, ...]
    statuses: dict[tuple[str, str], LineStatus]


def read_content(ports: Ports, *, product: str, numbered: Numbered, opened: Release | None = None) -> Content:
    """Read it as of the last collect. It touches files, so no transaction may be open.

    With `opened`, a cut that has the number already, it is what that release is made of, wherever the branch is by now.
    Raises `BranchNotFoundError`, `RefusedError` (rules `no-branch`, `not-collected`), `BranchMovedError`.
    """
    with ports.database.reading() as session:
        row = products.get(session, product)
        said = _said(session, ports, row)
    repository = open_repository(ports, row)
    if opened is None:
        history = open_history(ports, product=product)
        branch, commit = _tip(repository, numbered, product)
    else:
        history = _before(ports, row, repository, opened)
        branch, commit = opened.branch, opened.commit
    head = next((one for one in history.heads if one.branch == branch and one.commit == commit), None)
    if head is None:
        raise BranchMovedError(
            Phrase(mark("Branch '{branch}' moved while it was read."), branch=branch),
            advice=Phrase(mark("Repeat the command.")),
        )
    changes = history.pending(head, since=numbered.previous)
    content = brought(changes, marks=said.kinds)
    missing, uncertain = _missing(ports, product, history, _place(head, numbered, content, said), said)
    freeze = _freeze(ports, product, numbered, branch=branch, commit=commit)
    return Content(
        numbered=numbered,
        branch=branch,
        commit=commit,
        brought=content,
        in_force=frozenset(key for key, force, _ in TicketTable(history).places() if force >> head.bit & 1),
        taken_back=tuple(_taken_back(history, changes)),
        frozen=tuple(
            Frozen(commit=one["commit"], subject=one["subject"], tickets=tuple(one["tickets"]), why=one["why"])
            for one in freeze["violations"]
        ),
        missing=missing,
        uncertain=uncertain,
        train_on=opened.planned_on if opened is not None else freeze["train"],
    )


def _before(ports: Ports, product: Product, repository: Repository, opened: Release) -> History:
    """The history as it was when the cut was begun: its branch at its commit, and no tag of it yet."""
    known = open_history(ports, product=product.name)
    with ports.database.reading() as session:
        burned = releases.abandoned_tags(session, product.id)
    refs = recall_tags(ports, repository, product, repository.refs()).without_tags({*burned, opened.tag})
    heads = [head for head in refs.heads if head.name != opened.branch]
    refs = replace(refs, heads=(*heads, BranchHead(name=opened.branch, commit=opened.commit)))
    return refresh_history(
        repository, refs, rules=read_rules(product), known=known, with_tickets=True, keeping=False
    ).history


def _said(session: Session, ports: Ports, product: Product) -> _Said:
    standing = lines.standing(session, product, now=ports.clock.now()).values()
    has_rule = product.maintained_days is not None or product.supported_days is not None
    return _Said(
        kinds=marks.of_product(session, product.id),
        supported=tuple(
            Supported(line=one.name, phase=one.phase, is_stated=has_rule or not one.says_nothing)
            for one in standing
            if one.phase in SUPPORTED
        ),
        statuses={place: one.status for place, one in overrides.by_product(session, product.id).items()},
    )


def _tip(repository: Repository, numbered: Numbered, product: str) -> tuple[str, str]:
    """The first branch there is of those it may be cut from, and its newest commit."""
    *first, last = numbered.branches
    for branch in first:
        try:
            return branch, repository.tip(branch)
        except BranchNotFoundError:
            continue
    branch = last or _main(repository, product)
    return branch, repository.tip(branch)


def _main(repository: Repository, product: str) -> str:
    main = repository.refs().main
    if main is None:
        raise RefusedError(
            Phrase(mark("The repository of '{product}' has no default branch."), product=product),
            rule="no-branch",
            advice=Phrase(mark("Name the product's branch.")),
            field="branch",
        )
    return main


def _place(head: Head, numbered: Numbered, content: Sequence[Brought], said: _Said) -> CutPlace:
    marked = {key for key, kind in said.kinds.items() if kind is TicketKind.SECURITY}
    told = {key for one in content if one.kind is ChangeKind.SECURITY for key in one.fixes}
    return CutPlace(
        head=head,
        line=numbered.line,
        is_patch=numbered.kind is CutKind.PATCH,
        fixes={key for one in content if one.standing is Standing.SHOWN for key in one.fixes},
        security=marked | told,
    )


def _missing(
    ports: Ports, product: str, history: History, place: CutPlace, said: _Said
) -> tuple[tuple[Missing, ...], tuple[Missing, ...]]:
    table = judge_tickets(ports, product=product)

    def known(ticket: str, line: str) -> LineStatus | None:
        stated = said.statuses.get((ticket, line))
        if stated is not None or ticket not in table:
            return stated
        return next((one.status for one in table.judged(ticket, [line])), None)

    return missing_fixes(history, place, supported=said.supported, known=known)


def _taken_back(history: History, changes: Sequence[Change]) -> Iterator[TakenBack]:
    """Tickets whose fix some commit of the content takes back, whether the release before had it or not."""
    seen: set[str] = set()
    for change in changes:
        ids = change.reverts if change.standing is Standing.REVERT else ()
        undone = [(one, change.commit.id) for one in ids]
        if change.standing is Standing.REVERTED and change.reverted_by is not None:
            undone.append((change.commit.id, change.reverted_by))
        for target, by in undone:
            place = history.find(target)
            links = history.links.get(place, ()) if place is not None else ()
            for key in (link.key for link in links if link.relation is TicketRelation.FIXES):
                if key not in seen:
                    seen.add(key)
                    yield TakenBack(ticket=key, commit=by)


def _freeze(ports: Ports, product: str, numbered: Numbered, *, branch: str, commit: str) -> Facts:
    """What the freeze of the train says; a patch has no train."""
    if numbered.kind is CutKind.PATCH:
        return {"train": None, "violations": []}
    return freeze_state(ports, product=product, commit=commit, branch=branch, told=None)
