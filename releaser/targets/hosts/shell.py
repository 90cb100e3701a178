"""How a host is reached: scripts for its POSIX shell, run on this machine or on another by the system's OpenSSH client.

Nobody is ever asked for a password, an unknown host key is refused, every call is bounded in time, and one connection serves many
calls. What is not ours in a script is quoted by who writes it. What does not live here: what the scripts say (each driver's `scripts`).
"""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import shutil
import subprocess  # nosec B404 -- scripts of our own, words quoted
import tempfile
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from releaser.errors import InvalidError
from releaser.targets.hosts.faults import from_ssh
from releaser.targets.target import EngineRefusedError, EngineTimeoutError, EngineUnreachableError

LOCAL: Final = "local://"
_SSH = re.compile(
    r"ssh://(?:(?P<user>[A-Za-z0-9_][A-Za-z0-9_.-]*)@)?(?P<host>[A-Za-z0-9][A-Za-z0-9.-]*|\[[0-9a-fA-F:]+\])"
    r"(?::(?P<port>[0-9]{1,5}))?"
)
_MOST_OUTPUT: Final = 4 * 1024 * 1024
_BROKE_OFF: Final = 255
_PASSED_ON: Final = (
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "LANG",
    "TZ",
    "XDG_RUNTIME_DIR",
    "DBUS_SESSION_BUS_ADDRESS",
    "DOCKER_HOST",
    "DOCKER_CONTEXT",
    "DOCKER_CONFIG",
    "DOCKER_TLS_VERIFY",
    "DOCKER_CERT_PATH",
)
_LONGEST_SOCKET: Final = 100
_SOON_S: Final = 3

Feed = Callable[[IO[bytes]], None]
"""Writes what a script reads from its standard input."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """How a script ended, and what it said."""

    code: int
    out: str
    err: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SshAccess:
    """The key and the known host keys to use; without them ssh's own configuration holds."""

    key: Path | None = None
    known_hosts: Path | None = None


class Shell:
    """One host. Safe to share between threads."""

    def __init__(self, address: str, *, access: SshAccess, sockets: Path | None, connect_timeout_s: float) -> None:
        self.address = address
        self._target: tuple[str, ...] = ()
        self._options: tuple[str, ...] = ()
        self.name = "127.0.0.1"
        if address != LOCAL:
            self._target, self.name = target_of(address)
            self._options = tuple(options(access, sockets, connect_timeout_s))

    def run(self, lines: Sequence[str], *, timeout_s: float, feed: Feed | None = None) -> Answer:
        """Run the lines as one script. Raises `EngineUnreachableError`, `EngineTimeoutError`; other endings are answers."""
        script = "\n".join(lines)
        remote = "exec sh -c " + shlex.quote(script)
        words = ["ssh", *self._options, *self._target, remote] if self._target else ["sh", "-c", script]
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            try:
                process = subprocess.Popen(  # noqa: S603  # nosec B603
                    words,
                    stdin=subprocess.PIPE if feed else subprocess.DEVNULL,
                    stdout=out,
                    stderr=err,
                    env=handed_down(),
                )
            except OSError as error:
                raise EngineRefusedError(
                    f"'{words[0]}' cannot be run here: {error.strerror}.",
                    permanent=True,
                    advice="Install the OpenSSH client." if self._target else "This machine needs a POSIX shell.",
                    address=self.address,
                ) from error
            code = self._awaited(process, feed, timeout_s)
            answer = Answer(code=code, out=_read(out), err=_read(err))
        if self._target and code == _BROKE_OFF:
            raise from_ssh(answer.err, address=self.address)
        if code < 0:
            raise EngineUnreachableError(
                f"A script at {self.address} was killed in its midst (signal {-code}).",
                permanent=False,
                advice="What it did is looked at before it is repeated.",
                address=self.address,
            )
        return answer

    def close(self) -> None:
        """End the kept connection, if there is one."""
        if self._is_kept:
            self._ssh("-O", "exit", *self._target)

    @property
    def _is_kept(self) -> bool:
        return any(option.startswith("ControlPath") for option in self._options)

    def _mind_connection(self) -> None:
        """After a script took too long: a connection that hangs would hang the next call as well, so that one gets a fresh one.

        Scripts of others run over the same connection. They are left to come to their end: a dead one ends by itself.
        """
        if self._is_kept and self._ssh("-O", "check", *self._target) and not self._ssh(*self._target, "true"):
            self._ssh("-O", "stop", *self._target)

    def _ssh(self, *words: str) -> bool:
        """Whether ssh did that, soon."""
        with contextlib.suppress(OSError, subprocess.TimeoutExpired):
            done = subprocess.run(  # noqa: S603  # nosec B603 B607
                ["ssh", *self._options, *words],  # noqa: S607
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                timeout=_SOON_S,
                check=False,
                env=handed_down(),
            )
            return done.returncode == 0
        return False

    def _awaited(self, process: subprocess.Popen[bytes], feed: Feed | None, timeout_s: float) -> int:
        feeding = _Feeding(process, feed) if feed else None
        try:
            code = process.wait(timeout=timeout_s)
        except subprocess.TimeoutExpired as error:
            process.kill()
            process.wait()
            self._mind_connection()
            raise EngineTimeoutError(
                f"The host at {self.address} did not answer within {timeout_s:g} s.",
                permanent=False,
                advice="What was asked may be carried out all the same; it is looked at before it is repeated.",
                address=self.address,
            ) from error
        except BaseException:
            process.kill()
            process.wait()
            raise
        finally:
            if feeding is not None:
                feeding.end()
        if feeding is not None:
            feeding.check()
        return code


