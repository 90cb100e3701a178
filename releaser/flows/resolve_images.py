"""Resolve what selected targets are made from: as the candidate recorded it, else as the registry or the artifact says now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from releaser.domain.target import Desired
from releaser.errors import InvalidError
from releaser.flows.ports import Ports
from releaser.flows.select_targets import Chosen, MadeOf, Selected


class NoImageError(InvalidError):
    """A module has no image template, so there is nothing to run."""


class NoArtifactError(InvalidError):
    """A module has no artifact template, so there is nothing to put on a host."""


def resolve_images(ports: Ports, selected: Selected) -> Mapping[int, Desired]:
    """Target's number -> what shall run there. Asks the outside once for each module.

    Raises `NoImageError`, `NoArtifactError`, `OutsideError`.
    """
    found: dict[MadeOf, tuple[str, str]] = {}
    for target in selected.targets:
        if _stays(target):
            continue
        made_of = target.made_of
        if made_of not in found:
            found[made_of] = _resolved(ports, made_of, selected)
    return {
        target.target_id: replace(target.previous, spec=target.spec)
        if target.previous is not None and _stays(target)
        else _desired(target, selected, found[target.made_of])
        for target in selected.targets
    }


def _stays(target: Chosen) -> bool:
    """Whether what runs there runs on, to the byte: whatever its version's tag means by now."""
    return target.scaled and target.previous is not None


def _resolved(ports: Ports, made_of: MadeOf, selected: Selected) -> tuple[str, str]:
    if made_of.is_file:
        if not made_of.artifact:
            raise NoArtifactError(
                f"Module '{made_of.module}' has no artifact template, and a target of it is updated by files.",
                advice="Declare one, such as https://files.example.com/app-{version}.tar.gz.",
                field="modules",
            )
        address = made_of.artifact.replace("{version}", selected.version)
        return address, ports.artifacts.resolve(address)
    if made_of.module_id in selected.known:
        return selected.known[made_of.module_id]
    if not made_of.image:
        raise NoImageError(
            f"Module '{made_of.module}' has no image template.",
            advice="Declare one, such as registry.example.com/app:{version}.",
            field="modules",
        )
    image = made_of.image.replace("{version}", selected.version)
    return image, ports.registry.resolve(image)


def _desired(target: Chosen, selected: Selected, resolved: tuple[str, str]) -> Desired:
    image, digest = resolved
    repository, _, tag = image.rpartition(":")
    has_tag = bool(repository) and "/" not in tag and not target.made_of.is_file
    return Desired(
        version=selected.version,
        image=repository if has_tag else image,
        digest=digest,
        spec=target.spec,
    )
