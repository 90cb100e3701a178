"""Versions: reading, ordering and deriving them, in the product's numbering scheme, and the tags that carry them.

Rules: one version has one shown form (`text`) and one normalised form (`key`, unique in a product: `3.4` and `3.4.0`
are one). Candidates come before the version they lead to, patches after their stable. Text from outside is refused
with the reason, never guessed at.

What does not live here: which versions exist (`domain.history`, the store), and who may cut one (`flows`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache, total_ordering
from typing import Any

from releaser.errors import InvalidError, NotFoundError

MAX_LENGTH = 128
MAX_DIGITS = 9


class InvalidVersionError(InvalidError):
    """The text is no version of the scheme; says why."""


class InvalidTagFormatError(InvalidError):
    """The tag format cannot name a version."""


class UnknownLineError(NotFoundError):
    """There is no stable release to patch on that line."""


class Scheme(StrEnum):
    """How a product numbers its versions."""

    TWO_PART = "two-part"
    SEMVER = "semver"
    PEP440 = "pep440"


class VersionKind(StrEnum):
    """What a version is by its number."""

    STABLE = "stable"
    PATCH = "patch"
    CANDIDATE = "candidate"


@total_ordering
@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """One version. `text` is shown, `key` compares; `line` is the `X.Y` it belongs to.

    `parts` are the leading numbers (major, minor, patch); `order` sorts within one scheme and is nobody else's business.
    """

    scheme: Scheme
    key: str
    text: str = field(compare=False)
    line: str = field(compare=False)
    kind: VersionKind = field(compare=False)
    parts: tuple[int, int, int] = field(compare=False)
    order: tuple[Any, ...] = field(compare=False, repr=False)

    def __lt__(self, other: object) -> bool:
        if not isinstance(other, Version) or other.scheme is not self.scheme:
            return NotImplemented
        return self.order < other.order

    def __str__(self) -> str:
        return self.text


_EXAMPLES = {
    Scheme.TWO_PART: "3.4, 3.4.1 or 3.5-rc.1",
    Scheme.SEMVER: "3.4.0, 3.4.1 or 3.5.0-rc.1",
    Scheme.PEP440: "3.4, 3.4.1 or 3.5rc1",
}
# Candidates are written in many ways in real tags: `-rc.1`, `-rc1`, `-rc-1`, `-RC1`, and `-rc` alone for the first.
_TWO_PART = re.compile(r"([0-9]+)\.([0-9]+)(?:\.([0-9]+))?(?:-(alpha|beta|rc)(?:[.-]?([0-9]+))?)?", re.IGNORECASE)
_STAGES = {"alpha": 0, "beta": 1, "rc": 2}
_FINAL = 9


def parse(text: str, *, scheme: Scheme) -> Version:
    """Read a version; a leading `v` is accepted. Raises `InvalidVersionError`, which says what is wrong."""
    return _parsed(text, scheme)


# The tags of a repository are read again and again.
@lru_cache(maxsize=1 << 13)
def _parsed(text: str, scheme: Scheme) -> Version:
    bare = text[1:] if text[:1] in {"v", "V"} else text
    _check_shape(text, bare, scheme)
    return _PARSERS[scheme](bare)


def _invalid(text: str, reason: str, scheme: Scheme) -> InvalidVersionError:
    shown = ascii(text if len(text) <= MAX_LENGTH else text[:20] + "...")
    return InvalidVersionError(
        f"{shown} is not a version: {reason}.", advice=f"Write it like {_EXAMPLES[scheme]}.", field="version"
    )


def _check_shape(text: str, bare: str, scheme: Scheme) -> None:
    """Refuse what no scheme accepts, before any parser sees it."""
    if not text:
        raise _invalid(text, "it is empty", scheme)
    if len(text) > MAX_LENGTH:
        raise _invalid(text, f"it is {len(text)} characters long, and {MAX_LENGTH} is the most", scheme)
    if not text.isascii():
        raise _invalid(text, "only ASCII letters and digits are allowed", scheme)
    if any(character.isspace() or not character.isprintable() for character in text):
        raise _invalid(text, "it has white space or control characters", scheme)
    if not bare or not bare[0].isdigit():
        raise _invalid(text, "it has no number" if not re.search("[0-9]", bare) else "it starts with no number", scheme)
    numbers = re.match(r"[0-9]+(?:\.[0-9]+)*", bare)
    for part in numbers[0].split(".") if numbers else ():
        if len(part) > 1 and part.startswith("0"):
            raise _invalid(text, f"'{part[:20]}' has a leading zero", scheme)
    for part in re.findall("[0-9]+", bare):
        if len(part) > MAX_DIGITS:
            raise _invalid(text, f"a number of {len(part)} digits is absurd, {MAX_DIGITS} is the most", scheme)


def _two_part(text: str) -> Version:
    match = _TWO_PART.fullmatch(text)
    if match is None:
        raise _invalid(text, _why_not_two_part(text), Scheme.TWO_PART)
    major, minor, patch = int(match[1]), int(match[2]), int(match[3] or 0)
    stage = match[4].lower() if match[4] else ""
    number = int(match[5] or 1) if stage else 0
    if stage and match[5] and len(match[5]) > 1 and match[5].startswith("0"):
        raise _invalid(text, f"'{match[5]}' has a leading zero", Scheme.TWO_PART)
    shown = f"{major}.{minor}" + (f".{patch}" if patch else "") + (f"-{stage}.{number}" if stage else "")
    kind = VersionKind.CANDIDATE if stage else VersionKind.PATCH if patch else VersionKind.STABLE
    return Version(
        scheme=Scheme.TWO_PART,
        key=shown,
        text=shown,
        line=f"{major}.{minor}",
        kind=kind,
        parts=(major, minor, patch),
        order=(major, minor, patch, _STAGES.get(stage, _FINAL), number),
    )


def _why_not_two_part(text: str) -> str:
    numbers = re.match(r"[0-9]+(?:\.[0-9]+)*", text)
    count = numbers[0].count(".") + 1 if numbers else 0
    rest = text[numbers.end() :] if numbers else text
    if count == 1 and not rest:
        return "it has one part, and two (X.Y) or three (X.Y.Z) are needed"
    if count > 3:
        return f"it has {count} parts, and three (X.Y.Z) are the most"
    return f"'{rest[:20]}' after the number is not '-rc.N'"


def _semver(text: str) -> Version:
    # Imported here because most products number in two parts, and every command pays for what is imported above.
    import semver  # noqa: PLC0415

    try:
        read = semver.Version.parse(text)
    except ValueError as error:
        count = text.partition("-")[0].partition("+")[0].count(".") + 1
        why = (
            f"it has {count} parts, and three are needed"
            if count != 3
            else "it does not follow Semantic Versioning 2.0"
        )
        raise _invalid(text, why, Scheme.SEMVER) from error
    before: tuple[Any, ...] = (1,)
    if read.prerelease:
        names = read.prerelease.split(".")
        before = (0, *((0, int(n), "") if n.isdigit() else (1, 0, n) for n in names))
    kind = VersionKind.CANDIDATE if read.prerelease else VersionKind.PATCH if read.patch else VersionKind.STABLE
    return Version(
        scheme=Scheme.SEMVER,
        # Build metadata does not tell versions apart (Semantic Versioning 2.0, rule 10).
        key=str(read.replace(build=None)),
        text=str(read),
        line=f"{read.major}.{read.minor}",
        kind=kind,
        parts=(read.major, read.minor, read.patch),
        order=(read.major, read.minor, read.patch, before),
    )


_PRE_LETTERS = {"a": 0, "b": 1, "rc": 2}
_NEVER = 10**MAX_DIGITS


def _pep440(text: str) -> Version:
    # Imported here for the same reason as `semver`.
    from packaging.version import InvalidVersion  # noqa: PLC0415
    from packaging.version import Version as Pep440  # noqa: PLC0415

    try:
        read = Pep440(text)
    except InvalidVersion as error:
        raise _invalid(text, "it does not follow PEP 440", Scheme.PEP440) from error
    if read.local:
        raise _invalid(text, f"the local part '+{read.local}' cannot be released", Scheme.PEP440)
    major, minor, patch = (*read.release, 0, 0)[:3]
    bare = list(read.release)
    while len(bare) > 1 and not bare[-1]:
        bare.pop()
    shown = str(read)
    full = ".".join(map(str, read.release))
    epoch = f"{read.epoch}!" if read.epoch else ""
    tail = shown.removeprefix(epoch).removeprefix(full)
    later = any(read.release[2:]) or read.post is not None
    pre = (_PRE_LETTERS[read.pre[0]], read.pre[1]) if read.pre else (_FINAL, 0)
    if read.pre is None and read.post is None and read.dev is not None:
        pre = (-1, 0)
    return Version(
        scheme=Scheme.PEP440,
        key=f"{epoch}{'.'.join(map(str, bare))}{tail}",
        text=shown,
        line=f"{epoch}{major}.{minor}",
        kind=VersionKind.CANDIDATE if read.is_prerelease else VersionKind.PATCH if later else VersionKind.STABLE,
        parts=(major, minor, patch),
        order=(
            read.epoch,
            tuple(bare),
            pre,
            -1 if read.post is None else read.post,
            _NEVER if read.dev is None else read.dev,
        ),
    )


_PARSERS: dict[Scheme, Callable[[str], Version]] = {
    Scheme.TWO_PART: _two_part,
    Scheme.SEMVER: _semver,
    Scheme.PEP440: _pep440,
}


def next_stable(known: Iterable[Version], *, scheme: Scheme) -> Version:
    """The next `X.Y` of the train: one minor above the newest line, or that line's own if it has only candidates.

    `known` holds every number ever given, burned ones too. The first stable of all is `0.1`.
    """
    every = list(known)
    if not every:
        return _made(scheme, "", (0, 1, 0))
    newest = max(every)
    on_line = [version for version in every if version.line == newest.line]
    major, minor, _ = newest.parts
    open_line = all(version.kind is VersionKind.CANDIDATE and not version.parts[2] for version in on_line)
    return _made(scheme, _epoch(newest), (major, minor if open_line else minor + 1, 0))


def next_patch(line: str, known: Iterable[Version], *, scheme: Scheme) -> Version:
    """The next `X.Y.Z` of `line`: above its highest number, or that number itself if it has only candidates.

    Raises `InvalidVersionError` for a malformed line and `UnknownLineError` when nothing stable is there to patch.
    """
    wanted = line_named(line, scheme=scheme)
    on_line = [version for version in known if version.line == wanted]
    if not any(version.kind is not VersionKind.CANDIDATE for version in on_line):
        raise UnknownLineError(
            f"Line {wanted} has no release to patch.", advice="Cut its stable release first.", field="line"
        )
    newest = max(on_line)
    major, minor, patch = newest.parts
    return _made(scheme, _epoch(newest), (major, minor, patch if newest.kind is VersionKind.CANDIDATE else patch + 1))


def next_candidate(target: Version, known: Iterable[Version]) -> Version:
    """The next `target-rc.N`: `N` is one above the highest candidate known of that version."""
    same = [v for v in known if v.kind is VersionKind.CANDIDATE and v.parts == target.parts and v.line == target.line]
    numbers = [int(match[1]) for v in same if (match := re.search(r"rc[.-]?([0-9]+)$", v.text))]
    separator = "rc" if target.scheme is Scheme.PEP440 else "-rc."
    return parse(f"{target.text}{separator}{max(numbers, default=0) + 1}", scheme=target.scheme)


def line_named(line: str, *, scheme: Scheme) -> str:
    """The shown form of a line's number: `v3.4` and `3.4.0` are `3.4`. Raises `InvalidVersionError`."""
    padded = f"{line}.0" if scheme is Scheme.SEMVER and line.count(".") == 1 else line
    version = parse(padded, scheme=scheme)
    if version.kind is not VersionKind.STABLE:
        raise InvalidVersionError(
            f"'{version.text}' is not a line.", advice=f"A line is written X.Y, such as {version.line}.", field="line"
        )
    return version.line


