"""Taking over what runs already: what is found, what of it can be declared, and which version it may be. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from releaser.domain.spec import AnySpec
from releaser.domain.version import InvalidVersionError, Scheme, parse


class Basis(StrEnum):
    """How it is known which version runs; all but the first two are guesses."""

    GIVEN = "given"
    DIGEST = "digest"
    LABEL = "label"
    TAG = "tag"
    UNKNOWN = "unknown"

    @property
    def is_guess(self) -> bool:
        """Whether it rests on a name somebody chose."""
        return self in {Basis.LABEL, Basis.TAG}


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A setting that is not declared and stays by being copied from container to container; a secret's `value` is not shown."""

    name: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Adoptable:
    """A container, or a service of a swarm, that runs, as it would be taken over.

    `service` is its name in its compose project. `digest` is None for an image that no registry gave. `configuration`
    are all its settings as drift compares them.
    """

    container_id: str
    name: str
    service: str
    image: str
    tag: str
    digest: str | None
    version_label: str
    state: str
    started_at: datetime | None
    spec: AnySpec
    kept: tuple[Kept, ...] = ()
    warnings: tuple[str, ...] = ()
    configuration: Mapping[str, str] = field(default_factory=dict)


def guess(
    found: Adoptable, *, scheme: Scheme, given: str, by_digest: str | None, tag_prefixes: Iterable[str] = ("v",)
) -> tuple[str, Basis]:
    """Which version runs, and how that is known; `by_digest` is the release whose image it is. Raises for a bad `given`."""
    if given:
        return parse(given, scheme=scheme).text, Basis.GIVEN
    if by_digest:
        return by_digest, Basis.DIGEST
    for text, basis in ((found.version_label, Basis.LABEL), (found.tag, Basis.TAG)):
        for candidate in (text, *(text.removeprefix(prefix) for prefix in tag_prefixes)):
            try:
                return parse(candidate, scheme=scheme).text, basis
            except InvalidVersionError:
                continue
    return "", Basis.UNKNOWN
