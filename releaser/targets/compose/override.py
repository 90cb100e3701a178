"""The file laid over a compose project: which image by digest, our labels, and resources where they are declared. Pure.

What compose would put in place of `$` is kept from it. Every foreign word is written as JSON, which YAML reads as it is.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any, Final

import yaml

from releaser.domain.spec import ComposeSpec, config_hash, of_kind
from releaser.domain.target import Assignment, Desired
from releaser.targets.docker.container import Label

_HEAD: Final = (
    "# Written by releaser with every rollout; it says which image of '{service}' runs. To use compose by hand, name this file\n"
    "# last: docker compose -f compose.yaml -f {file} up -d\n"
)


def override(desired: Desired, assignment: Assignment) -> str:
    """The whole file for one attempt."""
    spec = of_kind(desired.spec, ComposeSpec)
    labels = {
        Label.TARGET.value: assignment.target,
        Label.ROLLOUT.value: str(assignment.rollout),
        Label.ATTEMPT.value: str(assignment.attempt),
        Label.GENERATION.value: str(assignment.generation),
        Label.VERSION.value: desired.version,
        Label.DIGEST.value: desired.digest,
        Label.CONFIG.value: config_hash(spec),
    }
    return written(spec, image=desired.reference, labels=labels)


def written(spec: ComposeSpec, *, image: str, labels: Mapping[str, str]) -> str:
    """The file that makes the service from an image; without any label it is a mere pin."""
    lines = [
        _HEAD.format(service=spec.service, file=f"releaser.{spec.service}.yaml"),
        "services:\n",
        f"  {_word(spec.service)}:\n",
        f"    image: {_word(image)}\n",
    ]
    if spec.memory_mb is not None and labels:
        lines.append(f"    mem_limit: {_word(f'{spec.memory_mb}m')}\n")
    if spec.cpus is not None and labels:
        lines.append(f"    cpus: {spec.cpus}\n")
    if labels:
        lines.append("    labels:\n")
    lines += [f"      {_word(name)}: {_word(value)}\n" for name, value in labels.items()]
    return "".join(lines)


def unchanged(spec: ComposeSpec) -> str:
    """A file that changes nothing: with it compose refuses a project that has no such service."""
    return f"services:\n  {_word(spec.service)}: {{}}\n"


def _word(text: str) -> str:
    return json.dumps(text.replace("$", "$$"))


def digest_of_service(resolved: str, service: str) -> str | None:
    """Twelve hex digits naming everything that `compose config` says of one service; None when it does not say it."""
    try:
        data: Any = yaml.safe_load(resolved)
        found = data["services"][service]
    except (yaml.YAMLError, KeyError, TypeError):
        return None
    text = json.dumps(found, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def kept_repository(spec: ComposeSpec) -> str:
    """The local name under which images are kept from being pruned while they may be gone back to."""
    plain = re.sub(r"[^a-z0-9]+", "-", spec.name.lower()).strip("-")[:60].strip("-") or "target"
    own = hashlib.sha256(f"{spec.folder}\0{spec.service}".encode()).hexdigest()[:8]
    return f"releaser-kept/{plain}-{own}"
