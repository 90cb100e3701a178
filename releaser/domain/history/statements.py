"""What commits say, in flat columns: who wrote them and when, how they are called, what they claim to be and to take back."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from releaser.domain.history.ids import Chains
from releaser.domain.history.said import ELSEWHERE, Claim

Sources = dict[int, tuple[str, ...]]
Claims = dict[int, Claim]


@dataclass(slots=True, kw_only=True)
class MoreNames:
    """Further names of commits that have several: the commits, ascending, and the names' keys."""

    commits: array[int] = field(default_factory=lambda: array("i"))
    keys: array[int] = field(default_factory=lambda: array("Q"))

    def copy(self) -> MoreNames:
        """An independent one."""
        return MoreNames(commits=self.commits[:], keys=self.keys[:])


class Statements:
    """What commits say, by their places; see `said.Said`. `authors` are pairs of name and mail, by number.

    `sources` and `claims` may be handed in as functions that make them: only what brings a history up to date needs them.
    """

    def __init__(
        self,
        *,
        authored: array[int] | None = None,
        author: array[int] | None = None,
        authors: list[tuple[str, str]] | None = None,
        name: array[int] | None = None,
        more_names: MoreNames | None = None,
        sources: Sources | Callable[[], Sources] | None = None,
        claims: Claims | Callable[[], Claims] | None = None,
        dates: Chains | None = None,
    ) -> None:
        self.authored = array("q") if authored is None else authored
        self.author = array("i") if author is None else author
        self.authors = [] if authors is None else authors
        self.name = array("Q") if name is None else name
        self.more_names = MoreNames() if more_names is None else more_names
        self._sources = {} if sources is None else sources
        self._claims = {} if claims is None else claims
        self.dates = dates
        """Finds commits by `date_number` of when they were written, once somebody asked."""

    @property
    def sources(self) -> Sources:
        """Commit -> the ids it says it was picked from."""
        if not isinstance(self._sources, dict):
            self._sources = self._sources()
        return self._sources

    @property
    def claims(self) -> Claims:
        """Commit -> what it says it takes back."""
        if not isinstance(self._claims, dict):
            self._claims = self._claims()
        return self._claims

    def is_outside(self, commit: int) -> bool:
        """Whether the commit is another product's in the same repository."""
        return self.name[commit] == ELSEWHERE

    def copy(self) -> Statements:
        """An independent one."""
        return Statements(
            authored=self.authored[:],
            author=self.author[:],
            authors=self.authors[:],
            name=self.name[:],
            more_names=self.more_names.copy(),
            sources=self.sources.copy(),
            claims=self.claims.copy(),
            dates=self.dates.copy() if self.dates is not None else None,
        )

    def written_with(self, commit: int) -> Iterable[int]:
        """The commits written at the same second, this one included."""
        if self.dates is None:
            self.dates = Chains()
            self.dates.extend(map(date_number, self.authored))
        date = self.authored[commit]
        return (one for one in self.dates.places(date_number(date)) if self.authored[one] == date)


def date_number(seconds: int) -> int:
    """Spreads dates over the low bits; whole minutes, hours and days too."""
    return seconds * 0x9E3779B1 >> 16
