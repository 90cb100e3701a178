from __future__ import annotations

import random
from typing import Any

import pytest

from releaser.domain.history import History
from releaser.domain.upgrade import as_json, compare
from releaser.domain.version import Scheme, parse
from tests.fakes.told_history import Told, id_of


def diff(told: Told, since: str, upto: str) -> dict[str, Any]:
    """The answer as scripts read it, with names for ids."""
    history = told.history()
    names = {id_of(name): name for name in told.names}
    found = as_json(compare_versions(history, since, upto), history)
    for key in ("gained", "lost", "perhaps_gained", "perhaps_lost"):
        for one in found[key]:
            one["commits"] = [names[commit] for commit in one["commits"]]
            one["commit"] = names[one["commit"]]
            one["reverted_by"] = names.get(one["reverted_by"])
    return found


def compare_versions(history: History, since: str, upto: str) -> Any:  # noqa: ANN401 -- only handed on
    releases = [history.release(parse(text, scheme=Scheme.TWO_PART)) for text in (since, upto)]
    assert releases[0] is not None
    assert releases[1] is not None
    return compare(history, releases[0], releases[1])


def told(entries: list[dict[str, Any]]) -> list[tuple[str | None, list[str], str]]:
    return [(one["ticket"], one["commits"], one["lack"]) for one in entries]


def lines() -> Told:
    """3.4 with patches of its own; 3.5 from main, where T-2 shipped and was taken back in 3.5.1."""
    made = Told().commit("base").commit("t1", "base", message="T-1: repair").commit("more", "t1")
    made.commit("t2", "more", message="T-2: improve").commit("rel35", "t2")
    made.commit("pick", "base", message="T-1: repair, differently said\n\n(cherry picked from commit {t1})")
    made.commit("own", "pick", message="T-7: only for customers of 3.4").commit("quiet", "own")
    made.commit("undo", "rel35", message='Revert "T-2: improve"\n\nThis reverts commit {t2}.')
    made.tag("3.4", "base").tag("3.4.1", "pick").tag("3.4.2", "quiet").tag("3.5", "rel35").tag("3.5.1", "undo")
    return made.branch("main", "undo")


def test_fix_picked_to_the_old_line_is_neither_lost_nor_gained() -> None:
    found = diff(lines(), "3.4.1", "3.5")
    assert (found["from"], found["to"], found["lost"]) == ("3.4.1", "3.5", [])
    assert told(found["gained"]) == [("T-2", ["t2"], "absent"), (None, ["rel35"], "absent"), (None, ["more"], "absent")]


def test_fix_made_on_the_old_line_only_is_lost_by_ticket_and_by_commit() -> None:
    found = diff(lines(), "3.4.2", "3.5")
    assert told(found["lost"]) == [("T-7", ["own"], "absent"), (None, ["quiet"], "absent")]
    assert [one["first_version"] for one in found["lost"]] == ["3.4.2", "3.4.2"]
    assert found["lost"][0]["subject"] == "T-7: only for customers of 3.4"
    assert not found["goes_back"]


def test_fix_that_is_taken_back_is_lost_and_its_revert_is_named() -> None:
    found = diff(lines(), "3.5", "3.5.1")
    assert told(found["lost"]) == [("T-2", ["t2"], "reverted")]
    assert found["lost"][0]["reverted_by"] == "undo"
    assert told(found["gained"]) == [(None, ["undo"], "absent")]


def test_what_was_taken_back_before_anybody_had_it_is_not_told() -> None:
    found = diff(lines(), "3.4", "3.5.1")
    assert told(found["gained"]) == [("T-1", ["t1"], "absent"), (None, ["rel35"], "absent"), (None, ["more"], "absent")]
    assert found["releases"] == ["3.5", "3.5.1"]


def test_going_back_loses_what_the_newer_gained() -> None:
    found = diff(lines(), "3.5", "3.4.1")
    assert found["goes_back"]
    assert [one["ticket"] for one in found["lost"]] == ["T-2", None, None]
    assert found["gained"] == []


def test_same_ticket_mended_by_hand_on_both_is_doubtful_and_not_lost() -> None:
    made = (
        Told().commit("base").commit("new", "base", message="T-1: rewrite").commit("old", "base", message="T-1: patch")
    )
    found = diff(made.tag("1.0", "base").tag("1.0.1", "old").tag("1.1", "new"), "1.0.1", "1.1")
    assert (found["lost"], found["gained"]) == ([], [])
    assert told(found["perhaps_lost"]) == [(None, ["old"], "same-ticket")]
    assert told(found["perhaps_gained"]) == [(None, ["new"], "same-ticket")]


