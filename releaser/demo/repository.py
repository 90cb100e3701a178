"""The sample product's git repository, made by real git: an online shop with two lines.

What its history tells, oldest first (times are fixed, so ids are the same everywhere):

- `main`: SHOP-1, -2, -3 → tag `v1.0`; then SHOP-4 (a fix), -5, -6 (Russian), -7, -8 (only mentioned), the revert of
  SHOP-7, -10 by a merge, -9. What `main` holds is ready to be cut as 1.1.
- line `1.0`: branched at `v1.0`, SHOP-4 picked with `cherry-pick -x` → tag `v1.0.1`.
- later, `add_hotfixes`: SHOP-11 and SHOP-12 fixed on `main` and picked to line `1.1`, for 1.1.1.
- later, `add_bad_change`: SHOP-13 on `main` and picked to line `1.1`, for 1.1.2, which never becomes healthy.

So 1.1 fixes SHOP-4, -5, -6, -9 and -10, not SHOP-7.

What does not live here: cutting and tagging 1.1 and later, which is the product's work; images (`images`).
"""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Self

from releaser.demo import keeper
from releaser.errors import OutsideError

DEVELOPER = "Demo Developer"
ADDRESS = "developer@example.org"
STARTED_AT = datetime(2026, 1, 12, 8, 0, tzinfo=UTC)
TICKET_PATTERN = r"SHOP-\d+"
TAG_FORMAT = "v{version}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One commit to come: message and the file it writes, each its own, so that picks and reverts never collide."""

    file: str
    subject: str
    body: str = ""


FIRST = Change(file="README.md", subject="Start the shop")
FOR_1_0 = (
    Change(file="catalogue.py", subject="Show the products", body="Fixes: SHOP-1"),
    Change(
        file="basket.py",
        subject="Let customers fill a basket",
        body="A basket is kept for thirty days.\n\nFixes: SHOP-2",
    ),
    Change(file="mail.py", subject="Send order confirmations by mail", body="Fixes: SHOP-3\nRefs: SHOP-2"),
)
ROUNDING = Change(
    file="rounding.py",
    subject="Round totals half up",
    body="Totals were rounded to even, so that some orders were a cent short.\n\nFixes: SHOP-4",
)
DISCOUNTS = Change(file="discounts.py", subject="Add discount codes", body="Fixes: SHOP-5")
VAT = Change(
    file="vat.py",
    subject="Показывать цены с учётом НДС",
    body="В каталоге и в корзине цена показывается вместе с налогом.\n\nFixes: SHOP-6",
)
CACHE = Change(file="cache.py", subject="Cache the catalogue", body="Fixes: SHOP-7")
SEARCH = Change(file="search.py", subject="Prepare the search by article number", body="Refs: SHOP-8")
EXPORT = Change(file="export.py", subject="Export orders as CSV", body="Fixes: SHOP-10")
LOGIN = Change(file="login.py", subject="Keep the basket when a customer logs in", body="Fixes: SHOP-9")
HOTFIXES = (
    Change(
        file="checkout.py",
        subject="Do not lose the last item of an order",
        body="The last item went missing when an order was sent twice.\n\nFixes: SHOP-11",
    ),
    Change(
        file="receipt.py",
        subject="Исправить кодировку в письме с чеком",
        body="Русские буквы в письме превращались в знаки вопроса.\n\nFixes: SHOP-12",
    ),
)
BAD_CHANGE = Change(file="settings.py", subject="Read the settings from the new place", body="Fixes: SHOP-13")


class GitError(OutsideError):
    """Git refused something while a repository was made."""


