"""What a commit is for a line's policy, by what it says and by what people say of its tickets."""

from __future__ import annotations

import pytest

from releaser.domain.content import ChangeKind, brought
from releaser.domain.line import TicketKind
from tests.fakes.told_history import Told

MARKS = {"T-7": TicketKind.SECURITY, "T-8": TicketKind.FEATURE, "T-9": TicketKind.FIX}


def kinds(told: Told, branch: str = "main") -> dict[str, str]:
    history = told.history()
    (head,) = (one for one in history.heads if one.branch == branch)
    since = history.releases[-1].version
    return {one.subject: one.kind.value for one in brought(history.pending(head, since=since), marks=MARKS)}


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        ("feat: search", ChangeKind.FEATURE),
        ("feat(ui): search", ChangeKind.FEATURE),
        ("Feature: search", ChangeKind.FEATURE),
        ("fix!: other defaults", ChangeKind.FEATURE),
        ("fix: tidy\n\nBREAKING CHANGE: other defaults", ChangeKind.FEATURE),
        ("fix: crash", ChangeKind.FIX),
        ("T-1: crash", ChangeKind.FIX),
        ("Crash\n\nFixes: T-1", ChangeKind.FIX),
        ("Tidy up\n\nRefs: T-1", ChangeKind.OTHER),
        ("Tidy up", ChangeKind.OTHER),
        ("refactor: tidy up", ChangeKind.OTHER),
        ("chore: newer libraries", ChangeKind.OTHER),
        ("docs: say how", ChangeKind.HOUSEKEEPING),
        ("test(api): more", ChangeKind.HOUSEKEEPING),
        ("security: check the token", ChangeKind.SECURITY),
        ("sec: check the token", ChangeKind.SECURITY),
        ("fix(security): check the token", ChangeKind.SECURITY),
        ("fix(securityfolder): check", ChangeKind.FIX),
        ("Check the token\n\nFor CVE-2024-12345.", ChangeKind.SECURITY),
        ("Check the token (GHSA-abcd-1234-wxyz)", ChangeKind.SECURITY),
        ("Not a CVE-24-1 at all", ChangeKind.OTHER),
        ("T-7: check the token", ChangeKind.SECURITY),
        ("T-8: fix it", ChangeKind.FEATURE),
        ("feat: search\n\nFixes: T-9", ChangeKind.FIX),
        ("feat!: search\n\nFixes: T-9", ChangeKind.FEATURE),
        ("T-7, T-8: both", ChangeKind.FEATURE),
        ('Revert "security: check the token"', ChangeKind.SECURITY),
    ],
)
def test_commit_says_what_it_is_and_people_know_better(message: str, kind: ChangeKind) -> None:
    told = Told().commit("a").tag("1.0", "a").commit("b", "a", message=message).branch("main", "b")
    assert list(kinds(told).values()) == [kind.value]