def test_second_fix_of_a_ticket_that_both_have_is_told_by_its_commit() -> None:
    made = (
        Told()
        .commit("base")
        .commit("a", "base", message="T-1: first half")
        .commit("b", "a", message="T-1: second half")
    )
    found = diff(made.tag("1.0", "a").tag("1.1", "b"), "1.0", "1.1")
    assert told(found["gained"]) == [(None, ["b"], "absent")]
    assert found["gained"][0]["tickets"] == ["T-1"]
    assert told(diff(made, "1.1", "1.0")["lost"]) == [(None, ["b"], "absent")]


def test_merge_is_told_by_what_it_brings() -> None:
    made = Told().commit("base").commit("side", "base").commit("merge", "base", "side", message="Merge side")
    found = diff(made.tag("1.0", "base").tag("1.1", "merge"), "1.0", "1.1")
    assert told(found["gained"]) == [(None, ["side"], "absent")]


def test_pick_of_a_whole_merge_is_what_its_side_brought() -> None:
    made = Told().commit("base").commit("side", "base", message="T-1: side").commit("other", "base")
    made.commit("merge", "other", "side", message="Merge side")
    made.commit("pick", "base", message="Side\n\n(cherry picked from commit {merge})")
    made.tag("1.0", "base").tag("1.0.1", "pick").tag("1.1", "merge")
    found = diff(made, "1.0.1", "1.1")
    assert told(found["gained"]) == [(None, ["other"], "absent")]
    assert found["lost"] == []


def wandering(seed: int) -> Told:
    """Commits, merges, picks and reverts on three branches, with releases here and there."""
    chance = random.Random(seed)  # noqa: S311 -- no secret
    made = Told().commit("c0")
    tips = ["c0", "c0", "c0"]
    for n in range(1, 40):
        branch = chance.randrange(3)
        other = chance.choice(made.names)
        messages = ["", "", f"T-{chance.randrange(6)}: work", f"Again\n\n(cherry picked from commit {{{other}}})"]
        message = chance.choice([*messages, f'Revert "it"\n\nThis reverts commit {{{other}}}.'])
        parents = [tips[branch]]
        if chance.random() < 0.2 and other != tips[branch]:
            parents.append(other)
        made.commit(f"c{n}", *parents, message=message)
        tips[branch] = f"c{n}"
        if n % 4 == 0:
            made.tag(f"1.{branch}.{n}", f"c{n}")
    return made


@pytest.mark.parametrize("seed", range(25))
def test_any_two_releases_differ_by_what_is_in_force(seed: int) -> None:
    history = wandering(seed).history()
    force, copies, graph = history.force, history.copies, history.graph
    for since in history.releases:
        for upto in history.releases[::3]:
            found = compare(history, since, upto)
            back = compare(history, upto, since)
            assert (found.gained, found.perhaps_gained) == (back.lost, back.perhaps_lost), f"seed {seed}"
            told_commits = {c for one in (*found.gained, *found.perhaps_gained) for c in one.commits}
            a, b = 1 << since.rank, 1 << upto.rank
            for commit in range(len(history)):
                if commit in graph.more or commit in force.reverts_of or len(copies.origins(commit)) > 1:
                    continue
                # A pick of a merge brings what its source's side brought.
                anywhere = {one for same in copies.same(commit) for one in copies.everywhere(same)}
                has = force.bits(commit) & b and not any(force.bits(one) & a for one in anywhere)
                assert (commit in told_commits) == bool(has), f"seed {seed}: {since.version} -> {upto.version}"


@pytest.mark.parametrize("seed", range(12))
def test_upgrade_is_told_alike_whether_classes_of_tickets_are_known_or_not(seed: int) -> None:
    plain, judged = wandering(seed).history(), wandering(seed).history()
    judged.index.classify()
    for since in plain.releases:
        for upto in plain.releases:
            assert plain.index.classes is None
            found, also = compare(plain, since, upto), compare(judged, since, upto)
            assert (found.gained, found.perhaps_gained) == (also.gained, also.perhaps_gained), f"seed {seed}"
