from __future__ import annotations

import itertools

import pytest

from releaser.domain.history import CommitBatch
from releaser.sources.git_log import LARGEST_MESSAGE, batches, bounded, text_of


@pytest.mark.parametrize(
    ("raw", "declared", "wanted"),
    [
        ("Жук".encode(), "", "Жук"),
        ("Жук".encode("koi8-r"), "KOI8-R", "Жук"),
        ("Käfer".encode("latin-1"), "ISO-8859-1", "Käfer"),
        ("Käfer".encode("latin-1"), "", "Käfer"),
        ("Käfer".encode("latin-1"), "no-such-codec", "Käfer"),
        ("Käfer".encode("latin-1"), "utf-8", "Käfer"),
        ("Käfer".encode("latin-1"), "zip", "Käfer"),
        ("Käfer".encode("latin-1"), "punycode", "Käfer"),
        ("Käfer".encode("latin-1"), "../../etc/passwd", "Käfer"),
        ("Käfer".encode("latin-1"), "latin" + "1" * 500, "Käfer"),
        (b"\xff\xfe\x00\xd8", "utf-16", "\xff\xfe\x00\xd8"),
    ],
)
def test_bytes_become_text_whatever_they_declare(raw: bytes, declared: str, wanted: str) -> None:
    assert text_of(raw, declared) == wanted


def record(number: int, message: bytes, *, declared: bytes = b"") -> bytes:
    fields = [b"%040x" % number, b"", b"1", b"2", declared, b"Ann", b"ann@example.org", message]
    return b"\0".join(fields) + b"\0"


@pytest.mark.parametrize("size", [1, 2, 7, 50, 10_000])
def test_pieces_of_any_size_give_the_same_commits(size: int) -> None:
    messages = ["one\n", "", "Жук\n", "three\n\nbody\n"]
    raw = b"".join(record(n, text.encode()) for n, text in enumerate(messages))
    raw += record(9, "Жук".encode("koi8-r"), declared=b"koi8-r") + record(10, b"last")
    found = list(batches(raw[at : at + size] for at in range(0, len(raw), size)))
    assert list(itertools.chain.from_iterable(batch.messages for batch in found)) == [*messages, "Жук", "last"]
    assert [int(one, 16) for batch in found for one in batch.ids] == [0, 1, 2, 3, 9, 10]
    assert all(len(batch.ids) == len(batch.mails) == len(batch.parents) for batch in found)


def test_no_output_gives_no_batch() -> None:
    assert list(batches([])) == []


def test_huge_message_keeps_its_head_and_its_trailers() -> None:
    message = "Subject\n" + "x" * 1_000_000 + "\n(cherry picked from commit abcdefa)\n"
    kept: list[CommitBatch] = list(batches([record(1, message.encode())]))
    assert len(kept[0].messages[0]) < LARGEST_MESSAGE + 100
    assert kept[0].messages[0].startswith("Subject\n")
    assert kept[0].messages[0].endswith("(cherry picked from commit abcdefa)\n")
    assert bounded("short") == "short"
