from __future__ import annotations

from datetime import UTC, datetime

import pytest

from releaser.domain.history import History, PickLayer, TagRef, TagTrouble, members
from releaser.domain.history.history import instant, subject_of
from releaser.domain.history.releases import NewCommits, previous_versions, read_tags
from releaser.domain.version import Scheme, TagFormat, parse
from tests.fakes.told_history import Told, id_of, standings


def new_in(told: Told, history: History, version: str) -> set[str]:
    release = history.release(parse(version, scheme=Scheme.TWO_PART))
    assert release is not None
    return told.told(history.new_in(release), history)


@pytest.mark.parametrize(
    ("ascending", "wanted"),
    [
        ("3.3 3.3.1 3.4 3.4.1 3.4.2 3.5", "- 3.3 3.3 3.4 3.4.1 3.4"),
        ("3.3 3.4-rc.1 3.4-rc.2 3.4 3.4.1-rc.1 3.4.1", "- 3.3 3.4-rc.1 3.3 3.4 3.4"),
        ("3.3 3.4.1 3.4.2 3.5", "- 3.3 3.4.1 3.3"),
        ("3.4-rc.1 3.4.1", "- -"),
        ("3.4 3.4.1 3.4.2-rc.1 3.4.2-rc.2", "- 3.4 3.4.1 3.4.2-rc.1"),
    ],
)
def test_previous_version_is_the_highest_earlier_of_the_line(ascending: str, wanted: str) -> None:
    versions = [parse(text, scheme=Scheme.TWO_PART) for text in ascending.split()]
    assert [one.text if one else "-" for one in previous_versions(versions)] == wanted.split()


def test_tags_become_releases_in_version_order_not_by_date() -> None:
    tags = [
        TagRef(name="3.10", object_id="a", commit="c", tagged_at=datetime(2024, 1, 1, tzinfo=UTC)),
        TagRef(name="v3.9", object_id="b", commit="c", tagged_at=datetime(2025, 1, 1, tzinfo=UTC)),
        TagRef(name="3.9.0", object_id="d", commit="c"),
        TagRef(name="latest", object_id="e", commit="c"),
        TagRef(name="3.11", object_id="f", commit=None),
        TagRef(name="3.12", object_id="g", commit="elsewhere"),
    ]
    known = {"c": datetime(2023, 1, 1, tzinfo=UTC)}
    form = TagFormat(scheme=Scheme.TWO_PART, text="v{version}")
    releases, unread = read_tags(tags, tag_format=form, committed_at=known.get)
    assert [(one.version.text, one.tag, one.rank) for one in releases] == [("3.9", "v3.9", 0), ("3.10", "3.10", 1)]
    assert [one.released_at.year for one in releases] == [2025, 2024]
    assert {one.name: one.trouble for one in unread} == {
        "3.9.0": TagTrouble.DUPLICATE,
        "latest": TagTrouble.NO_VERSION,
        "3.11": TagTrouble.NO_COMMIT,
        "3.12": TagTrouble.NO_COMMIT,
    }


def test_new_commits_are_told_from_sets_by_shifts() -> None:
    tags = [
        TagRef(name=name, object_id=name, commit="c")
        for name in ["3.3", "3.3.1", "3.4", "3.4.1", "3.4.2", "3.5-rc.1", "3.5"]
    ]
    releases, _ = read_tags(
        tags, tag_format=TagFormat(scheme=Scheme.TWO_PART), committed_at=lambda _: datetime(2024, 1, 1, tzinfo=UTC)
    )
    new = NewCommits(releases)
    rank = {one.version: one.rank for one in releases}
    for bits in range(1 << len(releases)):
        wanted = [
            one.rank
            for one in releases
            if bits >> one.rank & 1 and (one.previous is None or not bits >> rank[one.previous] & 1)
        ]
        assert members(new.of(bits)) == wanted


def two_lines() -> Told:
    """main: a b c e f; line 3.4 branches off at b: p q; 3.5 is cut at e."""
    told = Told()
    told.commit("a").commit("b", "a").commit("c", "b", message="T-1: c").commit("p", "b", message="T-2: p")
    told.commit("q", "p", message="T-1: c\n\n(cherry picked from commit {c})").commit("e", "c").commit("f", "e")
    return told.tag("3.4", "b").tag("3.4.1", "q").tag("3.5", "e").branch("main", "f").branch("3.4.x", "q")


