"""What rules refuse of rolling a release out to installations, by what is recorded of both."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sqlalchemy.orm import Session

from releaser.domain.plan import Refusal
from releaser.domain.plan_rules import no_way_back
from releaser.domain.release import ReleaseState
from releaser.domain.version import parse
from releaser.domain.way import RequiredStop, stops_on_way
from releaser.errors import RefusedError
from releaser.store import blocks, ways
from releaser.store.blocks import Block
from releaser.store.installations import Installation
from releaser.store.releases import Release

_DEPLOYABLE = frozenset({ReleaseState.PROMOTED, ReleaseState.PUBLISHED})


def check_state(release: Release) -> None:
    """Only what is promoted or published, and not withdrawn, is rolled out. Raises `RefusedError` (rule `release-state`)."""
    if release.state in _DEPLOYABLE:
        return
    if release.state is ReleaseState.YANKED:
        advice = f"It was yanked: {release.yank_reason or 'no reason given'}. Choose another version."
    else:
        advice = f"Promote it first: releaser promote {release.product.name} {release.version}."
    raise RefusedError(
        f"Release {release.version} of '{release.product.name}' is {release.state.value}, so it is not rolled out.",
        rule="release-state",
        advice=advice,
        field="version",
    )


def check_version(session: Session, release: Release) -> None:
    """That the release may be rolled out, whoever it is for. Raises `RefusedError` (rules `release-state`, `version-blocked`)."""
    check_state(release)
    for one in _blocked(session, release):
        raise RefusedError(one.detail, rule=one.rule, advice=one.advice, field=one.about, **one.facts)


def refuse_release(session: Session, release: Release, chosen: Sequence[Installation]) -> Iterator[Refusal]:
    """Every refusal: of the version itself, then by installation. Nothing is raised."""
    yield from _blocked(session, release)
    yield from _passed_stops(chosen, release, ways.required_stops(session, release.product))
    yield from _gone_back(session, chosen, release, ways.one_ways(session, release.product))


def _blocked(session: Session, release: Release) -> Iterator[Refusal]:
    """After a rollback the version waits for a person to say that it may go again."""
    block = blocks.standing(session, release.id)
    if block is not None:
        yield blocked_refusal(block)


def blocked_refusal(block: Block) -> Refusal:
    """Why a blocked version is refused, and what lets it go again."""
    release = block.release
    return Refusal(
        rule="version-blocked",
        detail=f"{release.version} is blocked for line {block.line} since {block.at:%Y-%m-%d %H:%M}Z: {block.reason}",
        advice="Roll a mended version out, or when the cause was another one: releaser release unblock "
        f"{release.product.name} {release.version} --reason REASON.",
        about="version",
        facts={"blocked_by_rollout": str(block.rollout_id)},
    )


def _gone_back(
    session: Session, chosen: Sequence[Installation], release: Release, one_ways: Sequence[RequiredStop]
) -> Iterator[Refusal]:
    """By what is recorded to run there, and by what failed there and was left as it is."""
    if not one_ways:
        return
    scheme = release.product.scheme
    left = ways.left_as_it_is(session, [target.id for one in chosen for target in one.targets])
    for installation in chosen:
        there = {
            version for target in installation.targets for version in (target.version, left.get(target.id)) if version
        }
        if there:
            newest = max(parse(version, scheme=scheme) for version in there)
            upto = parse(release.version, scheme=scheme)
            yield from no_way_back(one_ways, running=newest, upto=upto, installation=installation.name)


def _passed_stops(
    chosen: Sequence[Installation], release: Release, stops: Sequence[RequiredStop]
) -> tuple[Refusal, ...]:
    """What would pass a required stop by. Going back passes none."""
    upto = parse(release.version, scheme=release.product.scheme)
    found = []
    for installation in chosen:
        running = {target.version for target in installation.targets if target.version}
        passed = {
            (since, stop.version.text): stop for since in running for stop in _on_way(stops, since, upto.text, release)
        }
        for (since, _), stop in sorted(passed.items())[:1]:
            found.append(
                Refusal(
                    rule="required-stop",
                    detail=f"Installation '{installation.name}' runs {since}; on the way to {upto} it must not pass "
                    f"{stop.version} by: {stop.reason}",
                    advice=f"First: releaser plan {release.product.name} {stop.version} --to "
                    f"installation={installation.name}.",
                    about="version",
                    installation=installation.name,
                    facts={"required_stop": stop.version.text},
                )
            )
    return tuple(found)


def _on_way(stops: Sequence[RequiredStop], since: str, upto: str, release: Release) -> Sequence[RequiredStop]:
    scheme = release.product.scheme
    return tuple(stops_on_way(stops, parse(since, scheme=scheme), parse(upto, scheme=scheme)))
