"""Makes what is declared so: all of it in one transaction, or nothing.

Rules: what the declaration leaves out is left alone and told; with `prune` it is removed, unless anything refers to it. The
same declaration again changes nothing. What runs somewhere is never touched from here: that is a rollout's, and where one has
begun something, address and driver stay as they are until it has ended.
"""

from __future__ import annotations

from sqlalchemy.orm import Session

from releaser.domain.declaration import (
    Action,
    Change,
    Declaration,
    InvalidDeclarationError,
    Noun,
    Problem,
    check,
    differences,
    kept,
    left_out,
)
from releaser.errors import InvalidError, OutsideError, RefusedError
from releaser.flows.ports import Facts, Ports
from releaser.sources.source import TemplateEngine
from releaser.store import declared, products, releases, rollouts
from releaser.store.schema import metadata


class InUseError(RefusedError):
    """Something is to be removed or changed that other things refer to."""


def apply_declaration(ports: Ports, *, declaration: Declaration, dry_run: bool, prune: bool, by: str) -> Facts:
    """Tell the difference between what is declared and what is, and unless `dry_run` make it so.

    Facts: `changes` (each `noun`, `name`, `action`, `fields` with old and new), how many were `created`, `changed` and
    `removed`, and what is `left_out` of the declaration. Raises `InvalidDeclarationError`, `InUseError`.
    """
    _check_templates(ports.templates, declaration)
    faults = _faulty_repositories(ports, declaration)
    if dry_run:
        with ports.database.reading() as session:
            changes, rest = _planned(session, declaration, faults, prune=prune)[1:3]
    else:
        with ports.database.transaction() as session:
            wanted, changes, rest, gone = _planned(session, declaration, faults, prune=prune)
            declared.write(session, wanted, changes, gone, now=ports.clock.now(), by=by)
        if changes:
            ports.wake()
    counts = {action.value: sum(c.action is action for c in changes) for action in Action}
    return {
        "dry_run": dry_run,
        "changes": [change.facts() for change in changes],
        **counts,
        "left_out": [] if prune else rest,
    }


def _planned(
    session: Session, declaration: Declaration, faults: list[Problem], *, prune: bool
) -> tuple[Declaration, tuple[Change, ...], list[dict[str, str]], list[declared.Gone]]:
    """What shall be in all, what changes, what the declaration leaves out, and which rows are to go.

    `faults` are told beside what is found here.
    """
    current = declared.read(session)
    wanted = declaration if prune else kept(declaration, current)
    ours, known = _sides(declaration, wanted)
    if problems := [*check(ours, known=known), *faults]:
        raise InvalidDeclarationError(problems)
    changes = differences(current, wanted)
    gone = declared.gone(session, wanted) if prune else []
    _check_nobody_holds(session, gone)
    _check_under_way(session, current, wanted)
    _check_schemes(session, changes)
    return wanted, changes, left_out(declaration, current), gone


def _check_templates(engine: TemplateEngine, declaration: Declaration) -> None:
    """Templates that cannot be read are told where they are declared, and not when a release is published."""
    problems = []
    for index, product in enumerate(declaration.products):
        for form, text in product.changelog.templates.items():
            place = ("products", index, "changelog", "templates", form)
            try:
                engine.check(text, name=f"templates.{form}")
            except InvalidError as error:
                origin = declaration.origin(place)
                problems.append(Problem(place=place, detail=error.detail, advice=error.advice, origin=origin))
    if problems:
        raise InvalidDeclarationError(problems)


def _faulty_repositories(ports: Ports, declaration: Declaration) -> list[Problem]:
    """What can be no repository is told where it is declared, and not by the first collect; what stays is not looked at."""
    with ports.database.reading() as session:
        held = {row.name: row.repository for row in products.everything(session)}
    problems = []
    for index, product in enumerate(declaration.products):
        if product.repository == held.get(product.name):
            continue
        place = ("products", index, "repository")
        try:
            ports.repositories.check(product.repository)
        except (InvalidError, RefusedError, OutsideError) as error:
            origin = declaration.origin(place)
            problems.append(Problem(place=place, detail=error.detail, advice=error.advice, origin=origin))
    return problems


def _sides(declaration: Declaration, wanted: Declaration) -> tuple[Declaration, Declaration]:
    """What is declared, with the modules and targets that it leaves out, and everything else that stays."""
    counts = {noun.group: len(noun.of(declaration)) for noun in Noun}
    named = {noun.group: noun.of(wanted)[: counts[noun.group]] for noun in Noun}
    other = {noun.group: noun.of(wanted)[counts[noun.group] :] for noun in Noun}
    return Declaration(**named, origins=declaration.origins), Declaration(**other)  # type: ignore[arg-type]  # by group


def _check_nobody_holds(session: Session, gone: list[declared.Gone]) -> None:
    held = []
    for one, found in declared.holders(session, gone, tables=metadata.sorted_tables):
        rows = ", ".join(f"{count} in {table.replace('_', ' ')}" for table, count in sorted(found.items()))
        held.append(f"{one.label} ({rows})")
    if held:
        raise InUseError(
            f"These cannot be removed, because other things refer to them: {'; '.join(held[:20])}.",
            rule="in-use",
            advice="Declare them again, or apply without --prune: then they are left alone.",
            held=held,
        )


def _check_under_way(session: Session, current: Declaration, wanted: Declaration) -> None:
    """What was begun at a host is brought to its end there, by the driver that began it: forward, or back."""
    hosts = {host.name: host.address for host in current.hosts}
    moved = {host.name for host in wanted.hosts if host.address != hosts.get(host.name, host.address)}
    drivers = {(one.name, target.name): target.driver for one in current.installations for target in one.targets}
    driven = {
        (one.name, target.name)
        for one in wanted.installations
        for target in one.targets
        if target.driver != drivers.get((one.name, target.name), target.driver)
    }
    if not moved and not driven:
        return
    held = [
        f"{installation}/{module}@{host} (rollout {rollout})"
        for rollout, installation, module, host in rollouts.begun(session)
        if host in moved or (installation, f"{module}@{host}") in driven
    ]
    if held:
        raise InUseError(
            f"A host's address and a target's driver cannot change while an update is under way there: {'; '.join(held[:20])}.",
            rule="under-way",
            advice="Apply it again once those updates have ended; `releaser rollout abort` ends them before.",
            field="address" if moved else "driver",
            held=held,
        )


def _check_schemes(session: Session, changes: tuple[Change, ...]) -> None:
    """Versions that were given are numbers of their scheme."""
    for change in changes:
        changes_scheme = change.noun is Noun.PRODUCT and any(f.field == "scheme" for f in change.fields)
        if changes_scheme and change.action is Action.CHANGED:
            row = products.get(session, change.name)
            if count := releases.count(session, row.id):
                raise InUseError(
                    f"The scheme of product '{row.name}' cannot change: {count} releases are numbered by it.",
                    rule="scheme-in-use",
                    advice="Declare another product for the new scheme.",
                    field="scheme",
                )
