"""What an upgrade's commits say: breaking changes are told, and what only made a release is not counted as lost."""

from __future__ import annotations

import pytest

from releaser.domain.upgrade import as_json
from releaser.domain.upgrade_words import is_tooling
from tests.domain.test_upgrade import compare_versions, diff
from tests.fakes.told_history import Told, id_of

TOOLING = [
    "[maven-release-plugin] prepare release jenkins-2.504.1",
    "[maven-release-plugin] prepare for next development iteration",
    "[Gradle Release Plugin] - new version commit: '1.3-SNAPSHOT'.",
    "chore(release): 1.2.3",
    "chore(release): publish [skip ci]",
    "chore: release 1.2.3",
    "docs(changelog): 1.2.3",
    "Release 1.2.3",
    "Release version 1.2 (#123)",
    "Bump version to 1.2.3",
    "bump: version 1.2.2 → 1.2.3",
    "Bump version: 1.2.2 → 1.2.3",
    "Version bump to 1.2.3",
    "Prepare release 1.2.3",
    "Preparing for 1.2.3 release",
    "Prepare for next development iteration",
    "Set version to 1.2.3-SNAPSHOT",
    "Towards 2.504.1",
    "v1.2.3",
    "1.2.3",
]
FIXES = [
    "Bump guava from 32.0.0-jre to 32.0.1-jre",
    "Bump lodash to 1.2.3",
    "Release the lock when the worker dies",
    "Release 1.2.3 crashed: close the file",
    "fix(release): do not cut twice",
    "Prepare statements once",
    "Update version check of plugins",
    "chore: tidy up",
    "docs: describe the version bump",
    "1.2.3 is not a version of ours",
    "[release-notes] typo",
    "",
]


@pytest.mark.parametrize("subject", TOOLING)
def test_commit_of_release_tooling_is_known_by_its_subject(subject: str) -> None:
    assert is_tooling(subject)


@pytest.mark.parametrize("subject", FIXES)
def test_commit_that_may_mend_something_is_no_commit_of_release_tooling(subject: str) -> None:
    assert not is_tooling(subject)


def lines() -> Told:
    """3.4 with its releases made by tooling; 3.5 with changes that break something."""
    made = Told().commit("base").commit("fix", "base", message="Mend the lock")
    made.commit("prepare", "fix", message="[maven-release-plugin] prepare release 3.4.1")
    made.commit("named", "prepare", message="Release 3.4.2\n\nFixes: T-5")
    made.commit("footer", "base", message="Store anew\n\nBREAKING CHANGE: old files\nare not read")
    made.commit("marked", "footer", message="feat(api)!: T-3: sign in anew")
    made.commit("plain", "marked", message="feat: nothing!: special").commit("undo", "plain", message="Undone!: no")
    made.tag("3.4", "base").tag("3.4.1", "prepare").tag("3.4.2", "named").tag("3.5", "undo")
    return made.branch("main", "undo")


def test_commit_that_only_made_a_release_stays_in_the_list_marked_and_is_not_counted_as_lost() -> None:
    found = diff(lines(), "3.4.1", "3.5")
    assert [(one["commit"], one["tooling"]) for one in found["lost"]] == [("fix", False), ("prepare", True)]
    assert found["counts"]["lost"] == {"tickets": 0, "commits": 1, "tooling": 1}


def test_commit_that_names_a_ticket_is_lost_whatever_its_subject_says() -> None:
    found = diff(lines(), "3.4.2", "3.5")
    assert [(one["ticket"], one["tooling"]) for one in found["lost"]] == [("T-5", False), (None, False), (None, True)]
    assert found["counts"]["lost"] == {"tickets": 1, "commits": 1, "tooling": 1}


def test_list_cut_short_keeps_fixes_before_what_only_made_a_release() -> None:
    history = lines().history()
    found = as_json(compare_versions(history, "3.4.1", "3.5"), history, most=1)
    assert [one["subject"] for one in found["lost"]] == ["Mend the lock"]
    assert found["counts"]["lost"]["tooling"] == 1


def test_breaking_changes_on_the_way_are_told_with_what_they_break() -> None:
    found = diff(lines(), "3.4.1", "3.5")
    assert [(one["commit"], one["warning"], one["tickets"]) for one in found["breaking"]] == [
        (id_of("undo"), "", []),
        (id_of("marked"), "", ["T-3"]),
        (id_of("footer"), "old files are not read", []),
    ]
    assert {one["first_version"] for one in found["breaking"]} == {"3.5"}
    assert found["counts"]["breaking"] == {"commits": 3, "unread": 0}
    assert diff(lines(), "3.5", "3.4.1")["breaking"] == []
