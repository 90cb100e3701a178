"""Scaling as work of its own: more instances of a module, or other resources, at one installation, of the version that runs there. Pure.

An operation is planned, announced, approved, carried out and measured like any rollout; what it changes of a target's specification is
declared once it has succeeded. What does not live here: how it is carried out (drivers), who is asked (flows).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from enum import StrEnum
from typing import Any

from releaser.domain.declaration.spec_rules import spec_faults
from releaser.domain.spec import AnySpec, ContainerSpec
from releaser.errors import InvalidError, RefusedError


class OperationKind(StrEnum):
    """What is done: instances are added without a stop; resources are changed with one, unless others serve meanwhile."""

    ADD_INSTANCE = "add-instance"
    RESIZE = "resize"


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """`count` instances more of the module, or other resources for each of its instances; None leaves one as it is."""

    kind: OperationKind
    module: str
    count: int = 0
    memory_mb: int | None = None
    cpus: float | None = None

    def __str__(self) -> str:
        if self.kind is OperationKind.ADD_INSTANCE:
            return f"{self.count} more of {self.module}"
        wanted = ", ".join(
            text
            for text in (
                f"{self.memory_mb} MB" if self.memory_mb is not None else "",
                f"{self.cpus:g} processors" if self.cpus is not None else "",
            )
            if text
        )
        return f"{self.module} with {wanted}"

    def told(self, changes: Sequence[tuple[AnySpec, AnySpec]]) -> str:
        """In words, with how many instances there are before and afterwards by these specifications: what a yes to it covers."""
        if self.kind is not OperationKind.ADD_INSTANCE or not changes:
            return str(self)
        before, after = (sum(getattr(one, "replicas", 1) for one in specs) for specs in zip(*changes, strict=True))
        return f"{self}: {before} -> {after}"

    def check(self) -> None:
        """Refuse one that changes nothing. Raises `InvalidError`."""
        if self.kind is OperationKind.ADD_INSTANCE and not 1 <= self.count <= 100:
            raise InvalidError(f"{self.count} instances cannot be added.", advice="Use 1 or more.", field="count")
        if self.kind is OperationKind.RESIZE and self.memory_mb is None and self.cpus is None:
            raise InvalidError(
                "Nothing is said of memory or processors.",
                advice="Use --memory 512m, --cpus 1.5, or both.",
                field="memory",
            )

    def changed(self, spec: AnySpec) -> AnySpec:
        """The specification as it is afterwards. Raises `RefusedError` where that cannot be."""
        kind: Any = spec
        known = {one.name for one in fields(kind)}
        needed = {"replicas"} if self.kind is OperationKind.ADD_INSTANCE else {"memory_mb", "cpus"}
        if not needed <= known:
            raise _not_of_kind(self, spec)
        if self.kind is OperationKind.ADD_INSTANCE:
            if isinstance(spec, ContainerSpec) and spec.front is None:
                raise RefusedError(
                    f"'{spec.name}' has no front: nothing would share the requests among its instances.",
                    rule="replicas-need-a-front",
                    advice="Declare a front for it first (docs/fronts.md), and roll that out.",
                    field="module",
                    target=spec.name,
                )
            changed: AnySpec = replace(kind, replicas=kind.replicas + self.count)
        else:
            memory = self.memory_mb if self.memory_mb is not None else kind.memory_mb
            cpus = self.cpus if self.cpus is not None else kind.cpus
            changed = replace(kind, memory_mb=memory, cpus=cpus)
        for place, detail, advice in spec_faults(changed):
            raise RefusedError(detail, rule="specification", advice=advice, field=str(place[0]), target=spec.name)
        return changed

    def made_of(self, runs: AnySpec, *, declared: AnySpec) -> AnySpec:
        """The specification that runs, changed. Raises `RefusedError` too where another number of instances is declared already."""
        changed = self.changed(runs)
        there, wanted = getattr(runs, "replicas", 1), getattr(declared, "replicas", 1)
        if self.kind is OperationKind.ADD_INSTANCE and there != wanted:
            raise RefusedError(
                f"Of '{runs.name}' {there} run, and {wanted} are declared, which was not rolled out yet.",
                rule="scale-what-is-declared",
                advice=f"Roll out what is declared, or declare {there} again first.",
                field="count",
                target=runs.name,
            )
        return changed


def declared_after(operation: Operation, declared: AnySpec, made: AnySpec) -> AnySpec:
    """What is declared once the operation has succeeded: of what was `made` only what the operation is about."""
    kind: Any = declared
    if operation.kind is OperationKind.ADD_INSTANCE:
        names = ["replicas"]
    else:
        names = [name for name in ("memory_mb", "cpus") if getattr(operation, name) is not None]
    changed: AnySpec = replace(kind, **{name: getattr(made, name) for name in names})
    return changed


class Work(StrEnum):
    """What an operation is to those who use the product."""

    SCALED = "scaled"
    RESIZED = "resized"
    RESIZED_WITH_STOP = "resized-with-stop"


def work_of(operation: Operation | None, *, stops: bool) -> Work | None:
    """What a notice calls it; None for an update. Adding stops nothing: where it does, it is as good as a resize."""
    if operation is None:
        return None
    if stops:
        return Work.RESIZED_WITH_STOP
    return Work.SCALED if operation.kind is OperationKind.ADD_INSTANCE else Work.RESIZED


def _not_of_kind(operation: Operation, spec: AnySpec) -> RefusedError:
    what = "instances" if operation.kind is OperationKind.ADD_INSTANCE else "resources"
    return RefusedError(
        f"'{spec.name}' is updated by {spec.kind}, which has no {what} to be changed.",
        rule="operation-unsupported",
        advice="Change it on the host, or declare another target beside it.",
        field="module",
        target=spec.name,
    )
