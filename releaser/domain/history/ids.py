"""Commit ids as raw bytes one after the other, and finding places by them without an object for each."""

from __future__ import annotations

from array import array
from binascii import unhexlify
from collections.abc import Iterable, Iterator, Sequence
from typing import overload

_BUCKETS = 1 << 16
_FEW = 4


class Chains:
    """Finds places by a small number that belongs to each: a hash table in two flat columns, which grows at its end."""

    __slots__ = ("_heads", "_nexts")

    def __init__(self, heads: array[int] | None = None, nexts: array[int] | None = None) -> None:
        self._heads = array("i", [-1]) * _BUCKETS if heads is None else heads
        self._nexts = array("i") if nexts is None else nexts

    def __len__(self) -> int:
        return len(self._nexts)

    def extend(self, numbers: Iterable[int]) -> None:
        """Give the next places their numbers; only their low 16 bits count."""
        heads, hang = self._heads, self._nexts.append
        for place, number in enumerate(numbers, start=len(self._nexts)):
            bucket = number & 0xFFFF
            hang(heads[bucket])
            heads[bucket] = place

    def places(self, number: int) -> Iterator[int]:
        """The places that may have this number, newest first; others too, so compare."""
        place = self._heads[number & 0xFFFF]
        while place >= 0:
            yield place
            place = self._nexts[place]

    def copy(self) -> Chains:
        """An independent one."""
        return Chains(self._heads[:], self._nexts[:])

    @property
    def columns(self) -> tuple[array[int], array[int]]:
        """What makes the same again."""
        return self._heads, self._nexts


class Ids(Sequence[str]):
    """Full ids, told as hexadecimal text. All are of one width: 20 bytes (SHA-1) or 32 (SHA-256)."""

    __slots__ = ("_asked", "_chains", "raw", "width")

    def __init__(self, raw: bytearray, *, width: int, chains: Chains | None = None) -> None:
        self.raw = raw
        self.width = width
        self._chains = chains
        self._asked = 0

    @classmethod
    def of(cls, ids: Sequence[str]) -> Ids:
        """From text. Raises `ValueError` when they are not all of one width, or no ids."""
        width = len(ids[0]) // 2 if ids else 20
        raw = bytearray(unhexlify("".join(ids)))
        if len(raw) != width * len(ids):
            raise ValueError(f"{len(ids)} ids are not of one width")
        return cls(raw, width=width)

    def __len__(self) -> int:
        return len(self.raw) // self.width

    @overload
    def __getitem__(self, place: int) -> str: ...
    @overload
    def __getitem__(self, place: slice) -> list[str]: ...
    def __getitem__(self, place: int | slice) -> str | list[str]:
        if isinstance(place, slice):
            return [self[one] for one in range(*place.indices(len(self)))]
        at = (place if place >= 0 else len(self) + place) * self.width
        if not 0 <= at < len(self.raw):
            raise IndexError(place)
        return self.raw[at : at + self.width].hex()

    def __iter__(self) -> Iterator[str]:
        width = 2 * self.width
        text = self.raw.hex()
        return (text[at : at + width] for at in range(0, len(text), width))

    def raw_of(self, place: int) -> bytes:
        """The id as bytes; these sort like the text."""
        at = place * self.width
        return bytes(self.raw[at : at + self.width])

    def starting(self, prefix: str) -> list[int]:
        """Every place whose id starts so, in no order; none where the prefix is no lower-case hexadecimal text."""
        if not prefix or len(prefix) > 2 * self.width or not set(prefix) <= _HEXADECIMAL:
            return []
        if len(prefix) < 4 or not self._is_worth_a_table():
            return self._scanned(prefix)
        size = len(prefix) - len(prefix) % 2
        start = bytes.fromhex(prefix[:size])
        raw, width, half = self.raw, self.width, size // 2
        chains = self._table()
        at = (place * width for place in chains.places(start[0] << 8 | start[1]))
        found = [one // width for one in at if raw[one : one + half] == start]
        return found if size == len(prefix) else [one for one in found if self[one].startswith(prefix)]

    def place(self, full: str) -> int | None:
        """The place of a full id."""
        return next(iter(self.starting(full)), None) if len(full) == 2 * self.width else None

    def extend(self, more: Ids) -> None:
        """Put more ids at the end."""
        if not self.raw:
            self.width = more.width
        if self.width != more.width:
            raise ValueError("ids of two widths are in one repository")
        self.raw += more.raw
        if self._chains is not None:
            self._chains.extend(_first_two(more.raw, self.width))

    def copy(self) -> Ids:
        """An independent one."""
        copied = Ids(self.raw[:], width=self.width, chains=self._chains.copy() if self._chains is not None else None)
        copied._asked = self._asked
        return copied

    @property
    def chains(self) -> Chains | None:
        """The table that finds places, if it was worth making."""
        return self._chains

    def _is_worth_a_table(self) -> bool:
        # Making the table costs as much as looking through all ids some ten times.
        self._asked += 1
        return self._chains is not None or self._asked > _FEW

    def _table(self) -> Chains:
        if self._chains is None:
            chains = Chains()
            chains.extend(_first_two(self.raw, self.width))
            self._chains = chains
        return self._chains

    def _scanned(self, prefix: str) -> list[int]:
        if len(prefix) < 2:
            return [place for place, one in enumerate(self) if one.startswith(prefix)]
        size = len(prefix) - len(prefix) % 2
        start = bytes.fromhex(prefix[:size])
        found: list[int] = []
        at = self.raw.find(start)
        while at >= 0:
            if at % self.width == 0 and (size == len(prefix) or self[at // self.width].startswith(prefix)):
                found.append(at // self.width)
            at = self.raw.find(start, at + 1)
        return found


_HEXADECIMAL = frozenset("0123456789abcdef")


def _first_two(raw: bytearray, width: int) -> array[int]:
    """The first two bytes of every id as a number."""
    pairs = bytearray(2 * (len(raw) // width))
    pairs[0::2], pairs[1::2] = raw[0::width], raw[1::width]
    found = array("H", bytes(pairs))
    if array("H", b"\x01\x00")[0] == 1:
        found.byteswap()
    return found
