"""Running git: always bounded in time, never asking a person, never running what a repository brings along.

Arguments are lists made here and in `git`; values from outside are full ids, checked names behind a prefix, or follow
`--end-of-options`. Text is decoded by us, because GitPython knows nothing of commits' encodings.

What does not live here: how a process begins (`git_start`), what git is asked (`git`) and how its log is read (`git_log`).
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import signal
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from releaser.errors import OutsideError
from releaser.sources.git_start import Starter, started_plainly
from releaser.sources.source import GitFailedError, RemoteUnreachableError

PIPE_SIZE = 1 << 20
LARGEST_ANSWER = 1 << 28
MOST_ERRORS = 1 << 16

# Nothing of a repository's own configuration may start a program or reach out while it is read.
_SETTINGS = (
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.attributesFile=/dev/null",
    "core.pager=cat",
    "gc.auto=0",
    "maintenance.auto=false",
    "log.showSignature=false",
    "submodule.recurse=false",
    "push.followTags=false",
    "push.gpgSign=false",
    "protocol.ext.allow=never",
    "advice.detachedHead=false",
)
_SURROUNDINGS = {
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_ASKPASS": "",
    "SSH_ASKPASS": "",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_GRAFT_FILE": "/dev/null",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_FLUSH": "0",
    "GIT_PAGER": "cat",
}
_SECRET = re.compile(r"(?<=://)[^/@\s]+@")
_UNSHOWABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """How a git command ended. `errors` is fit to be shown."""

    status: int
    output: bytes
    errors: str

    @property
    def text(self) -> str:
        """The output as text; bytes that are no UTF-8 are written out, so that it can be stored and shown."""
        return self.output.decode("utf-8", "backslashreplace")

    @property
    def lines(self) -> list[str]:
        """The output's lines, exact: what is no UTF-8 goes back to git as it came. Only a line feed ends a line."""
        return [line for line in self.output.decode("utf-8", "surrogateescape").split("\n") if line]


