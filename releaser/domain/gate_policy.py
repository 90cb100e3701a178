"""What a product lets its gate do: each check holds a cut, only warns, or is not made.

What does not live here: what the checks find (`domain.gate`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any

from releaser.errors import InvalidError


class InvalidGateError(InvalidError):
    """No policy of a gate."""


class GateMode(StrEnum):
    """What a check does with what it finds."""

    ON = "on"
    WARN = "warn"
    OFF = "off"


@dataclass(frozen=True, slots=True, kw_only=True)
class GatePolicy:
    """A product's checks that it may choose; the rules of a line (its phase, its policy) always hold."""

    freeze: GateMode = GateMode.ON
    blockers: GateMode = GateMode.ON
    reverted: GateMode = GateMode.ON
    missing_backports: GateMode = GateMode.ON
    unknown_backports: GateMode = GateMode.WARN
    moved_tags: GateMode = GateMode.ON
    no_ticket: GateMode = GateMode.WARN


NO_GATE_POLICY = GatePolicy()


def gate_to_mapping(policy: GatePolicy) -> dict[str, Any]:
    """The policy as data, without what equals its default."""
    return {
        one.name: getattr(policy, one.name).value for one in fields(policy) if getattr(policy, one.name) != one.default
    }


def gate_modes(policy: GatePolicy) -> dict[str, str]:
    """Every check with its mode, as data."""
    return {one.name: getattr(policy, one.name).value for one in fields(policy)}


def gate_from_mapping(data: Mapping[str, Any]) -> GatePolicy:
    """The policy that `gate_to_mapping` wrote. Raises `InvalidGateError`."""
    known = {one.name for one in fields(GatePolicy)}
    try:
        return GatePolicy(**{name: GateMode(value) for name, value in data.items() if name in known})
    except ValueError as error:
        raise InvalidGateError(
            f"{error}.", advice=f"Use {', '.join(mode.value for mode in GateMode)}.", field="gate"
        ) from error
