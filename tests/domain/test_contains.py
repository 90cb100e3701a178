from __future__ import annotations

from typing import Any

import pytest

from releaser.domain.contains import (
    SHORTEST_ID,
    AmbiguousCommitError,
    ShortIdError,
    UnknownChangeError,
    as_json,
    whereabouts,
)
from releaser.domain.history import History
from tests.fakes.told_history import Told, id_of


def lines() -> Told:
    """T-1 on main and, by a pick, on 3.4; T-2 shipped in 3.5 and taken back in 3.5.1; T-9 only spoken of."""
    made = Told().commit("base").commit("t1", "base", message="T-1: repair").commit("t2", "t1", message="T-2: improve")
    made.commit("pick", "base", message="Repair\n\n(cherry picked from commit {t1})")
    made.commit("undo", "t2", message='Revert "T-2: improve"\n\nThis reverts commit {t2}.\n\nSee T-9')
    made.tag("3.4", "base").tag("3.4.1", "pick").tag("3.5", "t2").tag("3.5.1", "undo")
    return made.branch("main", "undo").branch("3.4", "pick")


def told(history: History, query: str) -> dict[str, Any]:
    return as_json(whereabouts(history, query), history)


def releases(found: dict[str, Any]) -> list[tuple[str, str, str]]:
    return [(one["version"], one["via"], one["commit"]) for one in found["releases"]]


def statuses(found: dict[str, Any]) -> dict[str, tuple[str, str | None]]:
    return {one["line"]: (one["status"], one["first_version"]) for one in found["lines"]}


@pytest.mark.parametrize("query", [id_of("t1"), id_of("t1")[:8], id_of("t1")[:5].upper(), f" {id_of('t1')} "])
def test_commit_is_told_with_its_picks(query: str) -> None:
    found = told(lines().history(), query)
    assert releases(found) == [
        ("3.4.1", "pick", id_of("pick")),
        ("3.5", "self", id_of("t1")),
        ("3.5.1", "self", id_of("t1")),
    ]
    assert statuses(found) == {"3.4": ("fixed", "3.4.1"), "3.5": ("fixed", "3.5")}
    assert found["commits"] == [id_of("t1"), id_of("pick")]
    assert found["branches"] == ["3.4", "main"]
    assert (found["query"], found["kind"]) == (query.strip(), "commit")
    assert [(one["id"], one["via"], one["picked_from"], one["layer"]) for one in found["evidence"]] == [
        (id_of("t1"), "self", None, None),
        (id_of("pick"), "pick", id_of("t1"), "trailer"),
    ]


def test_pick_is_found_at_its_source_too() -> None:
    found = told(lines().history(), id_of("pick"))
    assert releases(found)[0] == ("3.4.1", "self", id_of("pick"))
    assert releases(found)[1] == ("3.5", "pick", id_of("t1"))


def test_ticket_is_told_by_every_commit_of_it() -> None:
    found = told(lines().history(), "T-1")
    assert [one[0] for one in releases(found)] == ["3.4.1", "3.5", "3.5.1"]
    assert (found["kind"], found["commits"]) == ("ticket", [id_of("t1"), id_of("pick")])
    assert [one["relation"] for one in found["evidence"]] == ["fixes", None]


@pytest.mark.parametrize("query", ["T-2", id_of("t2")])
def test_release_that_took_it_back_does_not_have_it_and_is_named(query: str) -> None:
    found = told(lines().history(), query)
    assert [one[0] for one in releases(found)] == ["3.5"]
    assert found["reverted"] == [{"version": "3.5.1", "reverted_by": id_of("undo")}]
    assert statuses(found)["3.5"] == ("affected", "3.5")
    assert statuses(found)["3.4"] == ("unknown", None)


def test_ticket_that_is_only_spoken_of_is_found_and_unknown() -> None:
    found = told(lines().history(), "T-9")
    assert {status for status, _ in statuses(found).values()} == {"unknown"}
    assert [one["relation"] for one in found["evidence"]] == ["refs"]


@pytest.mark.parametrize("query", ["3.5", "main"])
def test_tag_and_branch_mean_the_commit_they_lead_to(query: str) -> None:
    found = told(lines().history(), query)
    assert found["commits"] == [id_of("t2" if query == "3.5" else "undo")]


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("T-22", "The nearest are T-9, T-2, T-1."),
        ("t-1", "The nearest are T-1"),
        ("X-1", "Name a commit's id or a ticket's key"),
        ("", "The nearest are T-1, T-2, T-9."),
        ("deadbeef", "No tag and no branch leads to a commit 'deadbeef'. Perhaps it is not fetched yet"),
        (id_of("t1")[:10] + "00", f"The nearest is {id_of('t1')[:12]} (T-1: repair)."),
        ("\x1b[31mred", "ticket 'red'"),
        ("A" * 5000, "A" * 300 + "'"),
    ],
)
def test_what_is_not_there_is_told_with_the_nearest(query: str, said: str) -> None:
    with pytest.raises(UnknownChangeError) as caught:
        whereabouts(lines().history(), query)
    assert said in str(caught.value)


def test_start_of_several_ids_is_told_with_all_of_them() -> None:
    made = Told()
    alike: dict[str, list[str]] = {}
    for n in range(600):
        made.commit(f"c{n}", *([f"c{n - 1}"] if n else []), message="\x1b]0;evil\x07Title" if n % 2 else "")
        alike.setdefault(id_of(f"c{n}")[:4], []).append(f"c{n}")
    start, names = next((start, names) for start, names in alike.items() if len(names) > 1)
    with pytest.raises(AmbiguousCommitError) as caught:
        whereabouts(made.tag("1.0", "c599").history(size=100), start)
    assert all(id_of(name)[:12] in str(caught.value) for name in names)
    assert "\x1b" not in str(caught.value)
    apart = next(size for size in range(4, 41) if len({id_of(name)[:size] for name in names}) == len(names))
    assert f"Name one by {apart} digits of its id: " in str(caught.value)


@pytest.mark.parametrize("query", ["d6", "D6", "0", "abc"])
def test_id_that_is_too_short_is_refused_with_how_many_digits_it_takes(query: str) -> None:
    with pytest.raises(ShortIdError, match=f"'{query}' is too short for a commit's id") as caught:
        whereabouts(lines().history(), query)
    assert (
        caught.value.advice == f"Name a commit by {SHORTEST_ID} digits of its id at least, a ticket by its whole key."
    )
