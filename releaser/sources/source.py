"""The ports to what is read from outside: repositories and image registries. Flows import this file, never a driver.

The errors that a caller may want to tell apart live here too; the drivers raise them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol

from releaser.domain.history import CommitBatch, Refs
from releaser.errors import ConflictError, InvalidError, NotFoundError, OutsideError

Progress = Callable[[int, int | None], None]
"""`(done, total)`; total None while it is not known."""


class NotARepositoryError(InvalidError):
    """There is no git repository at that address."""


class RefusedAddressError(InvalidError):
    """The address of the repository is of a kind that is not read."""


class BranchNotFoundError(NotFoundError):
    """The repository has no such branch."""


class IncompleteRepositoryError(OutsideError):
    """The clone is shallow or partial; what is missing would be told as if it never was."""


class EmptyRepositoryError(OutsideError):
    """The repository has no commit yet."""


class RemoteUnreachableError(OutsideError):
    """The remote did not answer, hung, or let us not in."""


class GitFailedError(OutsideError):
    """git failed in a way that has no name of its own."""


class PushRefusedError(OutsideError):
    """The remote took the tag not."""


class BranchMovedError(ConflictError):
    """The remote's branch is no longer where it was seen: somebody else pushed to it."""


class NotAFileError(ConflictError):
    """Where a file is to be written stands a folder, a link or a submodule."""


class TagTakenError(ConflictError):
    """A tag of that name is there already, and it is not ours."""


class InvalidTemplateError(InvalidError):
    """A user's template is wrong, at the line that is named."""


class TemplateExhaustedError(InvalidError):
    """A user's template does more than any needs to: steps, time, memory or output ran out."""


class InvalidImageReferenceError(InvalidError):
    """The text does not name an image in a registry."""


class ImageNotFoundError(OutsideError):
    """The registry has no such image, or not under this tag."""


class RegistryUnreachableError(OutsideError):
    """The registry did not answer, or not in time."""


class RegistryRefusedError(OutsideError):
    """The registry let us not in, or answered what no registry should."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TagAlarm:
    """A tag that is on the remote no longer what was read before: `now` is None when it vanished."""

    name: str
    was: str
    now: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """What a fetch found. Alarmed tags keep their old meaning here until a person decides."""

    changed: bool
    alarms: tuple[TagAlarm, ...] = ()


class TagKeeper(Protocol):
    """Where tags are kept as they were read first."""

    def accept(self, alarm: TagAlarm) -> None:
        """Forget the old meaning of a tag, as a person decided; the next fetch reads what the remote has. Repeatable."""
        ...


class HistorySource(Protocol):
    """Where commits, tags and branches are read from. Every call is bounded in time."""

    def fetch(self, *, progress: Progress | None = None) -> Fetched:
        """Bring a mirror up to date; a repository read in place answers "nothing changed".

        Raises `RemoteUnreachableError`, `NotARepositoryError`, `IncompleteRepositoryError`.
        """
        ...

    def refs(self) -> Refs:
        """Every tag and branch now; a repository without tags is a fact, not an error.

        Raises `EmptyRepositoryError`, `IncompleteRepositoryError`.
        """
        ...

    def commits(
        self, tips: Iterable[str], *, known: Iterable[str] = (), progress: Progress | None = None
    ) -> Iterator[CommitBatch]:
        """Every commit reachable from `tips` and not from `known` (full ids), newest first. Raises `GitFailedError`."""
        ...

    def messages(self, ids: Sequence[str]) -> Sequence[str]:
        """The whole messages of these commits (full ids, each once), in the same order. Raises `GitFailedError`."""
        ...

    def present(self, ids: Sequence[str]) -> frozenset[str]:
        """Those of these commits (full ids) that the repository still has, whether or not any ref leads to them."""
        ...

    def kept(self, name: str) -> bytes | None:
        """What `keep` kept beside the repository under this name; None when that is gone, or never could be kept."""
        ...

    def keep(self, name: str, pieces: Iterable[bytes | bytearray | memoryview]) -> None:
        """Keep bytes beside the repository, where that can be. What cannot be made again must not be kept so."""
        ...


class PatchReader(Protocol):
    """What commits change, for whoever doubts that two are the same."""

    def patch_ids(self, commits: Iterable[str]) -> Mapping[str, str]:
        """Commit (full id) -> what names its patch, equal for equal patches; merges and empty commits are absent.

        A millisecond or two each: ask for few. Raises `GitFailedError`.
        """
        ...


class TagPublisher(Protocol):
    """How a tag comes to the remote, once, and never over somebody else's."""

    def tip(self, branch: str) -> str:
        """The newest commit of a branch as of the last fetch. Raises `BranchNotFoundError`."""
        ...

    def remote_tag(self, name: str) -> str | None:
        """The object id the remote's tag has right now, None when it has none. Raises `RemoteUnreachableError`."""
        ...

    def make_tag(self, name: str, *, commit: str, message: str, tagged_at: datetime) -> str:
        """Make an annotated tag object and keep it; returns its id. The same again returns the same id.

        Nothing is pushed. Raises `TagTakenError` when a tag of that name exists here that leads elsewhere.
        """
        ...

    def push_tag(self, name: str, *, object_id: str) -> None:
        """Push, expecting no tag of that name there, and confirm by reading it back. Done already counts as done.

        Raises `TagTakenError` when the remote has another one, `PushRefusedError`, `RemoteUnreachableError`.
        """
        ...