def showable(name: str) -> str:
    """A name out of `Answer.lines`, fit to be stored and shown."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def redacted(text: str) -> str:
    """Text of git or a remote without secrets in URLs and without control characters."""
    return _UNSHOWABLE.sub("", _SECRET.sub("", text)).strip()


class GitProcess:
    """git, run in one repository's git folder. All durations in seconds."""

    def __init__(
        self,
        folder: Path,
        *,
        protocols: Sequence[str],
        answers_in_s: float,
        streams_in_s: float,
        starter: Starter = started_plainly,
        surroundings: Mapping[str, str] | None = None,
    ) -> None:
        self.folder = folder
        self._surroundings = dict(surroundings or {})
        self._starter = starter
        self._protocols = ":".join(protocols)
        self._answers_in_s = answers_in_s
        self._streams_in_s = streams_in_s

    def run(self, *arguments: str, feed: bytes = b"", remote: bool = False, long: bool = False) -> Answer:
        """Run to the end. Raises `GitFailedError` or, for a remote, `RemoteUnreachableError` when it takes too long."""
        limit = self._streams_in_s if long else self._answers_in_s
        with self._started(arguments, remote=remote) as process:
            try:
                output, errors = process.communicate(feed, timeout=limit)
            except subprocess.TimeoutExpired as error:
                raise _too_long(arguments[0], limit, remote=remote) from error
        return Answer(
            status=process.returncode, output=output, errors=redacted(errors[:MOST_ERRORS].decode(errors="replace"))
        )

    def ask(self, *arguments: str, feed: bytes = b"") -> str:
        """Run what should not fail. Raises `GitFailedError` when it does."""
        answer = self.run(*arguments, feed=feed)
        if answer.status:
            raise failed(arguments[0], answer.errors)
        return answer.text

    def ask_lines(self, *arguments: str, feed: bytes = b"", long: bool = False) -> list[str]:
        """Likewise, as `Answer.lines`."""
        answer = self.run(*arguments, feed=feed, long=long)
        if answer.status:
            raise failed(arguments[0], answer.errors)
        return answer.lines

    def stream(self, *arguments: str, feed: bytes) -> Iterator[bytes]:
        """Run and hand out the output piece by piece as it comes. Raises `GitFailedError` at the end if it failed.

        `feed` must be read by git before it writes. Leaving the iterator early ends git.
        """
        late = threading.Event()
        errors: list[bytes] = []
        with self._started(arguments, remote=False) as process:
            out, err, into = _pipes(process)
            watchdog = threading.Timer(self._streams_in_s, _end_late, args=(process, late))
            # git waits when nobody reads its warnings.
            listener = threading.Thread(target=_listen, args=(err, errors), daemon=True)
            watchdog.daemon = True
            watchdog.start()
            listener.start()
            try:
                with contextlib.suppress(OSError):
                    fcntl.fcntl(out.fileno(), fcntl.F_SETPIPE_SZ, PIPE_SIZE)
                with contextlib.suppress(BrokenPipeError):
                    into.write(feed)
                    into.close()
                while piece := os.read(out.fileno(), PIPE_SIZE):
                    yield piece
                process.wait()
            finally:
                watchdog.cancel()
                _end(process)
                listener.join()
        if late.is_set():
            raise _too_long(arguments[0], self._streams_in_s, remote=False)
        if process.returncode:
            raise failed(arguments[0], redacted(b"".join(errors).decode(errors="replace")))

    def piped(self, first: Sequence[str], second: Sequence[str], *, feed: bytes) -> Answer:
        """Run `first` on `feed`, and `second` on what it writes, which is nowhere kept; the answer is the second's.

        That answer must fit into a pipe: it is read when all is written. Raises `GitFailedError`.
        """
        with self._started(second, remote=False) as process:
            _, _, into = _pipes(process)
            with contextlib.suppress(BrokenPipeError):
                for piece in self.stream(*first, feed=feed):
                    into.write(piece)
            try:
                output, errors = process.communicate(timeout=self._answers_in_s)
            except subprocess.TimeoutExpired as error:
                raise _too_long(second[0], self._answers_in_s, remote=False) from error
        if process.returncode:
            raise failed(second[0], redacted(errors[:MOST_ERRORS].decode(errors="replace")))
        return Answer(status=0, output=output, errors="")

    @contextlib.contextmanager
    def _started(self, arguments: Sequence[str], *, remote: bool) -> Iterator[subprocess.Popen[bytes]]:
        """A running git that is gone, with everything it started, when the block is left."""
        settings = [part for setting in _SETTINGS for part in ("-c", setting)]
        surroundings = {**_SURROUNDINGS, **self._surroundings}
        surroundings["GIT_ALLOW_PROTOCOL"] = self._protocols if remote else "none"
        command = ["git", f"--git-dir={self.folder}", *settings, *arguments]
        with self._starter(command, self.folder, surroundings) as process:
            try:
                yield process
            finally:
                _end(process)
                for pipe in (process.stdin, process.stdout, process.stderr):
                    if pipe is not None:
                        with contextlib.suppress(BrokenPipeError):
                            pipe.close()


def _pipes(process: subprocess.Popen[bytes]) -> tuple[IO[bytes], IO[bytes], IO[bytes]]:
    if process.stdout is None or process.stderr is None or process.stdin is None:
        raise AssertionError(process.args)
    return process.stdout, process.stderr, process.stdin


def _listen(pipe: IO[bytes], kept: list[bytes]) -> None:
    """Read warnings to the end and keep the first of them."""
    room = MOST_ERRORS
    with contextlib.suppress(OSError, ValueError):
        while piece := os.read(pipe.fileno(), 4096):
            kept.append(piece[:room])
            room -= len(kept[-1])


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill what is left of the process and its helpers (`git-remote-https`, `ssh`), which share its session."""
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _end_late(process: subprocess.Popen[bytes], late: threading.Event) -> None:
    late.set()
    _end(process)


def failed(command: str, errors: str) -> GitFailedError:
    """What git said as an error."""
    last = errors.splitlines()[-1] if errors else "it gave no reason"
    return GitFailedError(
        f"`git {command}` failed: {last[:300]}.",
        permanent=False,
        advice="Run `git fsck` in the repository if it stays so.",
    )


def _too_long(command: str, limit: float, *, remote: bool) -> OutsideError:
    if remote:
        return RemoteUnreachableError(
            f"The remote did not finish `git {command}` within {limit:g} s.",
            permanent=False,
            advice="Check that it answers, then run the same again: nothing is done twice.",
        )
    return GitFailedError(
        f"`git {command}` did not finish within {limit:g} s.", permanent=False, advice="Run the same again."
    )
