"""The port every driver implements, and what drivers raise. Flows import this file, never a driver."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, TypeVar, runtime_checkable

from releaser.domain.adoption import Adoptable
from releaser.domain.target import Assignment, Desired, Observation, Step, Verdict
from releaser.errors import ConflictError, InvalidError, OutsideError

Named = TypeVar("Named", bound=StrEnum)


class FencedError(ConflictError):
    """A younger generation of the target's lock was found on what runs: this controller must let go."""


class NameTakenError(ConflictError):
    """The name wanted on the host belongs to something that is not this target's."""


class EngineUnreachableError(OutsideError):
    """Nobody answers at the engine's address, or the connection broke off in mid-call: look before repeating."""


class EngineTimeoutError(OutsideError):
    """The engine did not answer in time; what was asked may or may not be carried out, so look before repeating."""


class EngineRefusedError(OutsideError):
    """The engine answered with an error."""


class RegistryUnreachableError(OutsideError):
    """The engine could not speak to the image's registry."""


class ImageNotFoundError(OutsideError):
    """The registry does not have the image, or not under this digest."""


class DiskFullError(OutsideError):
    """There is no room left on the host."""


class ContainerNotFoundError(OutsideError):
    """The container to act on is not there any more; somebody removed it."""


class NetworkNotFoundError(OutsideError):
    """A network of the specification does not exist on the host."""


class PortTakenError(OutsideError):
    """A published port is held by something else on the host."""


class ArchiveRefusedError(OutsideError):
    """What an artifact holds is not what may be unpacked on a host."""


class ConfigurationRefusedError(OutsideError):
    """The validator of the target refused the new files; nothing was touched."""


class InconsistentError(OutsideError):
    """The state before cannot be brought back by itself; this is for a person."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What a driver can do for a target."""

    start_first: bool
    drain: bool
    rollback: bool
    offline: bool


class Driver(Protocol):
    """How one kind of target is updated.

    Every method may be repeated and may follow a crash at any point: it looks first, then finishes what is
    missing. Every call to the outside is bounded by a time-out. Raises `OutsideError` (`permanent=False` when the
    engine did not answer, `True` when a repeat cannot help, such as an unknown image), and
    `FencedError` when the target was taken over by a younger generation.
    """

    def capabilities(self) -> Capabilities:
        """What this driver can do."""
        ...

    def check(self, address: str) -> str:
        """One line about the engine at `address` (product, version), and a second one of advice where something there had better be changed.

        Raises `OutsideError` if it is unreachable.
        """
        ...

    def observe(self, assignment: Assignment) -> Observation:
        """The truth now. A target that was never there is an `Observation` with `serving=None`."""
        ...

    def plan(
        self, *, desired: Desired, previous: Desired | None, observed: Observation | None = None
    ) -> tuple[Step, ...]:
        """The steps of phases prepare, cut-over and commit, in order. Pure.

        With neither `previous` nor anything serving in `observed` it is a first installation, which stops nothing.
        Pass `observed` so that a container which was there before us is replaced and kept for the roll-back.
        Raises `RefusedError` when the order asked for is impossible for the specification.
        """
        ...

    def plan_back(self, *, desired: Desired, previous: Desired | None) -> tuple[Step, ...]:
        """The roll-back steps, correct from any point before commit. Pure."""
        ...

    def apply(self, step: Step, assignment: Assignment) -> str:
        """Carry out one step; idempotent. Returns one line for the journal telling what was done or found."""
        ...

    def verify(self, assignment: Assignment, *, wanted: Desired | None) -> Verdict:
        """One look through the health gate at the container that should run `wanted`. Never sleeps.

        After a cutover `wanted` is the desired specification, after a roll-back the previous one; `None` after a
        roll-back to what was there before us: whatever that was must be up, and nothing at all is right as well.
        """
        ...


@runtime_checkable
class Adopting(Protocol):
    """A driver that can tell of what runs already how it would be declared, so that it can be taken over as it is."""

    def adoptable(self, address: str, *, names: tuple[str, ...], project: str) -> tuple[Adoptable, ...]:
        """What runs under these names, or everything of the compose project. Changes nothing.

        Raises `ContainerNotFoundError`, `RefusedError` for what another target has or another orchestrator keeps, and
        `OutsideError` like every call.
        """
        ...


def step_named(names: type[Named], step: Step, *, driver: str) -> Named:
    """Which of a driver's steps a journal's row means. Raises `InvalidError` for one that this version does not know."""
    try:
        return names(step.name)
    except ValueError:
        raise InvalidError(
            f"The {driver} driver knows no step '{step.name}'.",
            advice="The journal was written by another version; roll the target back or plan it again.",
            field="step",
        ) from None
