"""Whether the specification of a compose service makes sense by itself: names and paths that reach a host as they are written."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from releaser.domain.declaration.declared import Place
from releaser.domain.declaration.files_rules import command_faults, is_path
from releaser.domain.spec import ComposeSpec, Order

MOST_FILES: Final = 20
_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{0,127}")
_PROJECT = re.compile(r"[a-z0-9][a-z0-9_-]{0,127}")


def compose_faults(spec: ComposeSpec) -> Iterator[tuple[Place, str, str]]:
    """Where inside the specification, what is wrong, what would be right."""
    if not _NAME.fullmatch(spec.name):
        yield ("name",), f"'{spec.name[:80]}' is no target's name.", "Use letters, digits and . _ -."
    if not is_path(spec.folder):
        yield (
            ("folder",),
            f"'{spec.folder[:80]}' is no absolute path of a folder.",
            "Write the folder of the project on its host, such as /srv/shop.",
        )
    if not _PROJECT.fullmatch(spec.project):
        yield (
            ("project",),
            f"'{spec.project[:80]}' is no name of a compose project.",
            "Write it as `docker compose ls` shows it: small letters, digits, _ and -.",
        )
    if not _NAME.fullmatch(spec.service):
        yield ("service",), f"'{spec.service[:80]}' is no service's name.", "Write it as the project's file does."
    if spec.order is not Order.STOP_FIRST:
        yield (
            ("order",),
            "Compose takes the old container away before the new one serves.",
            "Use stop-first, or leave it out; `driver: docker` with a front updates without a stop.",
        )
    yield from _files(spec)
    yield from command_faults(spec.docker, "docker")
    yield from command_faults(spec.compose, "compose")
    if not spec.docker:
        yield ("docker",), "The command is empty.", "Use [docker] or [sudo, -n, docker]."


def _files(spec: ComposeSpec) -> Iterator[tuple[Place, str, str]]:
    if len(spec.files) > MOST_FILES:
        yield ("files",), f"There are more than {MOST_FILES} files.", "Name those of the project only."
    seen: set[str] = set()
    for index, one in enumerate(spec.files):
        if not is_path(one if one.startswith("/") else f"/{one}"):
            yield (
                ("files", index),
                f"'{one[:80]}' is no path of a file.",
                "Write it like compose.yaml, seen from the project's folder, or absolute.",
            )
        elif one.rpartition("/")[2].startswith("releaser."):
            yield ("files", index), f"'{one[:80]}' is a name of this service's own.", "Leave it out; it is added."
        if one in seen:
            yield ("files", index), f"'{one[:80]}' is there twice.", "Keep one of them."
        seen.add(one)