def test_releases_hold_what_git_would_list() -> None:
    told = two_lines()
    history = told.history()
    assert new_in(told, history, "3.4") == {"a", "b"}
    assert new_in(told, history, "3.4.1") == {"p", "q"}
    assert new_in(told, history, "3.5") == {"c", "e"}
    main = next(head for head in history.heads if head.main)
    assert told.told(history.unreleased(main), history) == {"f"}
    assert {head.branch: head.line for head in history.heads} == {"main": None, "3.4.x": "3.4"}
    assert history.lines == ("3.4", "3.5")


@pytest.mark.parametrize("size", [1, 2, 100])
def test_size_of_batches_changes_nothing(size: int) -> None:
    told = two_lines()
    history = told.history(size=size)
    assert new_in(told, history, "3.4.1") == {"p", "q"}
    assert [link.key for link in history.links[history.find(id_of("q")) or 0]] == ["T-1"]


def test_commit_is_shown_whole() -> None:
    told = Told().commit("a", message="One\ntwo\n\nBody T-1").commit("b", "a").tag("1.0", "a")
    history = told.history()
    place = history.find(id_of("a")[:9])
    assert place is not None
    commit = history.commit(place)
    assert (commit.subject, commit.author_mail, commit.parents) == ("One two", "ann@example.org", ())
    assert history.commit(history.find(id_of("b")) or 0).parents == (id_of("a"),)
    assert history.find("0000000") is None
    assert history.find(id_of("a")[:3]) is None


def test_broken_clocks_do_not_disturb_containment() -> None:
    # Told in the wrong order: the parent comes after its child.
    told = Told().commit("b", "a").commit("a").commit("d", "c").commit("c", "b")
    told.tag("1.0", "b").tag("1.1", "d").branch("main", "d")
    history = told.history()
    assert new_in(told, history, "1.0") == {"a", "b"}
    assert new_in(told, history, "1.1") == {"c", "d"}
    assert history.subject(history.find(id_of("c")) or 0) == "c"


@pytest.mark.parametrize(
    ("message", "subject"),
    [
        ("One\n", "One"),
        ("One\n\nBody\n", "One"),
        ("\n\nOne\ntwo\n\nBody", "One two"),
        ("One\r\n\r\nBody\r\n", "One"),
        ("One\r\ntwo\r\n\r\nBody\r\n", "One two"),
        ("", ""),
    ],
)
def test_subject_is_the_first_paragraph(message: str, subject: str) -> None:
    assert subject_of(message) == subject


def test_absurd_dates_come_into_range() -> None:
    assert instant(-5).year == 1970
    assert instant(2**62).year == 9999


# --- picks -----------------------------------------------------------------------------------------------------------


def picks_told(history: History) -> set[tuple[str, str, PickLayer]]:
    return {(history.subject(one.commit), one.source_id[:7], one.layer) for one in history.picks}


def test_trailers_are_picks_even_where_the_source_is_missing() -> None:
    told = Told().commit("a").commit("b", "a").commit("x", "a", message="x\n\n(cherry picked from commit {b})")
    told.commit("y", "x", message="y\n\n(cherry picked from commit 1234567abc1234567abc1234567abc1234567abc)")
    told.commit("z", "y", message="z\n\nCherry-picked-from: " + id_of("b")[:10])
    history = told.branch("main", "b").branch("1.0", "z").history()
    found = {(history.subject(p.commit), p.source is not None, p.source_id[:7], p.layer) for p in history.picks}
    assert found == {
        ("x", True, id_of("b")[:7], PickLayer.TRAILER),
        ("y", False, "1234567", PickLayer.TRAILER),
        ("z", True, id_of("b")[:7], PickLayer.TRAILER),
    }


def test_chain_of_picks_leads_to_one_origin() -> None:
    told = Told().commit("a").commit("o", "a").commit("p", "a", message="o\n\n(cherry picked from commit {o})")
    told.commit("q", "a", message="o\n\n(cherry picked from commit {o})\n(cherry picked from commit {p})")
    told.tag("1.0", "a").tag("1.1", "o").branch("main", "o").branch("b1", "p").branch("b2", "q")
    history = told.history()
    p, q, o = (history.find(id_of(name)) for name in "pqo")
    assert p is not None
    assert q is not None
    assert o is not None
    assert [pick.source for pick in history.copies.picks_of[q]] == [p, o]
    assert history.copies.origins(q) == {o}
    assert set(history.copies.same(p)) == {o, p, q}


