"""What comes out of an artifact, checked as if an enemy had made it: tar, tar.gz or zip in, a plain stream of tar out.

An archive is read twice: once whole, to refuse it before anything reaches a host, and once to be sent. What is sent is written
anew by us, so that the host's own `tar` sees plain names, ordinary modes and nobody's owner.

Refused are absolute names, `..`, names twice, names below a link, links that lead out, devices and the like, set-uid (taken off),
too many members, too many bytes, and far more bytes than the archive could honestly hold.
"""

from __future__ import annotations

import gzip
import io
import posixpath
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Final, cast

from releaser.targets.target import ArchiveRefusedError

MARK: Final = ".releaser"
_CHUNK: Final = 1024 * 1024
_MOST_AT_ONCE: Final = 32 * 1024 * 1024
_HONEST: Final = 64 * 1024 * 1024
_ZIP_LOCKED: Final = 0x1
_LONGEST_PART, _LONGEST_NAME = 255, 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The most that may come out: members, bytes in all, and bytes for each byte of the archive (beyond the first 64 MiB)."""

    members: int = 200_000
    size: int = 16 * 1024**3
    ratio: int = 250


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One thing to be unpacked: `kind` of tar (regular file, folder, symbolic or hard link); `data` reads a file's bytes."""

    name: str
    kind: bytes
    mode: int
    size: int = 0
    modified_s: int = 0
    target: str = ""
    data: IO[bytes] | None = field(default=None, repr=False)


def send(path: Path, into: IO[bytes], *, strip: int, as_file: str, limits: Limits) -> None:
    """Write what is in the artifact as plain tar into `into`. Raises `ArchiveRefusedError`, which `examine` does before.

    The last member is an empty file named `MARK`: a `tar` takes an end between two members for the end of it all, so without that
    file something is missing.
    """
    with _told(), tarfile.open(fileobj=into, mode="w|", format=tarfile.GNU_FORMAT) as out:
        for member in _members(path, strip=strip, as_file=as_file, limits=limits):
            info = tarfile.TarInfo(member.name)
            info.type, info.mode, info.size, info.linkname = member.kind, member.mode, member.size, member.target
            info.mtime = member.modified_s
            out.addfile(info, member.data)
        out.addfile(tarfile.TarInfo(MARK))


def examine(path: Path, *, strip: int, as_file: str, limits: Limits) -> int:
    """Read the whole artifact and say how many members it has. Raises `ArchiveRefusedError`."""
    count = 0
    with _told():
        for member in _members(path, strip=strip, as_file=as_file, limits=limits):
            count += 1
            read = 0
            while member.data is not None and (chunk := member.data.read(_CHUNK)):
                read += len(chunk)
            if read != member.size:
                raise _refused(f"'{member.name[:200]}' has {read} bytes, and says that it has {member.size}")
    if not count:
        raise _refused("there is nothing in it", advice="Check `strip`, and what was built.")
    return count


def _members(path: Path, *, strip: int, as_file: str, limits: Limits) -> Iterator[Member]:
    """Every member, checked against all before it."""
    if as_file:
        with path.open("rb") as file:
            yield Member(name=as_file, kind=tarfile.REGTYPE, mode=0o755, size=path.stat().st_size, data=file)
        return
    checks = _Checks(limits, packed=path.stat().st_size)
    with _opened(path, checks) as raw:
        for member in raw:
            checked = checks.pass_on(member, strip)
            if checked is not None:
                yield checked


@contextmanager
def _told() -> Iterator[None]:
    """What the readers of archives raise, told as ours."""
    try:
        yield
    except (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, gzip.BadGzipFile, NotImplementedError) as error:
        raise _refused(f"it is broken ({type(error).__name__})", advice="Build and upload it again.") from error


