"""Take over what runs already, as it is: declare it, and record what runs. No container is touched.

What of a container cannot be declared is kept: every update copies it from the container before. The version is what the
caller says, else the release that the image was recorded for, else a guess from the image's label or tag.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from sqlalchemy import select
from sqlalchemy.orm import Session

from releaser.domain.adoption import Adoptable, Basis, guess
from releaser.domain.declaration import Declaration, DeclaredHost, DeclaredInstallation, DeclaredTarget, sparse
from releaser.domain.target import DriverName
from releaser.domain.version import Scheme
from releaser.errors import ConflictError, InvalidError, RefusedError
from releaser.flows.apply_declaration import apply_declaration
from releaser.flows.ports import Facts, Ports
from releaser.flows.show_installation import show_installation
from releaser.store import declared, drifts, installations, products, releases
from releaser.store.installations import Host, Installed, Target
from releaser.store.plain import dump
from releaser.targets.target import Adopting


class NothingToAdoptError(InvalidError):
    """Nothing was named that could be taken over."""


class ModuleUnclearError(InvalidError):
    """It is not clear which module of the product a container is."""


class TargetThereError(ConflictError):
    """The installation has a target for that module on that host."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToAdopt:
    """What is to be taken over: containers by name, or a compose project, on one host; with the driver `swarm` services, or a stack.

    `containers` maps a container to its module, `modules` a service of the project; an empty module is worked out.
    `versions` says by module which version runs, where it is known. `address` is for a host that is not there yet.
    """

    installation: DeclaredInstallation
    host: str
    address: str = ""
    containers: Mapping[str, str] = field(default_factory=dict)
    project: str = ""
    modules: Mapping[str, str] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    driver: DriverName = DriverName.DOCKER


@dataclass(frozen=True, slots=True, kw_only=True)
class _Taken:
    """One container with the module it is and the version it runs."""

    module: str
    found: Adoptable
    version: str
    basis: Basis
    warnings: tuple[str, ...]


def adopt_installation(ports: Ports, *, what: ToAdopt, dry_run: bool, by: str) -> Facts:
    """Tell what would be declared and recorded, and unless `dry_run` do so. Run again it adds what is missing.

    Facts: `declaration` (as an export writes it), `targets` with version, digest and what is `kept`, what is `left`
    alone, and the `installation` when it was done. Raises `NothingToAdoptError`, `ModuleUnclearError`, `TargetThereError`,
    `InvalidDeclarationError`, `RefusedError`, `OutsideError`.
    """
    address = _address(ports, what)
    driver = ports.drivers[what.driver]
    if not isinstance(driver, Adopting):
        raise RefusedError(
            f"The driver '{what.driver.value}' cannot take over what runs.",
            rule="adopt-unsupported",
            advice="Declare the installation with `releaser apply`.",
            field="driver",
        )
    if bool(what.containers) == bool(what.project):
        raise NothingToAdoptError(
            "Name what is to be taken over: containers, or one compose project; services of a swarm, or one stack.",
            advice="Use --container or --service NAME=MODULE (repeatable), or --compose-project or --stack NAME.",
            field="container",
        )
    found = driver.adoptable(address, names=tuple(what.containers), project=what.project)
    taken, left = _matched(ports, what, found)
    declaration = _declaration(ports, what, taken)
    apply_declaration(ports, declaration=declaration, dry_run=dry_run, prune=False, by=by)
    if not dry_run:
        _record(ports, what, taken, by=by)
    return {
        "dry_run": dry_run,
        "declaration": sparse(declaration),
        "targets": [_facts(what, one) for one in taken],
        "left": [{"container": one.name, "service": one.service, "image": one.image} for one in left],
        "installation": None if dry_run else show_installation(ports, installation=what.installation.name),
    }


def _address(ports: Ports, what: ToAdopt) -> str:
    with ports.database.reading() as session:
        host = session.scalars(select(Host).where(Host.name == what.host)).one_or_none()
    if host is None and not what.address:
        raise InvalidError(
            f"There is no host '{what.host[:80]}'.",
            advice=f"Add it with its engine's address: --host {what.host[:80]}=unix:///var/run/docker.sock.",
            field="host",
        )
    known = host.address if host is not None else ""
    if known and what.address not in {"", known}:
        raise InvalidError(
            f"Host '{what.host}' is at {known}.",
            advice=f"Leave the address out, or give that machine another name than '{what.host}'.",
            field="host",
        )
    return what.address or known


def _matched(
    ports: Ports, what: ToAdopt, found: Sequence[Adoptable]
) -> tuple[tuple[_Taken, ...], tuple[Adoptable, ...]]:
    """Which container is which module. Of a project, what is no module of the product is left alone."""
    with ports.database.reading() as session:
        product = products.get(session, what.installation.product)
        images = {module.name: module.image for module in product.modules}
        scheme, product_id = product.scheme, product.id
        by_digest = {
            one.container_id: releases.version_of_digest(session, product_id, one.digest) if one.digest else None
            for one in found
        }
    taken: dict[str, _Taken] = {}
    left = []
    for one in found:
        module = _module(what, one, images, alone=len(found) == 1)
        if module is None:
            left.append(one)
            continue
        if module in taken:
            raise RefusedError(
                f"{taken[module].found.name} and {one.name} are both module '{module}' on host '{what.host}'.",
                rule="one-target-per-module",
                advice="A target is one container, or one service: name the one that is to be taken over: --container, --service, or --module SERVICE=MODULE.",
                field="container",
            )
        taken[module] = _judged(what, one, module, images[module], scheme, by_digest[one.container_id])
    if not taken:
        raise ModuleUnclearError(
            f"None of {', '.join(one.service or one.name for one in found)} is a module of '{what.installation.product}'.",
            advice=f"Say which is which: --module SERVICE=MODULE; modules: {', '.join(images) or 'none are declared'}.",
            field="module",
        )
    return tuple(taken.values()), tuple(left)


