"""What docker and compose say on a host when they will not, told as our errors."""

from __future__ import annotations

import re
from typing import Final

from releaser.errors import ReleaserError
from releaser.targets.docker.faults import from_status
from releaser.targets.hosts.faults import BUSY, from_script, one_line, sentence
from releaser.targets.target import (
    ConfigurationRefusedError,
    EngineRefusedError,
    EngineTimeoutError,
    EngineUnreachableError,
)

NO_PROJECT: Final = 95
NO_COMPOSE: Final = 96
_TOO_LONG: Final = (124, 137)

_ENGINE_DOWN = re.compile(
    r"cannot connect to the docker daemon|couldn't connect to docker daemon|error during connect|is the docker daemon running|"
    r"error while fetching server api version|docker daemon is not running",
    re.IGNORECASE,
)
_DENIED = re.compile(r"permission denied|a password is required|not in the sudoers", re.IGNORECASE)
_BROKEN_FILE = re.compile(
    r"is invalid|neither an image nor a build|unsupported config option|version mismatch|invalid interpolation|"
    r"yaml: |in \"\.?/[^\"]*\.ya?ml\"|validating |undefined (?:volume|network|service)|mapping values|"
    r"additional propert|can't be set to different values|invalid compose|couldn't find env file|env file .* not found|"
    r"no such service",
    re.IGNORECASE,
)


def is_engine_down(said: str) -> bool:
    """Whether nobody answered docker or compose at all."""
    return _ENGINE_DOWN.search(said) is not None and _DENIED.search(said) is None


def from_command(code: int, said: str, *, what: str, address: str) -> ReleaserError:
    """The error for docker or compose that ended badly."""
    line = sentence(one_line(said) or f"it ended with {code}, without a word")
    if is_engine_down(said):
        return EngineUnreachableError(
            f"The Docker engine of the host at {address} does not answer: {line}",
            permanent=False,
            advice="Check there that it runs, and that the user logged in may use it: docker version.",
            address=address,
        )
    if code in _TOO_LONG and not said.strip():
        return EngineTimeoutError(
            f"The host at {address} did not {what} in time.",
            permanent=False,
            advice="It is looked at before it is repeated.",
            address=address,
        )
    if code == NO_PROJECT:
        return ConfigurationRefusedError(
            f"The compose project at {address} is not as declared: {line}",
            permanent=True,
            advice="Correct folder and files of the target's specification; nothing was touched.",
            address=address,
        )
    if code == NO_COMPOSE:
        return EngineRefusedError(
            f"The host at {address} has no compose: {line}",
            permanent=True,
            advice="Install the plugin docker-compose-v2 or docker-compose-plugin, or the program docker-compose.",
            address=address,
        )
    if code == BUSY or _DENIED.search(said):
        return from_script(code, said, what=what, address=address)
    if _BROKEN_FILE.search(said):
        return ConfigurationRefusedError(
            f"Compose refuses the project at {address}: {line}",
            permanent=True,
            advice="Correct its files there: docker compose config says the same.",
            address=address,
        )
    return from_status(500, said, what=what, address=address)
