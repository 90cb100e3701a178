"""Getting the programs the surroundings need onto a Debian or Ubuntu machine, and choosing an engine there.

Only what is missing is installed, as root, and said first. Services that come with the packages are not started:
what is used is started from here, in folders of its own. As a program: `python -m releaser.demo.install`.

What does not live here: what the programs are used for.
"""

from __future__ import annotations

import contextlib
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from releaser.demo import images, keeper
from releaser.demo.engine import PROGRAMS, MissingProgramError, PrivateEngine, RunningEngine, find_engine
from releaser.errors import OutsideError

PACKAGES: Mapping[str, str] = {
    **PROGRAMS,
    "docker-registry": "docker-registry",
    "busybox": "busybox-static",
    "git": "git",
}
SURROUNDINGS = ("docker-registry", "busybox", "git")
POLICY = Path("/usr/sbin/policy-rc.d")

Say = Callable[[str], object]


class NoEngineError(OutsideError):
    """There is no container engine to use, and none can be started."""


class InstallError(OutsideError):
    """The distribution's packages could not be installed."""


def missing(programs: Iterable[str]) -> tuple[str, ...]:
    """Those of the programs (keys of PACKAGES) that this machine has not; a busybox must be a static one."""
    return tuple(program for program in programs if not _there(program))


def install_engine(say: Say) -> None:
    """Install what a private engine, the registry and the images need; does nothing where all is there.

    Raises MissingProgramError, naming in one line what is missing, where it cannot; InstallError where it went wrong.
    """
    install(missing(PACKAGES), say=say)


def install(programs: tuple[str, ...], *, say: Say) -> None:
    """Install the packages of the programs (keys of PACKAGES); see `install_engine`."""
    if not programs:
        return
    packages = tuple(dict.fromkeys(PACKAGES[program] for program in programs))
    if os.geteuid() != 0 or not _debian():
        raise MissingProgramError(*programs, packages=packages)
    say(f"Installing the packages {', '.join(packages)} (missing: {', '.join(programs)}).")
    with _no_services_started():
        _apt("update")
        _apt("install", "--yes", "--no-install-recommends", *packages)
    if still := missing(programs):
        raise MissingProgramError(*still)


def open_engine(folder: Path, *, say: Say, environ: Mapping[str, str] = os.environ) -> PrivateEngine | RunningEngine:
    """The engine to use, not yet started: the user's own where one answers, else one private to `folder`.

    Installs what is missing for it, for the registry and for the images. Raises as
    `install_engine` does, and NoEngineError.
    """
    if address := find_engine(environ):
        say(f"Using the container engine at {address}.")
        install(missing(SURROUNDINGS), say=say)
        return RunningEngine(address, folder)
    if os.geteuid() != 0:
        raise NoEngineError(
            "No container engine answers here, and starting one of our own needs root.",
            permanent=True,
            advice="Start Docker and let this user use it, name its socket in DOCKER_HOST, or run this as root.",
        )
    install_engine(say)
    say("No container engine answers; starting one of our own.")
    return PrivateEngine(folder)


def _there(program: str) -> bool:
    if program != "busybox":
        return shutil.which(program, path=keeper.PATH) is not None
    try:
        images.static_busybox()
    except MissingProgramError:
        return False
    return True


def _debian() -> bool:
    try:
        release = platform.freedesktop_os_release()
    except OSError:
        return False
    return not {"debian", "ubuntu"}.isdisjoint({release.get("ID", ""), *release.get("ID_LIKE", "").split()})


def _apt(*arguments: str) -> None:
    command = ("apt-get", "--quiet", "--option=DPkg::Lock::Timeout=120", *arguments)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "PATH": keeper.PATH}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=900)  # noqa: S603
    if done.returncode != 0:
        tail = " | ".join((done.stderr or done.stdout).strip().splitlines()[-3:])
        raise InstallError(
            f"`{' '.join(command)}` failed: {tail}", permanent=False, advice="Run it by hand to see more."
        )


@contextlib.contextmanager
def _no_services_started(policy: Path = POLICY) -> Iterator[None]:
    """Let packages be set up without starting their services, by the means Debian has for that.

    The policy holds only while this process lives, so that it stops nobody should we be killed before taking it away.
    """
    if policy.exists() or policy.is_symlink():
        yield  # somebody has a policy: it is theirs to decide
        return
    policy.write_text(f"#!/bin/sh\n[ -d /proc/{os.getpid()} ] && exit 101\nexit 0\n")
    policy.chmod(0o755)
    try:
        yield
    finally:
        policy.unlink(missing_ok=True)


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    try:
        install_engine(_say)
    except OutsideError as failure:
        sys.exit(str(failure))