def _module(what: ToAdopt, one: Adoptable, images: Mapping[str, str], *, alone: bool) -> str | None:
    """As said, else by the module's image, else by its name, else the only one there is. None: not of the product."""
    said = what.containers.get(one.name, "") or what.modules.get(one.service, "") or what.modules.get(one.name, "")
    if said:
        if said not in images:
            raise ModuleUnclearError(
                f"Product '{what.installation.product}' has no module '{said[:80]}'.",
                advice=f"There are: {', '.join(images) or 'none; declare them with `releaser apply`'}.",
                field="module",
            )
        return said
    # What is said of another one is not guessed of this one.
    open_to = images.keys() - {*what.containers.values(), *what.modules.values()}
    by_image = [name for name, image in images.items() if image and _repository(image) == one.image and name in open_to]
    if len(by_image) == 1:
        return by_image[0]
    for name in (one.service, one.name):
        if name in open_to:
            return name
    if alone and len(images) == 1 and open_to:
        return next(iter(images))
    if what.project:
        return None
    raise ModuleUnclearError(
        f"It is not clear which module of '{what.installation.product}' container {one.name} is.",
        advice=f"Say it: --container {one.name}=MODULE; modules: {', '.join(images) or 'none are declared'}.",
        field="container",
    )


def _repository(template: str) -> str:
    repository, colon, tag = template.rpartition(":")
    return repository if colon and "/" not in tag else template


def _judged(what: ToAdopt, one: Adoptable, module: str, template: str, scheme: Scheme, by_digest: str | None) -> _Taken:
    version, basis = guess(one, scheme=scheme, given=what.versions.get(module, ""), by_digest=by_digest)
    return _Taken(
        module=module,
        found=one,
        version=version,
        basis=basis,
        warnings=(*one.warnings, *_warnings(one, version, template)),
    )


def _warnings(one: Adoptable, version: str, template: str) -> Iterator[str]:
    if not version:
        yield f"which version {one.name} runs is not known: say it with --running MODULE=VERSION"
    if one.digest is None:
        yield f"the image of {one.name} came from no registry: only the container itself can be gone back to"
    if not template:
        yield "the module has no image template yet, so nothing can be rolled out: declare one"
    elif _repository(template) != one.image:
        yield f"{one.name} runs {one.image}; updates come from {_repository(template)}"


def _declaration(ports: Ports, what: ToAdopt, taken: Sequence[_Taken]) -> Declaration:
    """What is there already stays as declared; a target that is there and runs something is not taken over again."""
    with ports.database.reading() as session:
        row = installations.find(session, what.installation.name)
        there = {f"{t.module.name}@{t.host.name}" for t in row.targets if t.digest or t.adopted} if row else set()
        known = {one.name: one for one in declared.read(session).installations} if row else {}
    base = known.get(what.installation.name, what.installation)
    if (base.customer, base.product) != (what.installation.customer, what.installation.product):
        raise TargetThereError(
            f"Installation '{base.name}' is of {base.product} at {base.customer}.",
            advice="Choose another name.",
            field="name",
        )
    targets = tuple(
        DeclaredTarget(module=one.module, host=what.host, spec=one.found.spec, driver=what.driver) for one in taken
    )
    for target in targets:
        if target.name in there:
            raise TargetThereError(
                f"Installation '{base.name}' has target {target.name} already.",
                advice=f"See `releaser installation show {base.name}`.",
                field="container",
            )
    hosts = (DeclaredHost(name=what.host, address=what.address),) if what.address else ()
    return Declaration(hosts=hosts, installations=(replace(base, targets=targets),))


def _record(ports: Ports, what: ToAdopt, taken: Sequence[_Taken], *, by: str) -> None:
    with ports.database.transaction() as session:
        row = installations.get(session, what.installation.name)
        targets = {target.module.name: target for target in row.targets if target.host.name == what.host}
        for one in taken:
            _record_one(session, ports, targets[one.module], one, by=by)


def _record_one(session: Session, ports: Ports, target: Target, one: _Taken, *, by: str) -> None:
    now, found = ports.clock.now(), one.found
    target.version, target.image, target.digest = one.version, found.image, found.digest or ""
    target.running_spec = dump(found.spec)
    target.installed_at = found.started_at or now
    target.adopted = {
        "at": now.isoformat(),
        "by": by,
        "container": found.name,
        "version_from": one.basis.value,
        "guess": one.basis.is_guess,
        "kept": [kept.name for kept in found.kept],
    }
    drifts.remember(target, dict(found.configuration))
    if one.version:
        session.add(
            Installed(target_id=target.id, version=one.version, digest=found.digest or "", at=found.started_at or now)
        )


def _facts(what: ToAdopt, one: _Taken) -> Facts:
    found = one.found
    return {
        "module": one.module,
        "host": what.host,
        "driver": what.driver.value,
        "container": found.name,
        "service": found.service or None,
        "image": f"{found.image}:{found.tag}" if found.tag else found.image,
        "digest": found.digest,
        "version": one.version or None,
        "version_from": one.basis.value,
        "guess": one.basis.is_guess,
        "state": found.state,
        "since": found.started_at,
        "spec": sparse(found.spec),
        "kept": [{"name": kept.name, "value": kept.value} for kept in found.kept],
        "warnings": list(one.warnings),
    }