class _Feeding:
    """Writes the standard input of a process beside it, so that a host that does not read cannot hold us up."""

    def __init__(self, process: subprocess.Popen[bytes], feed: Feed) -> None:
        self._process = process
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="feed")
        self._done = self._worker.submit(self._run, feed)
        self._done.add_done_callback(self._end_process)

    def _run(self, feed: Feed) -> None:
        stdin = self._process.stdin
        if stdin is not None:
            # Whoever stops reading has ended, and how it ended is its answer.
            with contextlib.suppress(BrokenPipeError):
                feed(stdin)
                stdin.close()

    def _end_process(self, done: Future[None]) -> None:
        """What cannot be written to its end is not to be taken for whole."""
        if done.exception() is not None:
            self._process.kill()

    def end(self) -> None:
        """Wait for the writer: by now nobody reads any more, so it ends."""
        self._worker.shutdown()
        if self._process.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.close()

    def check(self) -> None:
        """Raise what kept the writer from its end."""
        self._done.result()


class Shells:
    """One `Shell` per address; the sockets of kept connections lie in a folder of their own."""

    def __init__(self, *, access: SshAccess, connect_timeout_s: float) -> None:
        self._access = access
        self._connect_s = connect_timeout_s
        self._lock = threading.Lock()
        self._shells: dict[str, Shell] = {}
        self._sockets: Path | None = None

    def at(self, address: str) -> Shell:
        """The host at `local://` or `ssh://…`; nothing is called yet."""
        with self._lock:
            if address not in self._shells:
                self._shells[address] = Shell(
                    address,
                    access=self._access,
                    sockets=self._folder() if address != LOCAL else None,
                    connect_timeout_s=self._connect_s,
                )
            return self._shells[address]

    def close(self) -> None:
        """End every kept connection."""
        with self._lock:
            for shell in self._shells.values():
                shell.close()
            self._shells.clear()
            if self._sockets is not None:
                shutil.rmtree(self._sockets, ignore_errors=True)
                self._sockets = None

    def _folder(self) -> Path | None:
        """Where sockets lie; none where their paths would be longer than a socket's may be."""
        if self._sockets is None:
            self._sockets = Path(tempfile.mkdtemp(prefix="releaser-"))
        return self._sockets if len(str(self._sockets)) + 60 < _LONGEST_SOCKET else None


def handed_down() -> dict[str, str]:
    """What a shell or ssh gets to know of the surroundings of this process."""
    return {name: os.environ[name] for name in _PASSED_ON if name in os.environ}


def target_of(address: str) -> tuple[tuple[str, ...], str]:
    """The words that tell ssh where to go, and the host's name. Raises `InvalidError`."""
    match = _SSH.fullmatch(address)
    if match is None:
        raise InvalidError(
            f"'{address}' is not an address of a host that is reached by a shell.",
            advice="Write local:// for this machine, or ssh://user@host:port.",
            field="address",
        )
    name = match["host"].strip("[]")
    user = f"{match['user']}@" if match["user"] else ""
    return ("-p", match["port"] or "22", "--", f"{user}{name}"), name


def options(access: SshAccess, sockets: Path | None, connect_timeout_s: float, *, forwards: bool = False) -> list[str]:
    """The options every connection has. `sockets` is where kept ones lie; `forwards` lets sockets be led through."""
    chosen = [
        "BatchMode=yes",
        "StrictHostKeyChecking=yes",
        "PasswordAuthentication=no",
        "KbdInteractiveAuthentication=no",
        f"ConnectTimeout={max(1, round(connect_timeout_s))}",
        "ServerAliveInterval=5",
        "ServerAliveCountMax=2",
        "ForwardAgent=no",
        "ForwardX11=no",
        *([] if forwards else ["ClearAllForwardings=yes"]),
        "LogLevel=ERROR",
    ]
    if sockets is not None:
        chosen += ["ControlMaster=auto", f"ControlPath={sockets}/%C", "ControlPersist=60"]
    if access.known_hosts is not None:
        chosen.append(f'UserKnownHostsFile="{access.known_hosts.absolute()}"')
    words = [part for option in chosen for part in ("-o", option)]
    if access.key is not None:
        words += ["-o", "IdentitiesOnly=yes", "-i", str(access.key.absolute())]
    return ["-T", *words]


def _read(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read(_MOST_OUTPUT).decode(errors="replace")