def _epoch(version: Version) -> str:
    head, mark, _ = version.line.partition("!")
    return head + mark if mark else ""


def _made(scheme: Scheme, epoch: str, parts: tuple[int, int, int]) -> Version:
    major, minor, patch = parts
    short = scheme is not Scheme.SEMVER and not patch
    return parse(f"{epoch}{major}.{minor}" if short else f"{epoch}{major}.{minor}.{patch}", scheme=scheme)


_PLACE = "{version}"
_REFUSED_IN_TAGS = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|^[-/.]|[/.]$|\.lock$")


@dataclass(frozen=True, slots=True, kw_only=True)
class TagFormat:
    """How a product's tags carry versions: text with one `{version}`, such as `v{version}` or `jenkins-{version}`.

    On reading, a `v` before the version may be there or not, and the old habit of `1_396` for `1.396` is understood.
    """

    scheme: Scheme
    text: str = _PLACE

    def __post_init__(self) -> None:
        """Refuse what cannot name a version or a tag. Raises `InvalidTagFormatError`."""
        advice = "Write it like 'v{version}' or 'app-{version}'."
        if self.text.count(_PLACE) != 1:
            count = self.text.count(_PLACE)
            why = "has no {version}" if not count else f"has {{version}} {count} times"
            raise InvalidTagFormatError(f"Tag format {self.text[:80]!a} {why}.", advice=advice, field="tag_format")
        if len(self.text) > MAX_LENGTH or _REFUSED_IN_TAGS.search(self.text.replace(_PLACE, "1")):
            raise InvalidTagFormatError(
                f"Tag format {self.text[:80]!a} cannot be the name of a git tag.", advice=advice, field="tag_format"
            )

    def version_of(self, tag_name: str) -> Version | None:
        """The version a tag carries, or None when the tag is not of this format or carries no version."""
        before, _, after = self.text.partition(_PLACE)
        if before in {"", "v", "V"} and not after:
            before = ""
        if not (tag_name.startswith(before) and tag_name.endswith(after)) or len(tag_name) < len(self.text) - len(
            _PLACE
        ):
            return None
        carried = tag_name[len(before) : len(tag_name) - len(after)]
        if _UNDERSCORED.fullmatch(carried):
            carried = carried.replace("_", ".")
        try:
            return parse(carried, scheme=self.scheme)
        except InvalidVersionError:
            return None

    def tag_for(self, version: Version) -> str:
        """The name of the tag that will carry `version`."""
        return self.text.replace(_PLACE, version.text)


_UNDERSCORED = re.compile(r"[0-9]+(?:_[0-9]+){1,2}")
