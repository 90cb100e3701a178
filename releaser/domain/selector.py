"""Which installations are meant: `all`, or `key=value` terms joined by commas. The same language everywhere.

Keys: `customer`, `installation`, `ring`, `line` (of the version that runs), `delivery`, `label.NAME`. Terms with the same
key are alternatives, different keys must all hold: `ring=canary,customer=acme,customer=globex`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from releaser.errors import InvalidError

KEYS = ("customer", "installation", "ring", "line", "delivery")
_LONGEST = 2000


class InvalidSelectorError(InvalidError):
    """The text is no selector."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Selector:
    """A parsed selector; no terms means `all`. `terms` maps each key to its accepted values, sorted."""

    terms: tuple[tuple[str, tuple[str, ...]], ...] = ()

    def __str__(self) -> str:
        """The canonical text: two selectors that mean the same are written the same."""
        return ",".join(f"{key}={value}" for key, values in self.terms for value in values) or "all"

    def matches(self, facts: Mapping[str, str]) -> bool:
        """Whether an installation with these facts (by key) is meant."""
        return all(facts.get(key, "") in values for key, values in self.terms)


def parse(text: str) -> Selector:
    """Read a selector. Raises `InvalidSelectorError` naming the term and the keys there are."""
    if len(text) > _LONGEST:
        raise InvalidSelectorError(f"The selector is longer than {_LONGEST} characters.", field="selector")
    if text.strip() == "all":
        return Selector()
    terms: dict[str, set[str]] = {}
    for part in text.split(","):
        key, equals, value = (piece.strip() for piece in part.partition("="))
        if not equals or not value or not (key in KEYS or (key.startswith("label.") and key != "label.")):
            raise InvalidSelectorError(
                f"'{part.strip()}' is no term of a selector.",
                advice=f"Use 'all', or terms like ring=canary joined by commas; keys: {', '.join(KEYS)}, label.NAME.",
                field="selector",
            )
        terms.setdefault(key, set()).add(value)
    return Selector(terms=tuple((key, tuple(sorted(values))) for key, values in sorted(terms.items())))