def test_same_author_date_and_subject_is_a_pick_only_where_it_brings_something() -> None:
    told = Told().commit("a").commit("m", "a", message="Fix it (#7)", authored=5)
    told.commit("n", "m", message="Fix it", authored=5)  # a twin on the same line: an import, not a pick
    told.commit("s", "a", message="Fix it", authored=5)
    told.commit("u", "s", message="Fix it", authored=5, mail="bob@example.org")
    history = told.tag("1.0", "a").branch("main", "n").branch("1.0.x", "u").history()
    layers = {(told.told([one.commit], history).pop(), one.layer) for one in history.picks}
    assert layers == {("s", PickLayer.AUTHORSHIP)}


def test_circle_of_claimed_picks_ends() -> None:
    told = Told().commit("a", message="a\n\n(cherry picked from commit " + id_of("b") + ")")
    told.commit("b", message="b\n\n(cherry picked from commit {a})")
    history = told.tag("1.0", "b").branch("main", "a").history()
    a = history.find(id_of("a")) or 0
    assert history.copies.origins(a) == {a}
    assert history.carried(a) == ()


def test_pick_of_a_merge_carries_what_the_merge_brought() -> None:
    told = (
        Told().commit("a").commit("s", "a", message="T-5: s").commit("b", "a").commit("m", "b", "s", message="Merge s")
    )
    told.commit("p", "a", message="Merge s\n\n(cherry picked from commit {m})")
    history = told.tag("1.0", "a").tag("1.0.1", "p").tag("1.1", "m").branch("main", "m").history()
    s = history.find(id_of("s"))
    assert s is not None
    assert [(one.release.version.text, one.via.value) for one in history.carried(s)] == [
        ("1.0.1", "pick"),
        ("1.1", "self"),
    ]


# --- reverts ---------------------------------------------------------------------------------------------------------


def reverting(name: str) -> str:
    return f'Revert "{name}"\n\nThis reverts commit {{{name}}}.'


def test_revert_before_the_release_hides_both() -> None:
    told = Told().commit("a").commit("b", "a").commit("r", "b", message=reverting("b")).tag("1.0", "a").tag("1.1", "r")
    assert standings(told, told.history(), "1.1") == {"r": "reverted", "b": "reverted"}


def test_revert_after_the_release_is_told_as_reverted() -> None:
    told = Told().commit("a").commit("b", "a").commit("r", "b", message=reverting("b")).tag("1.0", "b").tag("1.1", "r")
    history = told.history()
    assert standings(told, history, "1.1") == {"r": "revert"}
    release = history.releases[0]
    assert {c.commit.subject: c.reverted_by for c in history.changes(release)} == {"b": id_of("r"), "a": None}


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5])
def test_reverts_of_reverts_count_by_parity(count: int) -> None:
    told = Told().commit("a").commit("x0", "a", message="T-1: x")
    for n in range(1, count + 1):
        told.commit(f"x{n}", f"x{n - 1}", message=reverting(f"x{n - 1}"))
    told.tag("1.0", "a").tag("1.1", f"x{count}")
    history = told.history()
    x0 = history.find(id_of("x0"))
    assert x0 is not None
    in_force = bool(history.force.bits(x0) >> 1 & 1)
    assert in_force is (count % 2 == 0)
    assert (standings(told, history, "1.1")["x0"] == "shown") is in_force


@pytest.mark.parametrize(
    "message",
    [
        "Undo things\n\nThis reverts commits {b}, {c} and {d}.",
        "Undo things\n\nThis reverts commit {b}.\nThis reverts commit {c}.\nThis reverts commit {d}.",
        "Undo things\n\nReverts {b} {c} {d}",
    ],
)
def test_several_ids_in_one_body_are_all_reverted(message: str) -> None:
    told = Told().commit("a").commit("b", "a").commit("c", "b").commit("d", "c").commit("r", "d", message=message)
    told.tag("1.0", "a").tag("1.1", "r")
    assert set(standings(told, told.history(), "1.1").values()) == {"reverted"}


