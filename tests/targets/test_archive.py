"""What is unpacked from an artifact and what is refused: nothing may reach a host that leads out, lies, or fills it."""

from __future__ import annotations

import gzip
import io
import stat
import subprocess
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pytest

from releaser.targets.files.archive import MARK, Limits, examine, send
from releaser.targets.target import ArchiveRefusedError

LIMITS = Limits(members=50, size=80 * 1024**2, ratio=250)
FILE, FOLDER, LINK, HARD = tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE


def tar(*members: tuple[str, bytes, str], packed: bool = True) -> bytes:
    """Members as `(name, kind, text or target)`."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as out:
        for name, kind, text in members:
            info = tarfile.TarInfo(name)
            info.type, info.mode = kind, 0o4777
            if kind == FILE:
                info.size = len(text)
                out.addfile(info, io.BytesIO(text.encode()))
            else:
                info.linkname = text
                out.addfile(info)
    # No time in the header: the same bytes at every collection, in every process that shares the tests.
    return gzip.compress(content.getvalue(), mtime=0) if packed else content.getvalue()


def zipped(*members: tuple[str, int, str]) -> bytes:
    """Members as `(name, mode, text)`."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as out:
        for name, mode, text in members:
            info = zipfile.ZipInfo(name)
            info.external_attr = mode << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            out.writestr(info, text)
    return content.getvalue()


def unpacked(tmp_path: Path, content: bytes, **how: Any) -> dict[str, str]:  # noqa: ANN401 -- passed on
    """What the system's tar makes of what is sent: path -> text, `-> target`, or empty for folders."""
    packed, folder = tmp_path / "artifact", tmp_path / "out"
    packed.write_bytes(content)
    folder.mkdir()
    given = {"strip": 0, "as_file": "", "limits": LIMITS, **how}
    examine(packed, **given)
    plain = io.BytesIO()
    send(packed, plain, **given)
    subprocess.run(["tar", "-x", "-f", "-", "-C", str(folder), "--no-same-owner"], input=plain.getvalue(), check=True)
    (folder / MARK).unlink()  # says that everything before it came
    found = {}
    for one in sorted(folder.rglob("*")):
        name = str(one.relative_to(folder))
        found[name] = f"-> {one.readlink()}" if one.is_symlink() else one.read_text() if one.is_file() else ""
        if not one.is_symlink():
            assert not one.stat().st_mode & 0o7022, f"{name} came out writable for others or set-uid"
    return found


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (tar(("VERSION", FILE, "1.0")), {"VERSION": "1.0"}),
        (tar(("VERSION", FILE, "1.0"), packed=False), {"VERSION": "1.0"}),
        (tar(("./a/", FOLDER, ""), ("./a/b", FILE, "x")), {"a": "", "a/b": "x"}),
        (tar(("a/b", FILE, "x"), ("a/l", LINK, "b")), {"a": "", "a/b": "x", "a/l": "-> b"}),
        (tar(("a/b", FILE, "x"), ("l", LINK, "a/b")), {"a": "", "a/b": "x", "l": "-> a/b"}),
        (tar(("x", FILE, "x"), ("a/l", LINK, "../x")), {"a": "", "a/l": "-> ../x", "x": "x"}),
        (tar(("a", FILE, "x"), ("b", HARD, "a")), {"a": "x", "b": "x"}),
        (tar(("имя файла", FILE, "x")), {"имя файла": "x"}),
        (tar(("-rf", FILE, "x")), {"-rf": "x"}),
        (zipped(("a/b", 0o100755, "x"), ("c", 0, "y")), {"a": "", "a/b": "x", "c": "y"}),
        (zipped(("b", 0o100644, "x"), ("l", stat.S_IFLNK | 0o777, "b")), {"b": "x", "l": "-> b"}),
    ],
    ids=lambda given: str(given) if isinstance(given, dict) else "",
)
def test_honest_archive_comes_out_as_it_is(tmp_path: Path, content: bytes, found: dict[str, str]) -> None:
    assert unpacked(tmp_path, content) == found


def test_folder_around_it_all_is_stripped(tmp_path: Path) -> None:
    content = tar(("app-1.0/", FOLDER, ""), ("app-1.0/bin/run", FILE, "x"), ("app-1.0/again", HARD, "app-1.0/bin/run"))
    assert unpacked(tmp_path, content, strip=1) == {"bin": "", "bin/run": "x", "again": "x"}


