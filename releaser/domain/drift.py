"""Drift: how what runs differs from what is recorded. Pure.

Recorded are the digest, the declaration and, from the first look after an update on, every setting of the container.
Values of settings that may be secret are known by a digest only: that they differ can be told, not what they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from releaser.domain.target import Health, Observation, Running

SECRET = "#"  # noqa: S105 -- the mark in front of a digest of a value
MADE_BY = "made by"
RUNNING = "running"
US, SOMEBODY = "a rollout", "somebody else"
_DOWN = frozenset({"created", "paused", "removing", "exited", "dead", "restarting"})
_SHOWN = 8


class DriftKind(StrEnum):
    """What is different."""

    MISSING = "missing"
    STOPPED = "stopped"
    IMAGE = "image"
    CONFIGURATION = "configuration"
    EXTRA = "extra"


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One thing that is not as recorded; `what` names the setting or the container."""

    kind: DriftKind
    what: str = ""
    recorded: str = ""
    observed: str = ""

    def __str__(self) -> str:
        return {
            DriftKind.MISSING: f"nothing runs, recorded is {self.recorded}",
            DriftKind.STOPPED: f"{self.what} is {self.observed}",
            DriftKind.IMAGE: f"another image runs: {self.observed} instead of {self.recorded}",
            DriftKind.CONFIGURATION: f"{self.what}: {_change(self.recorded, self.observed)}",
            DriftKind.EXTRA: f"{self.what} runs besides",
        }[self.kind]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """What is known to run. `config_hash` is None where somebody else made what was taken over.

    `configuration` are the settings seen at the first look, None before it. `state` is one that a person accepted.
    """

    version: str
    digest: str
    config_hash: str | None
    configuration: Mapping[str, str] | None = None
    extra: frozenset[str] = field(default_factory=frozenset)
    state: str = RUNNING


def differences(recorded: Recorded, seen: Observation) -> tuple[Difference, ...]:
    """Everything that differs. Nothing recorded, nothing differs."""
    if not recorded.digest and not recorded.configuration:
        return ()
    return tuple(_differences(recorded, seen))


def _differences(recorded: Recorded, seen: Observation) -> Iterator[Difference]:
    serving = seen.serving
    named = recorded.version or "an unknown version"
    if serving is None:
        yield Difference(kind=DriftKind.MISSING, recorded=named)
    else:
        if _is_down(serving) and serving.state != recorded.state:
            yield Difference(kind=DriftKind.STOPPED, what=serving.name, recorded=RUNNING, observed=serving.state)
        if recorded.digest and serving.digest not in {recorded.digest, None}:
            yield Difference(
                kind=DriftKind.IMAGE,
                recorded=_image(recorded.version, recorded.digest),
                observed=_image(serving.version or "", serving.digest or ""),
            )
        yield from _settings(recorded, serving)
    for other in seen.others:
        if other.state == RUNNING and other.name not in recorded.extra:
            yield Difference(kind=DriftKind.EXTRA, what=other.name, observed=other.state)


def _settings(recorded: Recorded, serving: Running) -> Iterator[Difference]:
    if recorded.config_hash is not None and serving.config_hash != recorded.config_hash:
        if serving.configuration.get(MADE_BY) == SOMEBODY:
            # Every other setting would differ too, and tells nothing more.
            yield Difference(kind=DriftKind.CONFIGURATION, what=MADE_BY, recorded=US, observed=SOMEBODY)
            return
        yield Difference(
            kind=DriftKind.CONFIGURATION,
            what="configuration",
            recorded=recorded.config_hash,
            observed=serving.config_hash or "changed by hand",
        )
    before = recorded.configuration
    if before is None:
        return
    for what in sorted({*before, *serving.configuration}):
        old, new = before.get(what, ""), serving.configuration.get(what, "")
        if old != new:
            yield Difference(kind=DriftKind.CONFIGURATION, what=what, recorded=old, observed=new)


def _is_down(serving: Running) -> bool:
    """By whatever word its driver calls it; one that is unhealthy runs."""
    return serving.state in _DOWN or serving.health in {Health.EXITED, Health.MISSING}


def in_words(found: Iterable[Difference]) -> str:
    """All of it as one sentence; the first few where there are many."""
    texts = [str(one) for one in found]
    more = f"; and {len(texts) - _SHOWN} more" if len(texts) > _SHOWN else ""
    return "; ".join(texts[:_SHOWN]) + more


def can_be_undone_by_same_version(found: Iterable[Difference]) -> bool:
    """Whether a rollout of the very version that runs would change anything back."""
    return any(one.kind is DriftKind.CONFIGURATION for one in found)


def _change(old: str, new: str) -> str:
    if old.startswith(SECRET) or new.startswith(SECRET):
        return "changed" if old and new else "added" if new else "removed"
    return f"{old or 'not set'} → {new or 'not set'}"


def _image(version: str, digest: str) -> str:
    short = digest.removeprefix("sha256:")[:12] or "unknown"
    return f"{version} ({short})" if version else short