@contextmanager
def _opened(path: Path, checks: _Checks) -> Iterator[Iterator[Member]]:
    with path.open("rb") as file:
        start = file.read(512)
        file.seek(0)
        if start.startswith(b"\x1f\x8b"):
            with gzip.open(file) as unpacked:
                yield _of_tar(_Bounded(cast("IO[bytes]", unpacked), checks))
        elif start.startswith(b"PK\x03\x04"):
            with zipfile.ZipFile(file) as packed:
                yield _of_zip(packed)
        elif start[257:262] == b"ustar":
            yield _of_tar(_Bounded(file, checks))
        else:
            raise _refused(
                "it is neither tar, tar.gz nor zip",
                advice="Use one of these, or `as_file` to put it in place as it is.",
            )


def _of_tar(file: _Bounded) -> Iterator[Member]:
    with tarfile.open(fileobj=cast("IO[bytes]", file), mode="r:") as packed:
        for info in packed:
            kind = tarfile.REGTYPE if info.isreg() else info.type
            yield Member(
                name=info.name,
                kind=kind,
                mode=info.mode,
                size=info.size if info.isreg() else 0,
                modified_s=max(0, int(info.mtime)),
                target=info.linkname,
                data=packed.extractfile(info) if info.isreg() else None,
            )
            packed.members.clear()  # type: ignore[attr-defined]  # it would keep every one


def _of_zip(packed: zipfile.ZipFile) -> Iterator[Member]:
    for info in packed.infolist():
        mode = info.external_attr >> 16
        if info.flag_bits & _ZIP_LOCKED:
            raise _refused(f"'{info.filename[:200]}' is encrypted")
        if info.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
            raise _refused(f"'{info.filename[:200]}' is packed in a way that is not common")
        if info.is_dir():
            yield Member(name=info.filename, kind=tarfile.DIRTYPE, mode=0o755)
        elif stat.S_ISLNK(mode):
            if info.file_size > _LONGEST_NAME:
                raise _refused(f"the link '{info.filename[:200]}' is too long")
            yield Member(
                name=info.filename, kind=tarfile.SYMTYPE, mode=0o777, target=packed.read(info).decode(errors="replace")
            )
        elif stat.S_IFMT(mode) not in {0, stat.S_IFREG}:
            yield Member(name=info.filename, kind=tarfile.CHRTYPE, mode=0)
        else:
            with packed.open(info) as data:
                yield Member(
                    name=info.filename,
                    kind=tarfile.REGTYPE,
                    mode=stat.S_IMODE(mode) or 0o644,
                    size=info.file_size,
                    data=data,
                )