def test_file_that_is_not_to_be_unpacked_is_put_as_it_is(tmp_path: Path) -> None:
    content = zipped(("WEB-INF/web.xml", 0o100644, "<web/>"))
    packed = tmp_path / "app.war"
    packed.write_bytes(content)
    sent = io.BytesIO()
    send(packed, sent, strip=0, as_file="ROOT.war", limits=LIMITS)
    sent.seek(0)
    with tarfile.open(fileobj=sent) as plain:
        only, last = plain.getmembers()
        file = plain.extractfile(only)
        assert file is not None
        assert (only.name, file.read(), last.name) == ("ROOT.war", content, MARK)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (tar(("/etc/passwd", FILE, "x")), "absolute name"),
        (tar(("../x", FILE, "x")), "leads out"),
        (tar(("a/../../x", FILE, "x")), "leads out"),
        (tar(("a/../x", FILE, "x")), "leads out"),
        (tar(("l", LINK, "/etc")), "leads out"),
        (tar(("l", LINK, "../x")), "leads out"),
        (tar(("a/l", LINK, "../../x")), "leads out"),
        (tar(("a/l", LINK, "b/../../../x")), "leads out"),
        (tar(("d", LINK, "."), ("l", LINK, "d/../..")), "leads out"),
        (tar(("d", LINK, "e"), ("d/x", FILE, "x")), "no folder"),
        (tar(("d/x", FILE, "x"), ("d", LINK, "e")), "something lies below"),
        (tar(("d", FILE, "x"), ("d/x", FILE, "x")), "no folder"),
        (tar(("x", FILE, "1"), ("x", FILE, "2")), "twice"),
        (tar(("x", FILE, "1"), ("./x", LINK, "y")), "twice"),
        (tar(("h", HARD, "/etc/passwd")), "absolute"),
        (tar(("h", HARD, "../x")), "leads out"),
        (tar(("h", HARD, "later"), ("later", FILE, "x")), "no file of the archive"),
        (tar(("l", LINK, "x"), ("h", HARD, "l")), "no file of the archive"),
        (tar(("dev", tarfile.CHRTYPE, "")), "neither a file"),
        (tar(("dev", tarfile.BLKTYPE, "")), "neither a file"),
        (tar(("pipe", tarfile.FIFOTYPE, "")), "neither a file"),
        (tar((".releaser", FILE, "sha256:0 forged")), "this service's own"),
        (tar(("a\nb", FILE, "x")), "no name for a file"),
        (tar(("a" * 300, FILE, "x")), "no name for a file"),
        (tar(), "nothing in it"),
        (tar(*((f"f{n}", FILE, "") for n in range(51))), "more than 50 members"),
        (zipped(("../x", 0o100644, "x")), "leads out"),
        (zipped(("/x", 0o100644, "x")), "absolute name"),
        (zipped(("l", stat.S_IFLNK | 0o777, "/etc")), "leads out"),
        (zipped(("l", stat.S_IFLNK | 0o777, "e"), ("l/x", 0o100644, "x")), "no folder"),
        (zipped(("dev", stat.S_IFCHR | 0o644, "")), "neither a file"),
        (b"just a text", "neither tar"),
        (b"", "neither tar"),
        (tar(("a", FILE, "x" * 5000))[:-20], "broken"),
        (zipped(("a", 0o100644, "x" * 5000))[:-30], "broken"),
        (b"\x1f\x8b" + b"nonsense" * 9, "broken"),
        (gzip.compress(b"no tar at all" * 99), "broken"),
        (gzip.compress(bytes(90 * 1024**2)), "nothing in it"),
        (tar(("bomb", FILE, "\0" * (70 * 1024**2))), "MiB would come out"),
        (zipped(("bomb", 0o100644, "\0" * (70 * 1024**2))), "MiB would come out"),
    ],
    ids=lambda given: given if isinstance(given, str) else "",
)
def test_hostile_archive_is_refused_before_anything_is_sent(tmp_path: Path, content: bytes, why: str) -> None:
    packed = tmp_path / "artifact"
    packed.write_bytes(content)
    with pytest.raises(ArchiveRefusedError, match=why) as caught:
        examine(packed, strip=0, as_file="", limits=LIMITS)
    assert caught.value.permanent


def test_zip_that_lies_about_a_size_is_refused(tmp_path: Path) -> None:
    content = bytearray(zipped(("a", 0o100644, "x" * 100_000)))
    real, told = (100_000).to_bytes(4, "little"), (10).to_bytes(4, "little")
    packed = tmp_path / "artifact"
    packed.write_bytes(bytes(content).replace(real, told))
    with pytest.raises(ArchiveRefusedError):
        examine(packed, strip=0, as_file="", limits=LIMITS)


def test_header_that_claims_gigabytes_is_refused_without_reading_them(tmp_path: Path) -> None:
    info = tarfile.TarInfo("pax")
    info.type, info.size = tarfile.XHDTYPE, 40 * 1024**3
    packed = tmp_path / "artifact"
    packed.write_bytes(gzip.compress(info.tobuf(tarfile.GNU_FORMAT) + bytes(1024)))
    with pytest.raises(ArchiveRefusedError):
        examine(packed, strip=0, as_file="", limits=LIMITS)


def test_stripping_away_a_file_is_refused(tmp_path: Path) -> None:
    packed = tmp_path / "artifact"
    packed.write_bytes(tar(("VERSION", FILE, "1.0")))
    with pytest.raises(ArchiveRefusedError, match="fewer than the 1 folders"):
        examine(packed, strip=1, as_file="", limits=LIMITS)
