"""Commits as no git would write them today: encodings, dates and headers. None is dropped, and their text makes sense."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from releaser.domain.history import History, HistoryBuilder
from releaser.domain.ticket_patterns import TicketPatterns
from releaser.domain.version import Scheme, TagFormat
from releaser.sources.git import GitRepositories
from tests.fakes.object_world import ObjectWorld

ANN = "Ann <ann@example.org> 1700000000 +0000"


def read(world: ObjectWorld) -> History:
    repository = GitRepositories().in_place(world.folder)
    refs = repository.refs()
    builder = HistoryBuilder(tag_format=TagFormat(scheme=Scheme.TWO_PART), patterns=TicketPatterns([r"T-\d+"]))
    for batch in repository.commits([head.commit for head in refs.heads]):
        builder.add(batch)
    return builder.finish(refs)


def around(world: ObjectWorld, raw: bytes, *, author: str = ANN, committer: str = ANN, encoding: str = "") -> History:
    """A history with the commit in question between two plain ones."""
    first = world.commit(b"first T-1\n", author=ANN, committer=ANN)
    middle = world.commit(raw, first, author=author, committer=committer, encoding=encoding)
    last = world.commit(b"last T-2\n", middle, author=ANN, committer=ANN)
    world.refs({"refs/heads/main": last, "refs/tags/1.0": last})
    history = read(world)
    assert list(history.graph.ids) == [first, middle, last]
    assert [history.subject(0), history.subject(2)] == ["first T-1", "last T-2"]
    assert [link.key for link in history.links[2]] == ["T-2"]
    assert history.new_in(history.releases[0]) == [2, 1, 0]
    for commit in history.commits(range(3)):
        for text in (commit.message, commit.author, commit.author_mail):
            assert "\0" not in text
            text.encode()
    return history


@pytest.fixture
def world(tmp_path: Path) -> ObjectWorld:
    return ObjectWorld(tmp_path / "r.git")


@pytest.mark.parametrize(
    ("raw", "encoding", "wanted"),
    [
        ("Жук T-9".encode(), "", "Жук T-9"),
        ("Жук T-9".encode("koi8-r"), "KOI8-R", "Жук T-9"),
        ("Жук T-9".encode("cp1251"), "windows-1251", "Жук T-9"),
        ("Жук T-9".encode("cp1251"), "CP1251", "Жук T-9"),
        ("Жук T-9".encode("iso8859-5"), "ISO-8859-5", "Жук T-9"),
        ("Käfer T-9".encode("latin-1"), "ISO-8859-1", "Käfer T-9"),
        ("Käfer T-9 €".encode("iso8859-15"), "iso8859-15", "Käfer T-9 €"),
        ("カブト虫 T-9".encode("shift_jis"), "Shift_JIS", "カブト虫 T-9"),
        ("カブト虫 T-9".encode("euc_jp"), "EUC-JP", "カブト虫 T-9"),
        ("カブト虫 T-9".encode("iso2022_jp"), "ISO-2022-JP", "カブト虫 T-9"),
        ("甲虫 T-9".encode("gb18030"), "GB18030", "甲虫 T-9"),
        ("甲蟲 T-9".encode("big5"), "Big5", "甲蟲 T-9"),
        # Wrong declarations, or none.
        ("Жук T-9".encode(), "KOI8-R", "Жук T-9"),
        ("Жук T-9".encode(), "windows-1251", "Жук T-9"),
        ("Käfer T-9".encode("latin-1"), "UTF-8", "Käfer T-9"),
        ("Käfer T-9".encode("latin-1"), "US-ASCII", "Käfer T-9"),
        ("Käfer T-9".encode("latin-1"), "", "Käfer T-9"),
        ("Käfer T-9".encode("latin-1"), "no-such-codec", "Käfer T-9"),
        ("Käfer T-9".encode("latin-1"), "ISO-2022-JP", "Käfer T-9"),
        ("Käfer T-9".encode("latin-1"), "rot13", "Käfer T-9"),
        ("Käfer T-9".encode("latin-1"), "../../x", "Käfer T-9"),
        ("Käfer T-9".encode(), "x" * 5000, "Käfer T-9"),
        (b"T-9 +2AA-", "UTF-7", "T-9 +2AA-"),
        (b"T-9 \xff\xfe\xfa", "UTF-16", "T-9 \xff\xfe\xfa"),
        (b"T-9 \xed\xa0\x80", "", "T-9 \xed\xa0\x80"),
        # git keeps what stands before the first NUL.
        (b"T-9 before\0after", "", "T-9 before"),
        ("Жук".encode("utf-16-le"), "UTF-16", ""),
        (b"\0", "", ""),
        (b"", "", ""),
        (b"\n\n\n", "", ""),
        (b"\xef\xbb\xbfT-9 bom", "", "\N{ZERO WIDTH NO-BREAK SPACE}T-9 bom"),
        (b"T-9 one\r\n\r\ntwo\r\n", "", "T-9 one"),
        (b"T-9 one\rtwo\r", "", "T-9 one\rtwo"),
        (b"T-9 \x1b[31mred\x07", "", "T-9 \x1b[31mred\x07"),
    ],
)
def test_message_is_read_whatever_its_bytes(world: ObjectWorld, raw: bytes, encoding: str, wanted: str) -> None:
    history = around(world, raw, encoding=encoding)
    assert history.subject(1) == wanted
    assert ([link.key for link in history.links.get(1, ())] == ["T-9"]) is ("T-9" in wanted)


def test_names_are_read_in_the_declared_encoding(world: ObjectWorld) -> None:
    author = "Б\udcb5 <b\udcb5@example.org> 1700000000 +0000".replace("Б", "\udce2")
    history = around(world, "Жук".encode("cp1251"), author=author, encoding="windows-1251")
    assert (history.columns.names[1], history.columns.mails[1]) == ("вµ", "bµ@example.org")


def test_message_of_a_megabyte_keeps_its_tickets_and_trailers(world: ObjectWorld) -> None:
    first = world.commit(b"first T-1\n", author=ANN, committer=ANN)
    raw = b"Big T-8\n\n" + b"x" * 1_100_000 + b"\n\nFixes T-9\n(cherry picked from commit " + first.encode() + b")\n"
    history = around(world, raw)
    assert history.subject(1) == "Big T-8"
    assert [link.key for link in history.links[1]] == ["T-8", "T-9"]
    assert [(pick.commit, pick.source) for pick in history.picks] == [(1, 0)]


def test_subject_of_a_megabyte_is_read(world: ObjectWorld) -> None:
    assert history_subject(around(world, b"T-9 " + b"y" * 1_100_000)).startswith("T-9 yyy")


def history_subject(history: History) -> str:
    return history.subject(1)


@pytest.mark.parametrize(
    ("written", "year"),
    [
        ("1700000000 +51800", 2023),
        ("1700000000 -0000", 2023),
        ("1700000000", 1970),
        ("1700000000 UTC", 1970),
        ("0 +0000", 1970),
        ("-86400 +0000", 1970),
        ("4102444800 +0000", 2100),
        ("99999999999 +0000", 5138),
        ("9223372036854775807 +0000", None),
        ("99999999999999999999999 +0000", None),
        ("yesterday", 1970),
        ("", 1970),
    ],
)
def test_dates_that_nobody_meant_are_brought_into_range(world: ObjectWorld, written: str, year: int | None) -> None:
    history = around(world, b"middle", author=f"Ann <ann@example.org> {written}")
    commit = history.commit(1)
    assert 1970 <= commit.authored_at.year <= 9999
    assert year in {None, commit.authored_at.year}
    history = around(ObjectWorld(world.folder / "other.git"), b"middle", committer=f"Ann <ann@example.org> {written}")
    assert 1970 <= history.commit(1).committed_at.year <= 9999


@pytest.mark.parametrize(
    "author",
    [
        "<> 1700000000 +0000",
        "Ann 1700000000 +0000",
        "Ann <ann@example.org 1700000000 +0000",
        "Ann < ann@example.org > > 1700000000 +0000",
        "<ann@example.org>",
        "A\x1b[31m <a\x07@example.org> 1700000000 +0000",
        "x" * 100_000 + " <ann@example.org> 1700000000 +0000",
        "",
    ],
)
def test_authors_that_are_none_drop_no_commit(world: ObjectWorld, author: str) -> None:
    assert around(world, b"middle", author=author).subject(1) == "middle"


def test_unknown_headers_and_signatures_are_passed_over(world: ObjectWorld) -> None:
    first = world.commit(b"first T-1\n", author=ANN, committer=ANN)
    signature = "gpgsig -----BEGIN PGP SIGNATURE-----\n \n T-5\n -----END PGP SIGNATURE-----"
    committer = f"{ANN}\nmergetag object {first}\n type commit\n tag T-6\n{signature}\nHG:extra T-7"
    history = around(world, b"middle", committer=committer)
    assert history.subject(1) == "middle"
    assert set(history.links) == {0, 2}


def test_repository_by_sha256_is_read(tmp_path: Path) -> None:
    world = ObjectWorld(tmp_path / "r.git", form="sha256")
    subprocess.run(["git", f"--git-dir={world.folder}", "fsck"], check=True, capture_output=True)
    first = world.commit(b"first", author=ANN, committer=ANN)
    pick = world.commit(b"first\n\n(cherry picked from commit " + first.encode() + b")", author=ANN, committer=ANN)
    revert = world.commit(b'Revert "x"\n\nThis reverts commit ' + pick.encode() + b".", pick, author=ANN, committer=ANN)
    world.refs({"refs/heads/main": revert, "refs/heads/1.0": first, "refs/tags/1.0": pick})
    history = read(world)
    assert len(first) == 64
    assert [(history.graph.ids[one.commit], one.source_id) for one in history.picks] == [(pick, first)]
    assert [history.graph.ids[one.reverted] for one in history.reverts] == [pick]
    assert history.find(first[:10]) == list(history.graph.ids).index(first)
