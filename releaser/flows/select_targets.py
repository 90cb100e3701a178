"""Select the targets of a rollout: who is meant, in which order and wave, who is passed over, and what rules say of it.

Everything is read at once and handed on as data that outlives the session, so that nothing can change under a plan that is
being made. What does not live here: what the targets are made from (`resolve_images`), what runs there (`make_plan`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from releaser.domain import selector as selectors
from releaser.domain.drift import Recorded
from releaser.domain.operation import Operation
from releaser.domain.plan import Passed, Refusal, RolloutOptions
from releaser.domain.spec import AnySpec
from releaser.domain.target import Desired, DriverName
from releaser.domain.version import Scheme, parse
from releaser.domain.waves import split
from releaser.domain.way import RequiredStop
from releaser.errors import InvalidError, NotFoundError, RefusedError
from releaser.flows.refuse_release import check_state, refuse_release
from releaser.store import bases, drifts, installations, pins, products, releases, ways
from releaser.store.installations import Installation, Target
from releaser.store.plain import load_spec
from releaser.store.releases import Release


class NothingSelectedError(NotFoundError):
    """The selector names no installation of the product."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeOf:
    """What a module's targets are made from: its name and templates; `is_file` tells which of the two is meant."""

    module_id: int
    module: str
    image: str
    artifact: str
    is_file: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """One target that is meant, with what is recorded of it. `pin` and `since` are for people, empty when there is none.

    `scaled`: what runs there is meant to run on, made from another specification.
    """

    target_id: int
    installation_id: int
    installation: str
    customer: str
    module: str
    host: str
    address: str
    generation: int
    wave: int
    driver: DriverName
    spec: AnySpec
    scaled: bool
    previous: Desired | None
    recorded: Recorded
    running: str
    pin: str
    since: str
    contract: str
    made_of: MadeOf


@dataclass(frozen=True, slots=True, kw_only=True)
class Selected:
    """What was selected; `known` are the images that the candidate recorded, by module (image with tag, digest).

    `one_ways` are all versions of the product that are not safe to roll back; no target is newer than `newest_target`. `basis`
    names what is recorded of all this (`store.bases`).
    """

    version: str
    scheme: Scheme
    selector: str
    targets: tuple[Chosen, ...]
    passed: tuple[Passed, ...]
    refusals: tuple[Refusal, ...]
    known: Mapping[int, tuple[str, str]]
    one_ways: tuple[RequiredStop, ...]
    newest_target: int
    basis: str


def select_targets(
    session: Session,
    *,
    product: str,
    version: str,
    selector: str,
    options: RolloutOptions,
    only: Collection[int] | None = None,
) -> Selected:
    """The targets meant, of those numbered in `only` where given. Raises `InvalidError`, `NotFoundError`, `RefusedError`."""
    parsed = selectors.parse(selector)
    row = products.get(session, product)
    release = releases.get(session, row, version)
    check_state(release)
    chosen = _chosen(installations.everything(session, product_id=row.id), parsed, release, only)
    chosen, passed = _not_pinned(chosen, options)
    _check_one_off(chosen, options)
    waves = split([one.name for one in chosen], sizes=options.waves)
    wave_of = {name: number for number, names in enumerate(waves, start=1) for name in names}
    targets = tuple(
        _target(target, wave=wave_of[one.name], operation=options.operation)
        for one in chosen
        for target in one.targets
        if _among(target, only) and (options.operation is None or target.module.name == options.operation.module)
    )
    _check_still_runs(targets, release)
    return Selected(
        version=release.version,
        scheme=release.product.scheme,
        selector=str(parsed),
        targets=targets,
        passed=passed,
        refusals=tuple(refuse_release(session, release, chosen)),
        known={image.module_id: (image.image, image.digest) for image in release.images},
        one_ways=ways.one_ways(session, row),
        newest_target=installations.newest_target(session),
        basis=bases.basis(session, release, [one.target_id for one in targets]),
    )


def _check_still_runs(targets: Sequence[Chosen], release: Release) -> None:
    """What is scaled is the version that it was planned for: another one may have come since somebody looked, or scheduled it."""
    scheme = release.product.scheme
    wanted = parse(release.version, scheme=scheme)
    for one in targets:
        if one.scaled and one.previous is not None and parse(one.previous.version, scheme=scheme) != wanted:
            raise RefusedError(
                f"{one.installation} ({one.module}) runs {one.previous.version} now, and it was {release.version} that was to be scaled.",
                rule="scale-what-runs",
                advice="Scale it again: what is planned then is the version that runs.",
                installation=one.installation,
            )