def test_short_ids_and_subjects_are_enough() -> None:
    told = Told().commit("a").commit("b", "a", message="Fix it (#4)").commit("c", "b")
    told.commit("r", "c", message='Revert "Fix it" (#5)').commit(
        "s", "r", message="Undo\n\nreverts commit " + id_of("c")[:8]
    )
    told.commit("t", "s", message='Reapply "Fix it"')
    history = told.tag("1.0", "a").tag("1.1", "t").history()
    assert standings(told, history, "1.1") == {
        "t": "reverted",
        "s": "reverted",
        "r": "reverted",
        "c": "reverted",
        "b": "shown",
    }
    assert {(told.told([one.commit], history).pop(), one.by_id) for one in history.reverts} == {
        ("r", False),
        ("s", True),
        ("t", False),
    }


def test_revert_of_a_merge_takes_back_what_it_brought() -> None:
    told = Told().commit("a").commit("s", "a").commit("t", "s").commit("b", "a").commit("m", "b", "t")
    told.commit("r", "m", message="Revert m\n\nThis reverts commit {m}, reversing\nchanges made to {b}.")
    history = told.tag("1.0", "a").tag("1.1", "r").history()
    assert standings(told, history, "1.1") == {
        "r": "reverted", "m": "reverted", "t": "reverted", "s": "reverted", "b": "shown"
    }  # fmt: skip


def test_revert_picked_to_one_line_counts_there_only() -> None:
    told = Told().commit("a").commit("c", "a", message="T-1: c").commit("d", "c")
    told.commit("r", "c", message=reverting("c"))
    told.tag("1.0", "c").tag("1.0.1", "r").tag("1.1", "d").branch("main", "d").branch("1.0", "r")
    history = told.history()
    c = history.find(id_of("c"))
    assert c is not None
    assert [one.release.version.text for one in history.carried(c)] == ["1.0", "1.1"]
    assert {one.line: one.status.value for one in history.on_lines(c)} == {"1.0": "affected", "1.1": "fixed"}


def test_revert_of_the_source_takes_back_the_pick_on_its_line() -> None:
    told = Told().commit("a").commit("c", "a").commit("p", "a", message="c\n\n(cherry picked from commit {c})")
    told.commit("r", "p", message=reverting("c"))
    told.tag("1.0", "a").tag("1.0.1", "p").tag("1.0.2", "r").tag("1.1", "c")
    history = told.history()
    assert standings(told, history, "1.0.2") == {"r": "revert"}
    c = history.find(id_of("c"))
    assert c is not None
    assert [(one.release.version.text, one.via.value) for one in history.carried(c)] == [
        ("1.0.1", "pick"),
        ("1.1", "self"),
    ]


def test_pick_after_the_revert_is_a_new_start() -> None:
    told = Told().commit("a").commit("c", "a").commit("r", "c", message=reverting("c"))
    told.commit("again", "r", message="c\n\n(cherry picked from commit {c})").tag("1.0", "a").tag("1.1", "again")
    history = told.history()
    assert standings(told, history, "1.1") == {"again": "shown", "r": "reverted", "c": "reverted"}


def test_claims_to_revert_what_comes_later_are_noise() -> None:
    told = Told().commit("a", message=f"This reverts commit {id_of('b')}.").commit("b", "a", message=reverting("a"))
    history = told.tag("1.0", "b").history()
    assert [(one.commit, one.reverted) for one in history.reverts] == [(1, 0)]


def test_partial_revert_reverts_nothing() -> None:
    told = Told().commit("a").commit("b", "a").commit("r", "b", message="This partially reverts commit {b}.")
    assert not told.tag("1.0", "r").history().reverts


def test_nothing_is_announced_twice_on_one_line() -> None:
    told = Told().commit("a").commit("c", "a").commit("p", "a", message="c\n\n(cherry picked from commit {c})")
    # Line 1.0 then merges main, which brings the source of what it already has.
    told.commit("m", "p", "c", message="Merge main")
    told.tag("1.0", "a").tag("1.0.1", "p").tag("1.0.2", "m")
    history = told.history()
    assert standings(told, history, "1.0.2") == {"m": "shown", "c": "repeated"}