class SampleRepository:
    """The repository below `folder`: `origin.git` (bare; what the product reads and pushes to) and a developer's clone.

    `SampleRepository(folder).make()` on an empty or missing folder. Every method that commits pushes to the origin.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self.origin = self.folder / "origin.git"
        self.clone = self.folder / "developer"
        self._now = STARTED_AT

    def make(self) -> Self:
        """Make the history up to where 1.1 can be cut."""
        self.clone.mkdir(parents=True)
        self._git("init", "--quiet", "--bare", "--initial-branch=main", str(self.origin))
        self._git("init", "--quiet", "--initial-branch=main")
        self._git("remote", "add", "origin", str(self.origin))
        for change in (FIRST, *FOR_1_0):
            self._commit(change)
        self._tag("v1.0")
        self._git("branch", "1.0")
        rounding = self._commit(ROUNDING)
        self._towards_1_1()
        self._git("switch", "--quiet", "1.0")
        self._pick(rounding)
        self._tag("v1.0.1")
        self._git("switch", "--quiet", "main")
        self._push("main", "1.0")
        return self

    def add_hotfixes(self) -> tuple[str, ...]:
        """SHOP-11 and SHOP-12, on `main` and picked to line `1.1`; returns the ids on the line.

        The line's branch is the origin's `1.1`, made from the tag `v1.1` where there is none yet.
        """
        return self._fix_on_line(HOTFIXES)

    def add_bad_change(self) -> str:
        """SHOP-13, on `main` and picked to line `1.1`; returns the id on the line."""
        return self._fix_on_line((BAD_CHANGE,))[0]

    def head(self, reference: str) -> str:
        """The id of the commit that a branch or tag of the origin stands on."""
        return self._git("rev-parse", "--verify", "--end-of-options", f"{reference}^{{commit}}", where=self.origin)

    def tags(self) -> tuple[str, ...]:
        """The origin's tags."""
        return tuple(self._git("tag", "--list", where=self.origin).split())

    def subjects(self, reference: str) -> tuple[str, ...]:
        """The subjects of the history of a branch or tag of the origin, newest first."""
        log = self._git("log", "--format=%s", self.head(reference), where=self.origin)
        return tuple(log.splitlines())

    def _towards_1_1(self) -> None:
        for change in (DISCOUNTS, VAT):
            self._commit(change)
        self._git("switch", "--quiet", "--create", "export")
        self._commit(EXPORT)
        self._git("switch", "--quiet", "main")
        cache = self._commit(CACHE)
        self._commit(SEARCH)
        self._git("revert", "--no-edit", cache)
        self._git("merge", "--quiet", "--no-ff", "--no-edit", "export")
        self._git("branch", "--quiet", "--delete", "export")
        self._commit(LOGIN)

    def _fix_on_line(self, changes: tuple[Change, ...]) -> tuple[str, ...]:
        self._git("fetch", "--quiet", "--tags", "origin")
        there = self._git("ls-remote", "origin", "refs/heads/1.1")
        self._git("switch", "--quiet", "main")
        self._git("merge", "--quiet", "--ff-only", "origin/main")  # a cut may have committed its changelog there
        fixes = [self._commit(change) for change in changes]
        self._git("switch", "--quiet", "--force-create", "1.1", "origin/1.1" if there else "v1.1^{commit}")
        picked = tuple(self._pick(fix) for fix in fixes)
        self._git("switch", "--quiet", "main")
        self._push("main", "1.1")
        return picked

    def _commit(self, change: Change) -> str:
        (self.clone / change.file).write_text(f"# {change.subject}\n")
        self._git("add", "--", change.file)
        self._git("commit", "--quiet", "--message", change.subject, "--message", change.body)
        return self._git("rev-parse", "HEAD")

    def _pick(self, commit: str) -> str:
        self._git("cherry-pick", "-x", commit)
        return self._git("rev-parse", "HEAD")

    def _tag(self, name: str) -> None:
        self._git("tag", "--annotate", "--message", f"Shop {name.removeprefix('v')}", name)

    def _push(self, *branches: str) -> None:
        self._git("push", "--quiet", "--follow-tags", "origin", *branches)

    def _git(self, *arguments: str, where: Path | None = None) -> str:
        """Run git in the developer's clone; each call is an hour later."""
        self._now += timedelta(hours=1)
        date = f"{int(self._now.timestamp())} +0300"
        return _run(
            *arguments,
            where=where or self.clone,
            **dict.fromkeys(("GIT_AUTHOR_NAME", "GIT_COMMITTER_NAME"), DEVELOPER),
            **dict.fromkeys(("GIT_AUTHOR_EMAIL", "GIT_COMMITTER_EMAIL"), ADDRESS),
            **dict.fromkeys(("GIT_AUTHOR_DATE", "GIT_COMMITTER_DATE"), date),
        )


def unbundle(bundle: Path, folder: Path) -> Path:
    """Make the bare repository `folder` of what is in a bundle; returns the folder. Raises GitError."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    _run("clone", "--quiet", "--bare", "--", str(bundle.resolve()), str(folder), where=folder.parent)
    return folder


def _run(*arguments: str, where: Path, **variables: str) -> str:
    """What git says, free of the settings of whoever runs this. Raises GitError."""
    environment = {
        "PATH": keeper.PATH,
        "HOME": os.devnull,
        "LC_ALL": "C.UTF-8",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_TERMINAL_PROMPT": "0",
        **variables,
    }
    done = subprocess.run(  # noqa: S603 - our own words
        ["git", *arguments],  # noqa: S607
        cwd=where,
        env=environment,
        capture_output=True,
        encoding="utf-8",
        check=False,
        timeout=60,
    )
    if done.returncode != 0:
        raise GitError(f"`git {' '.join(arguments)}` failed: {done.stderr.strip()}", permanent=True)
    return done.stdout.strip()
