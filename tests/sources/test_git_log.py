from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from releaser.domain.history import CommitBatch
from releaser.sources.git_log import LARGEST_MESSAGE, batches, bounded, text_of, undeclared


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


@pytest.mark.parametrize("at_least", [0, 100, 1000])
@pytest.mark.parametrize("size", [1, 2, 7, 50, 10_000])
def test_pieces_of_any_size_give_the_same_commits(size: int, at_least: int) -> None:
    messages = ["one\n", "", "Жук\n", "three\n\nbody\n"]
    raw = b"".join(record(n, text.encode()) for n, text in enumerate(messages))
    raw += record(9, "Жук".encode("koi8-r"), declared=b"koi8-r") + record(10, b"last")
    found = list(batches((raw[at : at + size] for at in range(0, len(raw), size)), at_least=at_least))
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


field = st.one_of(
    st.binary(max_size=30), st.text(max_size=12).map(lambda text: text.encode("utf-8", "surrogatepass")), st.just(b"")
).map(lambda raw: raw.replace(b"\0", b""))
encoding = st.one_of(st.just(b""), st.sampled_from([b"KOI8-R", b"cp1251", b"utf-7", b"utf-16", b"x", b"\xff"]), field)
rows = st.lists(st.tuples(field, field, encoding, field, field, field), max_size=12)


@settings(max_examples=settings().max_examples * 3)
@given(rows=rows, cuts=st.lists(st.integers(0, 600), max_size=12), at_least=st.integers(0, 300))
def test_any_bytes_in_any_pieces_are_the_same_whole_commits(
    rows: list[tuple[bytes, bytes, bytes, bytes, bytes, bytes]], cuts: list[int], at_least: int
) -> None:
    whole = b""
    for number, (authored, committed, declared, name, mail, message) in enumerate(rows):
        whole += b"\0".join([b"%040x" % number, b"", authored, committed, declared, name, mail, message]) + b"\0"
    ends = [0, *sorted(min(cut, len(whole)) for cut in cuts), len(whole)]
    found = list(batches((whole[start:end] for start, end in itertools.pairwise(ends)), at_least=at_least))
    assert [int(one, 16) for batch in found for one in batch.ids] == list(range(len(rows)))
    wanted = [
        (text_of(row[3], said), text_of(row[4], said), text_of(row[5], said))
        for row in rows
        for said in [text_of(row[2], "")]
    ]
    told = [one for batch in found for one in zip(batch.names, batch.mails, batch.messages, strict=True)]
    assert told == wanted
    for texts in wanted:
        assert "\0" not in "".join(texts)
        "".join(texts).encode()


@pytest.mark.parametrize(
    ("text", "declared", "wanted"),
    [
        ("Жук".encode().decode("koi8-r"), "KOI8-R", "Жук"),
        ("Жук".encode().decode("latin-1"), "ISO-8859-1", "Жук"),
        ("Жук", "KOI8-R", "Жук"),
        ("Käfer", "ISO-8859-1", "Käfer"),
        ("Käfer", "", "Käfer"),
        ("Жук", "no-such-codec", "Жук"),
        ("カブト", "ISO-2022-JP", "カブト"),
    ],
)
def test_text_that_was_utf8_under_another_name_is_turned_back(text: str, declared: str, wanted: str) -> None:
    assert undeclared(text, declared) == wanted