class _Checks:
    """What was seen so far, and whether what comes next may be passed on."""

    def __init__(self, limits: Limits, *, packed: int) -> None:
        self._limits = limits
        self.most_bytes = min(limits.size, max(_HONEST, packed * limits.ratio))
        self._bytes = 0
        self._count = 0
        self._kinds: dict[str, bytes] = {}
        self._folders: set[str] = set()

    def pass_on(self, member: Member, strip: int) -> Member | None:
        """The member as it is sent; None for a folder that is stripped away."""
        self._count += 1
        self._bytes += member.size
        if self._count > self._limits.members:
            raise _refused(f"it has more than {self._limits.members} members")
        if self._bytes > self.most_bytes:
            raise too_large(self.most_bytes)
        name = _stripped(_plain_name(member.name), strip)
        if not name:
            if member.kind != tarfile.DIRTYPE:
                raise _refused(f"'{member.name[:200]}' lies in fewer than the {strip} folders that `strip` leaves out")
            return None
        self._check_place(name, member)
        target = self._target(name, member, strip)
        self._kinds.setdefault(name, member.kind)
        is_file = member.kind == tarfile.REGTYPE
        mode = (member.mode & 0o755) | (0o644 if is_file else 0o755)
        return Member(
            name=name,
            kind=member.kind,
            mode=mode,
            size=member.size,
            modified_s=member.modified_s,
            target=target,
            data=member.data,
        )

    def _check_place(self, name: str, member: Member) -> None:
        if name == MARK or name.startswith(f"{MARK}/"):
            raise _refused(f"'{name}' is a name of this service's own")
        if name in self._kinds and not (self._kinds[name] == member.kind == tarfile.DIRTYPE):
            raise _refused(f"'{name[:200]}' is in it twice")
        if name in self._folders and member.kind != tarfile.DIRTYPE:
            raise _refused(f"'{name[:200]}' is no folder, but something lies below it")
        above = posixpath.dirname(name)
        while above:
            if self._kinds.get(above, tarfile.DIRTYPE) != tarfile.DIRTYPE:
                raise _refused(f"'{name[:200]}' lies below '{above[:200]}', which is no folder")
            self._folders.add(above)
            above = posixpath.dirname(above)

    def _target(self, name: str, member: Member, strip: int) -> str:
        if member.kind in {tarfile.REGTYPE, tarfile.DIRTYPE}:
            return ""
        if member.kind == tarfile.LNKTYPE:
            target = _stripped(_plain_name(member.target), strip)
            if self._kinds.get(target) != tarfile.REGTYPE:
                raise _refused(f"the hard link '{name[:200]}' leads to no file of the archive")
            return target
        if member.kind == tarfile.SYMTYPE:
            if not _stays_inside(name, member.target):
                raise _refused(f"the link '{name[:200]}' leads out, to '{member.target[:200]}'")
            return member.target
        raise _refused(f"'{name[:200]}' is neither a file, a folder nor a link")


def _plain_name(text: str) -> str:
    """The name without `./` and a slash at its end. Raises when it is not below the archive's own folder."""
    if text.startswith("/"):
        raise _refused(f"'{text[:200]}' is an absolute name")
    parts = [part for part in text.split("/") if part not in {"", "."}]
    if ".." in parts:
        raise _refused(f"'{text[:200]}' leads out of its folder")
    unshown = any(ord(letter) < ord(" ") or letter == "\x7f" or "\ud800" <= letter <= "\udfff" for letter in text)
    if unshown or len(text) > _LONGEST_NAME or any(len(part.encode()) > _LONGEST_PART for part in parts):
        raise _refused(f"{text[:200]!a} is no name for a file")
    return "/".join(parts)


def _stripped(name: str, strip: int) -> str:
    return "/".join(name.split("/")[strip:])


def _stays_inside(name: str, target: str) -> bool:
    """Whether a symbolic link stays below the root. `..` only leads it: after a name, that name could be a link itself."""
    if not target or target.startswith("/") or any(ord(letter) < ord(" ") for letter in target):
        return False
    parts = [part for part in target.split("/") if part not in {"", "."}]
    up = sum(part == ".." for part in parts)
    return ".." not in parts[up:] and up <= name.count("/")


class _Bounded(io.RawIOBase):
    """A stream that gives no more than the archive may hold, and never much at once: headers can lie about their size."""

    def __init__(self, file: IO[bytes], checks: _Checks) -> None:
        super().__init__()
        self._file = file
        self._most = checks.most_bytes + _HONEST

    def read(self, size: int = -1) -> bytes:
        if size < 0 or size > _MOST_AT_ONCE:
            raise _refused("a header of it is larger than any honest one")
        if self._file.tell() + size > self._most:
            raise too_large(self._most)
        return self._file.read(size)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        if whence == io.SEEK_SET and offset > self._most:
            raise too_large(self._most)
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True


def too_large(most: int) -> ArchiveRefusedError:
    """The error for more bytes than may come out."""
    return _refused(f"more than {most // 1024**2} MiB would come out of it")


def _refused(why: str, *, advice: str = "Build it anew without that; nothing was unpacked.") -> ArchiveRefusedError:
    return ArchiveRefusedError(f"The artifact is not unpacked: {why}.", permanent=True, advice=advice)
