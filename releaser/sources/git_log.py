"""Reading `git log`: its format, and bytes to text.

The format joins fields by NUL, which no message can hold, so a fixed number of fields is exact. git turns a commit into
UTF-8 by the encoding the commit declares; where it cannot (a wrong or unknown declaration), the bytes come as they are,
and are read as UTF-8, else as declared as far as Python knows it, else as Latin-1, which always works. What was UTF-8
already, though another encoding was declared, is turned back. No commit is ever dropped for its bytes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import chain

from releaser.domain.history import CommitBatch

_FIELDS = ("%H", "%P", "%at", "%ct", "%e", "%an", "%ae", "%B")
WIDTH = len(_FIELDS)
_DECLARED = _FIELDS.index("%e")
LARGEST_MESSAGE = 1 << 18
_KEPT_END = 1 << 16
WORTH_A_LOOK = 1 << 19
"""Bytes; git writes some thousand at a time, and looking through as few costs more than reading them."""

ARGUMENTS = (
    "log",
    "-z",
    "--format=tformat:" + "%x00".join(_FIELDS),
    "--encoding=UTF-8",
    "--no-show-signature",
    "--no-color",
    "--no-notes",
    "--no-patch",
    "--no-decorate",
    "--stdin",
)

# Python's other codecs are no encodings of text, or slow on purpose-made input.
_CODECS = re.compile(
    r"(?:iso|latin|cp|koi8|windows|mac|euc|big5|gb|shift|sjis|s-?jis|utf|us-?ascii|ascii|tis|kz|johab|hz|ptcp|hp)[\w.-]{0,20}",
    re.ASCII | re.IGNORECASE,
)
# Of the others two letters may look like UTF-8 by chance, and git mostly cannot turn UTF-8 that is declared as one of them.
_SINGLE_BYTE = re.compile(
    r"(?:iso-?8859|iso_8859|latin|koi8|windows-?125|cp-?125|cp-?8|mac)[\w.-]{0,20}$", re.ASCII | re.IGNORECASE
)
# What some codecs read out of purpose-made bytes, and no store or page takes.
_UNFIT = re.compile("[\0\ud800-\udfff]")


def batches(pieces: Iterable[bytes], *, at_least: int = WORTH_A_LOOK) -> Iterator[CommitBatch]:
    """The log's output, in pieces of any size, as batches of whole commits, each of `at_least` so many bytes but the last."""
    pending: list[bytes] = []
    size, ends = 0, False
    carried: list[str] = []
    for piece in chain(pieces, [b""]):
        pending.append(piece)
        size += len(piece)
        ends = ends or b"\0" in piece
        if not ends or (piece and size < at_least):
            continue
        raw = b"".join(pending)
        cut = raw.rfind(b"\0") + 1
        pending, size, ends = [raw[cut:]], len(raw) - cut, False
        fields = _texts(raw[:cut], carried)
        whole = len(fields) - len(fields) % WIDTH
        carried = fields[whole:]
        if whole:
            yield _batch(fields, whole)


def _batch(fields: list[str], whole: int) -> CommitBatch:
    messages = fields[7:whole:WIDTH]
    if max(map(len, messages)) > LARGEST_MESSAGE:
        messages = [bounded(message) for message in messages]
    return CommitBatch(
        ids=fields[0:whole:WIDTH],
        parents=fields[1:whole:WIDTH],
        authored=fields[2:whole:WIDTH],
        committed=fields[3:whole:WIDTH],
        names=fields[5:whole:WIDTH],
        mails=fields[6:whole:WIDTH],
        messages=messages,
    )


def bounded(message: str) -> str:
    """A message of a size somebody can have written; the end stays too, because trailers stand there."""
    if len(message) <= LARGEST_MESSAGE:
        return message
    return message[: LARGEST_MESSAGE - _KEPT_END] + "\n[...]\n" + message[-_KEPT_END:]


def _texts(raw: bytes, carried: list[str]) -> list[str]:
    """The fields of `raw`, which ends with NUL, after those carried over."""
    try:
        # Nearly always everything is UTF-8, and one call for a megabyte is much faster than one for each field.
        fields = carried + raw.decode().split("\0")[:-1]
    except UnicodeDecodeError:
        fields = list(carried)
        for field in raw.split(b"\0")[:-1]:
            record = len(fields) - len(fields) % WIDTH
            declared = fields[record + _DECLARED] if len(fields) % WIDTH > _DECLARED else ""
            fields.append(text_of(field, declared))
        return fields
    if any(fields[_DECLARED::WIDTH]):
        for record in range(0, len(fields) - _DECLARED, WIDTH):
            if fields[record + _DECLARED]:
                _turn_back(fields, record)
    return fields


def _turn_back(fields: list[str], record: int) -> None:
    for at in range(record + _DECLARED + 1, min(record + WIDTH, len(fields))):
        fields[at] = undeclared(fields[at], fields[record + _DECLARED])


def undeclared(text: str, declared: str) -> str:
    """What the text was before git took it for the declared encoding, if that was UTF-8: no other encoding looks like it."""
    if text.isascii() or not _SINGLE_BYTE.match(declared):
        return text
    try:
        return text.encode(declared).decode()
    except (LookupError, UnicodeError):
        return text


def text_of(raw: bytes, declared: str) -> str:
    """Bytes as text: UTF-8, else as declared, else Latin-1."""
    try:
        return undeclared(raw.decode(), declared)
    except UnicodeDecodeError:
        pass
    if _CODECS.fullmatch(declared):
        try:
            return _UNFIT.sub("\N{REPLACEMENT CHARACTER}", raw.decode(declared))
        except (LookupError, UnicodeError):
            pass
    return raw.decode("latin-1")
