"""A socket of another host as a socket here, by the system's OpenSSH client.

Nobody is asked for a password, an unknown host key is refused, and opening is bounded in time. The connection ends by itself when this
process does, however it ends: what runs at the other end reads from us. What does not live here: what is said over it.
"""

from __future__ import annotations

import contextlib
import os
import select
import shlex
import shutil
import subprocess  # nosec B404 -- a script of our own, words quoted
import tempfile
import threading
from pathlib import Path
from typing import Final

from releaser.clock import SystemClock
from releaser.errors import ReleaserError
from releaser.targets.hosts.faults import from_ssh
from releaser.targets.hosts.shell import SshAccess, handed_down, options, target_of
from releaser.targets.target import EngineRefusedError, EngineUnreachableError

_READY, _MISSING, _DENIED = b"ready", b"missing", b"denied"
# A connection that hangs is noticed within three of these, so that the next call gets a fresh one.
_ALIVE_S: Final = 1
_LAST_WORDS_S: Final = 0.2
_CONNECT_S: Final = 3.0
"""How long it may take until somebody picks up; to let us in, a host may then take its time."""
_MOST_SAID: Final = 65_536
_CLOCK: Final = SystemClock()


class Tunnel:
    """One socket at one host. Safe to share between threads; opened when first needed, and again after it broke."""

    def __init__(self, address: str, *, socket: str, access: SshAccess, timeout_s: float) -> None:
        """`address` is `ssh://…` without a path. Nothing is called yet; raises `InvalidError` for another form."""
        self.address = address
        self._socket = socket
        self._access = access
        self._timeout_s = timeout_s
        self._target, _ = target_of(address)
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._folder: Path | None = None

    def opened(self) -> str:
        """The path of the socket here. Raises `OutsideError`: who does not let us in, and what is not there."""
        with self._lock:
            if self._process is not None and self._process.poll() is not None:
                self._end()
            if self._process is None:
                self._open()
            return str(self._here())

    def told(self) -> str:
        """Why the connection ended, as far as ssh says; empty while it stands."""
        with self._lock:
            if self._process is None:
                return ""
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(_LAST_WORDS_S)  # it closes what it led through a moment before it ends
                return self._said() or "the connection broke off"
            return ""

    def close(self) -> None:
        """End the connection; it is opened again when needed."""
        with self._lock:
            self._end()
            if self._folder is not None:
                shutil.rmtree(self._folder, ignore_errors=True)
                self._folder = None

    def _here(self) -> Path:
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="releaser-"))
        return self._folder / "engine.sock"

    def _open(self) -> None:
        here = self._here()
        here.unlink(missing_ok=True)
        with (here.parent / "ssh.log").open("wb") as log:
            try:
                self._process = subprocess.Popen(  # noqa: S603  # nosec B603
                    self._words(here),
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    env=handed_down(),
                )
            except OSError as error:
                raise EngineRefusedError(
                    f"'ssh' cannot be run here: {error.strerror}.",
                    permanent=True,
                    advice="Install the OpenSSH client.",
                    address=self.address,
                ) from error
        word = self._first_word(self._process)
        if word != _READY:
            try:
                raise self._fault(word)
            finally:
                self._end()

    def _words(self, here: Path) -> list[str]:
        far = shlex.quote(self._socket)
        script = f"if [ ! -S {far} ]; then echo missing; elif [ ! -w {far} ]; then echo denied; else echo ready; fi; exec cat >/dev/null"
        more = [
            *("ExitOnForwardFailure=yes", "StreamLocalBindUnlink=yes", "ControlMaster=no", "ControlPath=none"),
            *(f"ServerAliveInterval={_ALIVE_S}", "ServerAliveCountMax=2"),
        ]
        # The first value of an option holds, so ours stand before the common ones.
        words = ["ssh", *(part for option in more for part in ("-o", option))]
        words += options(self._access, None, min(self._timeout_s, _CONNECT_S), forwards=True)
        return [*words, "-L", f"{here}:{self._socket}", *self._target, "exec sh -c " + shlex.quote(script)]

    def _first_word(self, process: subprocess.Popen[bytes]) -> bytes | None:
        """What the script said, whatever the user's shell says before it; empty when ssh ended first, None when nothing came in time."""
        if process.stdout is None:
            return b""
        told, ends = b"", _CLOCK.monotonic() + self._timeout_s
        while select.select([process.stdout], [], [], max(0.0, ends - _CLOCK.monotonic()))[0]:
            more = os.read(process.stdout.fileno(), 4096)
            told = told[-_MOST_SAID:] + more
            for line in told.split(b"\n")[:-1]:
                if line.strip() in {_READY, _MISSING, _DENIED}:
                    return line.strip()
            if not more:
                return b""
        return None

    def _fault(self, word: bytes | None) -> ReleaserError:
        if word is None:
            return EngineUnreachableError(
                f"The host at {self.address} did not answer within {self._timeout_s:g} s.",
                permanent=False,
                advice="Check that it runs and that ssh reaches it from here.",
                address=self.address,
            )
        if word == _MISSING:
            return EngineRefusedError(
                f"There is no Docker engine at {self.address}: it has no socket {self._socket}.",
                permanent=True,
                advice="Install or start Docker there, or put the socket's path behind the host's address.",
                address=self.address,
            )
        if word == _DENIED:
            return EngineRefusedError(
                f"The user that is logged in at {self.address} may not use {self._socket}.",
                permanent=True,
                advice="Put the user into the group that the socket belongs to, mostly `docker`.",
                address=self.address,
            )
        if self._process is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(1)
        return from_ssh(self._said(), address=self.address)

    def _said(self) -> str:
        return (self._here().parent / "ssh.log").read_text(errors="replace")[-2000:]

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()
        process.kill()
        process.wait()