def _among(target: Target, only: Collection[int] | None) -> bool:
    return only is None or target.id in only


def _chosen(
    everything: Sequence[Installation],
    selector: selectors.Selector,
    release: Release,
    only: Collection[int] | None,
) -> Sequence[Installation]:
    """The installations meant, canaries first, then ring by ring and by name."""
    chosen = [
        one
        for one in everything
        if any(_among(target, only) for target in one.targets) and selector.matches(_facts(one, release))
    ]
    if not chosen:
        raise NothingSelectedError(
            f"'{selector}' selects no installation of '{release.product.name}' that has targets.",
            advice="See `releaser installation list`; use 'all' for every one.",
            field="selector",
        )
    return sorted(chosen, key=lambda one: (one.ring != "canary", one.ring, one.name))


def _not_pinned(
    chosen: Sequence[Installation], options: RolloutOptions
) -> tuple[Sequence[Installation], tuple[Passed, ...]]:
    """A single piece of work is for its one installation, pinned or not; a mass rollout passes pinned ones over."""
    if options.one_off or options.unpin or options.operation:
        return chosen, ()
    passed = tuple(
        Passed(installation=one.name, customer=one.customer.name, reason=pins.in_words(one.pin))
        for one in chosen
        if one.pin is not None
    )
    free = [one for one in chosen if one.pin is None]
    if not free:
        raise RefusedError(
            f"Every installation selected is pinned: {'; '.join(f'{one.installation} is {one.reason}' for one in passed[:5])}.",
            rule="pinned",
            advice="Take them along with --unpin, or unpin one: releaser installation unpin NAME.",
            field="selector",
        )
    return free, passed


def _check_one_off(chosen: Sequence[Installation], options: RolloutOptions) -> None:
    if not options.one_off:
        return
    if len(chosen) != 1:
        raise InvalidError(
            f"A one-off is for one installation, and {len(chosen)} are selected.",
            advice="Name it: --to installation=NAME.",
            field="selector",
        )
    for field, text in (("ticket", options.ticket), ("reason", options.reason)):
        if not text.strip():
            raise InvalidError(
                f"A one-off needs its {field}: it is shown to whoever plans the next rollout.",
                advice=f"Give one with --{field}.",
                field=field,
            )


def _facts(installation: Installation, release: Release) -> dict[str, str]:
    running = next((t.version for t in installation.targets if t.version), "")
    line = parse(running, scheme=release.product.scheme).line if running else ""
    return {
        "customer": installation.customer.name,
        "installation": installation.name,
        "ring": installation.ring,
        "line": line,
        "delivery": installation.delivery,
        **{f"label.{key}": str(value) for key, value in installation.labels.items()},
    }


def _previous(target: Target) -> Desired | None:
    if not target.digest or target.running_spec is None:
        return None
    return Desired(
        version=target.version,
        image=target.image,
        digest=target.digest,
        spec=load_spec(target.running_spec),
    )


def _contract(zone: str, regulation: Mapping[str, object]) -> str:
    """Names the rules of a contract, so that a change of them can be noticed; empty when there are none."""
    if not regulation:
        return ""
    return hashlib.sha256(json.dumps([zone, regulation], sort_keys=True).encode()).hexdigest()[:12]


def _target(target: Target, *, wave: int, operation: Operation | None) -> Chosen:
    installation, module = target.installation, target.module
    previous, spec = _previous(target), load_spec(target.spec)
    if operation is not None:
        # What is declared besides, for the next version, is not this work's to bring.
        spec = operation.made_of(previous.spec, declared=spec) if previous is not None else operation.changed(spec)
    return Chosen(
        target_id=target.id,
        installation_id=installation.id,
        installation=installation.name,
        customer=installation.customer.name,
        module=module.name,
        host=target.host.name,
        address=target.host.address,
        generation=target.generation,
        wave=wave,
        driver=target.driver,
        spec=spec,
        scaled=operation is not None,
        previous=previous,
        recorded=drifts.recorded(target),
        running=target.version,
        pin=pins.in_words(installation.pin) if installation.pin is not None else "",
        since=target.drift["since"][:16].replace("T", " ") + "Z" if target.drift else "",
        contract=_contract(installation.customer.zone, installation.customer.regulation),
        made_of=MadeOf(
            module_id=module.id,
            module=module.name,
            image=module.image,
            artifact=module.artifact,
            is_file=target.driver is DriverName.FILES,
        ),
    )