class FileReader(Protocol):
    """Files of commits, and which commits touched what. Paths are relative to the repository and checked by the caller."""

    def file_at(self, commit: str, path: str) -> bytes | None:
        """The content of a file, None when the commit has no such file."""
        ...

    def folders(self, commits: Iterable[str], path: str) -> Mapping[str, Mapping[str, str]]:
        """Commit -> the plain files right in its folder, name -> blob id; commits without that folder are absent."""
        ...

    def blobs(self, ids: Iterable[str], *, largest: int) -> Mapping[str, bytes]:
        """Blob -> its content; of what is larger than `largest` bytes, something that is larger too."""
        ...

    def touching(self, paths: Iterable[str], tips: Iterable[str], *, known: Iterable[str] = ()) -> frozenset[str]:
        """The commits reachable from `tips`, and not from `known`, that change anything at one of `paths`.

        Paths are taken by the letter: no pattern, no magic. Raises `GitFailedError`.
        """
        ...


class BranchWriter(Protocol):
    """How files come to a branch of the remote, and never over what somebody else pushed."""

    def commit_files(self, files: Mapping[str, bytes | None], *, onto: str, message: str, at: datetime) -> str | None:
        """Make a commit on the commit `onto` with these files (None takes one out); its id, or None when nothing changes.

        Everything else stays byte by byte. Nothing is pushed. Raises `NotAFileError`.
        """
        ...

    def push_branch(self, branch: str, *, commit: str, expected: str) -> None:
        """Push a commit made on `expected`, if the remote's branch is still there. Done already counts as done.

        Raises `BranchMovedError`, `PushRefusedError`, `RemoteUnreachableError`.
        """
        ...


class Repository(HistorySource, PatchReader, TagKeeper, TagPublisher, FileReader, BranchWriter, Protocol):
    """One product's repository."""

    def name(self) -> str:
        """What people call it: the last part of where it came from, else its folder's name."""
        ...


class Repositories(Protocol):
    """How repositories are come by."""

    def check(self, address: str) -> None:
        """Refuse an address that can be no repository; a path of this machine is looked at, a URL is not reached.

        Raises `RefusedAddressError`, `NotARepositoryError`, `IncompleteRepositoryError`.
        """
        ...

    def mirror(self, address: str, *, folder: Path) -> Repository:
        """The bare mirror of `address` (a path or URL) kept in `folder`; made empty if it is not there. Then `fetch()`.

        Raises `RefusedAddressError`, `NotARepositoryError`.
        """
        ...

    def in_place(self, path: Path) -> Repository:
        """The repository at `path`, read as it is. Raises `NotARepositoryError`, `IncompleteRepositoryError`."""
        ...


class ImageRegistry(Protocol):
    """Where images live."""

    def resolve(self, reference: str) -> str:
        """The digest (`sha256:...`) the registry gives for `host[:port]/name:tag` right now.

        Raises `InvalidImageReferenceError`, `ImageNotFoundError`, `RegistryUnreachableError`, `RegistryRefusedError`.
        """
        ...


class ArtifactNotFoundError(OutsideError):
    """There is no artifact at the address."""


class ArtifactUnreachableError(OutsideError):
    """Where the artifact lies did not answer, or not in time."""


class ArtifactRefusedError(OutsideError):
    """The artifact is not what was resolved, or nothing that is taken."""


class Artifacts(Protocol):
    """Where archives and other files live that are put on hosts."""

    def resolve(self, address: str) -> str:
        """The SHA-256 (`sha256:...`) of what an absolute path, `file://` or `https://` address stands for right now.

        A file beside it, of the same name with `.sha256`, is believed; without one the artifact is fetched and computed.
        Raises `ArtifactNotFoundError`, `ArtifactUnreachableError`, `ArtifactRefusedError`.
        """
        ...


class Escape(StrEnum):
    """What a template's output is, and so how the texts that it puts out are made inert."""

    HTML = "html"
    MARKDOWN = "markdown"
    NONE = "none"


class TemplateEngine(Protocol):
    """Where users' templates are rendered: apart, bounded in steps, time, memory and output, reaching nothing."""

    def render(self, template: str, data: Mapping[str, Any], *, name: str, escape: Escape) -> str:
        """The text that the template makes of `data` (JSON's kinds of values); `name` stands for its file in errors.

        Raises `InvalidTemplateError`, `TemplateExhaustedError`.
        """
        ...

    def check(self, template: str, *, name: str) -> None:
        """Only read the template. Raises `InvalidTemplateError`."""
        ...
