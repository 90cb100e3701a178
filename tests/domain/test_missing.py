"""Fixes that a cut leaves missing: on the place that is cut, and on other lines of what it brings."""

from __future__ import annotations

from collections.abc import Collection

from releaser.domain.history import LineStatus
from releaser.domain.line import LinePhase
from releaser.domain.missing import CutPlace, Missing, Supported, missing_fixes
from tests.fakes.told_history import Told

_AFFECTED, _UNAFFECTED, _WONTFIX = LineStatus.AFFECTED, LineStatus.UNAFFECTED, LineStatus.WONTFIX


def told(*, on_11: str = "pick") -> Told:
    """1.0 and 1.1 are out, each with a branch; main goes on. T-1 is on 1.0 only, T-2 on 1.1 and main, T-3 on main only."""
    story = Told().commit("a").tag("1.0", "a").commit("b", "a").tag("1.1", "b")
    story.commit("on-10", "a", message="T-1: on 1.0").branch("1.0", "on-10")
    story.commit("two", "b", message="T-2: on main").commit("three", "two", message="T-3: on main").branch(
        "main", "three"
    )
    story.commit("pick", "b", message="T-2: on main\n\n(cherry picked from commit {two})")
    story.commit("undo", "pick", message='Revert "T-2: on main"\n\nThis reverts commit {pick}.')
    return story.branch("1.1", on_11)


def ask(
    story: Told,
    branch: str,
    *,
    line: str,
    is_patch: bool = True,
    fixes: Collection[str] = (),
    phases: dict[str, LinePhase] | None = None,
    known: dict[tuple[str, str], LineStatus] | None = None,
    security: Collection[str] = (),
) -> tuple[set[str], set[str]]:
    history = story.history()
    (head,) = (one for one in history.heads if one.branch == branch)
    place = CutPlace(head=head, line=line, is_patch=is_patch, fixes=fixes, security=security)
    supported = [
        Supported(line=name, phase=phase, is_stated=True)
        for name, phase in (phases or {"1.0": LinePhase.MAINTAINED, "1.1": LinePhase.MAINTAINED}).items()
    ]
    said = known or {}
    missing, uncertain = missing_fixes(
        history, place, supported=supported, known=lambda ticket, on: said.get((ticket, on))
    )

    def shown(found: tuple[Missing, ...]) -> set[str]:
        return {f"{one.ticket} {'in' if one.is_released else 'on'} {one.fixed_in} not {one.line}" for one in found}

    return shown(missing), shown(uncertain)


def test_stable_that_lacks_what_an_older_line_has_loses_it_for_who_upgrades() -> None:
    assert ask(told(), "main", line="1.2", is_patch=False) == ({"T-1 on 1.0 not 1.2"}, set())
    released = told().tag("1.0.1", "on-10")
    assert ask(released, "main", line="1.2", is_patch=False) == ({"T-1 in 1.0.1 not 1.2"}, set())


def test_patch_that_lacks_what_newer_lines_have_is_uncertain_until_somebody_says() -> None:
    assert ask(told(), "1.0", line="1.0") == (set(), {"T-2 on 1.1 not 1.0", "T-3 on main not 1.0"})
    known = {("T-2", "1.0"): _AFFECTED, ("T-3", "1.0"): _UNAFFECTED}
    assert ask(told(), "1.0", line="1.0", known=known) == ({"T-2 on 1.1 not 1.0"}, set())


def test_what_is_settled_by_a_person_is_not_missing() -> None:
    for status in (_UNAFFECTED, _WONTFIX, LineStatus.FIXED, LineStatus.VERIFIED):
        assert ask(told(), "main", line="1.2", is_patch=False, known={("T-1", "1.2"): status}) == (set(), set())


def test_fix_that_the_cut_brings_is_asked_of_every_supported_line() -> None:
    missing, uncertain = ask(told(), "main", line="1.2", is_patch=False, fixes={"T-2", "T-3"})
    assert missing == {"T-1 on 1.0 not 1.2"}
    assert uncertain == {"T-2 on main not 1.0", "T-3 on main not 1.0", "T-3 on main not 1.1"}


def test_urgent_patch_of_an_old_line_is_missing_on_the_newer_one() -> None:
    assert ask(told(), "1.0", line="1.0", fixes={"T-1"})[0] == {"T-1 on 1.0 not 1.1"}


def test_line_that_is_not_supported_lacks_nothing() -> None:
    phases = {"1.1": LinePhase.MAINTAINED}
    missing, uncertain = ask(told(), "main", line="1.2", is_patch=False, fixes={"T-2", "T-3"}, phases=phases)
    assert (missing, uncertain) == (set(), {"T-3 on main not 1.1"})


def test_line_for_security_fixes_lacks_only_those() -> None:
    phases = {"1.0": LinePhase.SECURITY_ONLY, "1.1": LinePhase.SECURITY_ONLY}
    fixes = {"T-2", "T-3"}
    _, uncertain = ask(told(), "main", line="1.2", is_patch=False, fixes=fixes, phases=phases, security={"T-3"})
    assert uncertain == {"T-3 on main not 1.0", "T-3 on main not 1.1"}


def test_fix_that_was_taken_back_on_the_line_is_missing_there() -> None:
    story = told(on_11="undo")
    assert ask(story, "1.1", line="1.1")[0] == {"T-1 on 1.0 not 1.1", "T-2 on main not 1.1"}


def test_stable_cut_from_the_branch_of_its_own_line_is_compared_as_the_newest() -> None:
    story = told().commit("off", "three", message="T-4: only here").branch("1.2", "off")
    missing, _ = ask(story, "1.2", line="1.2", is_patch=False, fixes={"T-3", "T-4"})
    assert missing == {"T-1 on 1.0 not 1.2"}


def test_product_of_nothing_but_a_branch_lacks_nothing() -> None:
    story = Told().commit("a", message="T-1: a").branch("trunk", "a")
    assert ask(story, "trunk", line="0.1", is_patch=False, fixes={"T-1"}, phases={"9.9": LinePhase.MAINTAINED}) == (
        set(),
        set(),
    )
