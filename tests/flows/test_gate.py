"""The gate before a cut, over a real repository: what holds it, what lets it through, and what is remembered of it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from releaser.domain.gate_policy import GateMode, GatePolicy, gate_to_mapping
from releaser.domain.history import LineStatus
from releaser.domain.line import InvalidSupportError, LinePhase, LinePolicy, TicketKind
from releaser.domain.release import CutKind
from releaser.domain.train import TrainRules
from releaser.errors import RefusedError
from releaser.flows.block_ticket import InvalidBlockError, block_ticket
from releaser.flows.check_gate import check_gate
from releaser.flows.judge_gate import GateHoldsError
from releaser.flows.list_blockers import list_blockers
from releaser.flows.mark_ticket import mark_ticket
from releaser.flows.override_status import override_status
from releaser.flows.set_line import NothingStatedError, Stated, set_line
from releaser.flows.show_release import show_release
from releaser.flows.unblock_ticket import NotBlockingError, unblock_ticket
from releaser.flows.yank_release import MissingReasonError
from releaser.sources.source import RegistryUnreachableError
from releaser.store import products
from releaser.store.plain import dump
from tests.fakes.deadly import Killed
from tests.fakes.release_world import ReleaseWorld


@pytest.fixture
def world(tmp_path: Path) -> Iterator[ReleaseWorld]:
    world = ReleaseWorld(tmp_path)
    yield world
    world.close()


def gate(world: ReleaseWorld, kind: CutKind = CutKind.STABLE, *, line: str | None = None) -> dict[str, Any]:
    world.collect()
    return check_gate(world.ports, product="shop", kind=kind, line=line)


def found(
    world: ReleaseWorld, kind: CutKind = CutKind.STABLE, *, line: str | None = None
) -> list[tuple[str, str, bool]]:
    return [
        (one["check"], one["ticket"] or one["commit"], one["holds"]) for one in gate(world, kind, line=line)["findings"]
    ]


def policy(world: ReleaseWorld, **modes: GateMode) -> None:
    with world.database.transaction() as session:
        products.get(session, "shop").gate = gate_to_mapping(GatePolicy(**modes))


def state(world: ReleaseWorld, line: str = "1.0", **stated: Any) -> dict[str, Any]:  # noqa: ANN401 -- fields of Stated
    return set_line(world.ports, product="shop", line=line, stated=Stated(**stated), by="rita")


def block(world: ReleaseWorld, ticket: str, **place: Any) -> dict[str, Any]:  # noqa: ANN401 -- line or train
    given = {"line": None, "train": None, **place}
    return block_ticket(world.ports, product="shop", ticket=ticket, reason="loses orders", by="rita", **given)


def test_gate_only_looks_and_tells_what_a_cut_would_be(world: ReleaseWorld) -> None:
    told = gate(world)
    assert (told["version"], told["line"], told["branch"], told["previous"]) == ("1.1", "1.1", "main", "1.0")
    assert (told["commits"], told["holds"]) == (2, False)
    assert {one["check"] for one in told["checks"]} >= {"freeze", "blockers", "no-ticket"}
    assert [one["check"] for one in told["findings"]] == ["unknown-backports"]
    assert world.tags() == ["v1.0"]
    russian = check_gate(world.ports, product="shop", kind=CutKind.STABLE, line=None, language="ru")
    assert "неизвестно" in russian["findings"][0]["detail"]


def test_feature_on_a_line_for_fixes_is_named_and_refused_until_a_person_knows_better(world: ReleaseWorld) -> None:
    state(world, policy=LinePolicy.PATCH_ONLY)
    world.land("SHOP-5: urgent", branch="line-1.0")
    feature = world.land("feat: colours\n\nFixes: SHOP-6", branch="line-1.0")
    with pytest.raises(GateHoldsError, match="brings a feature: feat: colours") as caught:
        world.cut(CutKind.PATCH, line="1.0")
    assert caught.value.rule == "patch-only"
    (finding,) = (one for one in caught.value.facts["findings"] if one["holds"])  # type: ignore[attr-defined]
    assert (finding["commit"], finding["ticket"]) == (feature, "SHOP-6")
    assert world.tags() == ["v1.0"]
    mark_ticket(world.ports, product="shop", ticket="SHOP-6", kind=TicketKind.FIX, by="rita")
    assert world.cut(CutKind.PATCH, line="1.0")["version"] == "1.0.1"


def test_line_of_its_own_policy_differs_from_the_product(world: ReleaseWorld) -> None:
    with world.database.transaction() as session:
        products.get(session, "shop").line_policy = LinePolicy.PATCH_ONLY
    world.land("feat: colours\n\nFixes: SHOP-6", branch="line-1.0")
    assert ("patch-only", "SHOP-6", True) in found(world, CutKind.PATCH, line="1.0")
    state(world, policy=LinePolicy.OPEN)
    assert not gate(world, CutKind.PATCH, line="1.0")["holds"]


def test_line_for_security_fixes_takes_what_is_marked_as_one(world: ReleaseWorld) -> None:
    state(world, phase=LinePhase.SECURITY_ONLY)
    world.land("SHOP-5: urgent", branch="line-1.0")
    world.land("security: check the token\n\nFixes: SHOP-7", branch="line-1.0")
    assert [one for one in found(world, CutKind.PATCH, line="1.0") if one[2]] == [("security-only", "SHOP-5", True)]
    mark_ticket(world.ports, product="shop", ticket="SHOP-5", kind=TicketKind.SECURITY, by="rita")
    assert world.cut(CutKind.PATCH, line="1.0")["version"] == "1.0.1"


def test_nothing_is_cut_on_a_dead_line_not_even_by_override(world: ReleaseWorld) -> None:
    state(world, supported_until_on=date(2026, 3, 1))
    world.land("SHOP-5: urgent", branch="line-1.0")
    for override in ("", "I want to"):
        with pytest.raises(GateHoldsError, match=r"life of line 1\.0 is over") as caught:
            world.cut(CutKind.PATCH, line="1.0", override=override)
        assert caught.value.rule == "end-of-life"
        assert "--override" not in caught.value.advice
    state(world, supported_until_on=date(2026, 3, 2))
    assert world.cut(CutKind.PATCH, line="1.0")["version"] == "1.0.1"


def test_blocker_holds_until_its_fix_is_in_what_is_cut(world: ReleaseWorld) -> None:
    block(world, "SHOP-9")
    assert block(world, "SHOP-9")["unchanged"] is True
    with pytest.raises(GateHoldsError, match="SHOP-9 blocks this cut, says rita: loses orders") as caught:
        world.cut()
    assert caught.value.rule == "blockers"
    world.land("SHOP-9: orders are kept")
    assert world.cut()["version"] == "1.1"


def test_blocker_whose_fix_was_taken_back_holds_again(world: ReleaseWorld) -> None:
    block(world, "SHOP-9", line="1.1")
    fix = world.land("SHOP-9: orders are kept")
    world.land(f'Revert "SHOP-9: orders are kept"\n\nThis reverts commit {fix}.')
    assert [one[:2] for one in found(world) if one[2]] == [("blockers", "SHOP-9"), ("reverted", "SHOP-9")]


def test_blocker_of_a_line_holds_that_line_only_and_can_be_lifted(world: ReleaseWorld) -> None:
    world.land("SHOP-5: urgent", branch="line-1.0")
    block(world, "SHOP-9", line="1.0")
    assert not any(one[0] == "blockers" for one in found(world))
    assert ("blockers", "SHOP-9", True) in found(world, CutKind.PATCH, line="1.0")
    (lifted,) = unblock_ticket(
        world.ports, product="shop", ticket="SHOP-9", line="1.0", train=None, reason="can wait", by="ann"
    )
    assert (lifted["lifted_by"], lifted["lift_reason"]) == ("ann", "can wait")
    assert list_blockers(world.ports, product="shop") == []
    with pytest.raises(NotBlockingError, match="blocks nothing"):
        unblock_ticket(world.ports, product="shop", ticket="SHOP-9", line=None, train=None, reason="again", by="ann")


def test_blocker_of_a_train_holds_its_stable_and_no_patch(world: ReleaseWorld) -> None:
    with world.database.transaction() as session:
        products.get(session, "shop").first_train_on = date(2026, 3, 9)
    world.land("SHOP-5: urgent", branch="line-1.0")
    assert block(world, "SHOP-9", train="2026-03-23")["train_on"] == date(2026, 3, 23)
    assert ("blockers", "SHOP-9", True) not in found(world)
    block(world, "SHOP-9", train="next")
    assert ("blockers", "SHOP-9", True) in found(world)
    assert ("blockers", "SHOP-9", True) not in found(world, CutKind.PATCH, line="1.0")


def test_block_that_makes_no_sense_is_refused(world: ReleaseWorld) -> None:
    with pytest.raises(InvalidBlockError):
        block(world, " ")
    with pytest.raises(InvalidBlockError, match="not both"):
        block(world, "SHOP-1", line="1.0", train="next")
    with pytest.raises(RefusedError, match="no trains"):
        block(world, "SHOP-1", train="next")
    with pytest.raises(MissingReasonError):
        block_ticket(world.ports, product="shop", ticket="SHOP-1", line=None, train=None, reason=" ", by="rita")


def test_fix_that_was_taken_back_holds_until_it_is_fixed_again_or_settled(world: ReleaseWorld) -> None:
    fix = world.land("SHOP-4: crash")
    world.land(f'Revert "SHOP-4: crash"\n\nThis reverts commit {fix}.')
    assert ("reverted", "SHOP-4", True) in found(world)
    policy(world, reverted=GateMode.WARN)
    assert ("reverted", "SHOP-4", False) in found(world)
    policy(world, reverted=GateMode.OFF)
    assert "reverted" not in [one[0] for one in found(world)]
    policy(world)
    world.land("SHOP-4: crash, now really")
    assert "reverted" not in [one[0] for one in found(world)]


def test_fix_of_an_older_line_that_a_stable_lacks_holds_it_until_a_person_settles_it(world: ReleaseWorld) -> None:
    world.land("SHOP-5: urgent", branch="line-1.0")
    world.cut(CutKind.PATCH, line="1.0")
    world.publish("1.0.1")
    with pytest.raises(GateHoldsError, match=r"SHOP-5 is fixed in 1\.0\.1 and missing on line 1\.1") as caught:
        world.cut()
    assert caught.value.rule == "missing-backports"
    override_status(
        world.ports, key="SHOP-5", product="shop", line="1.1", status=LineStatus.WONTFIX, reason="gone there", by="rita"
    )
    assert not gate(world)["holds"]


def test_commit_without_a_ticket_warns_or_holds_as_the_product_says(world: ReleaseWorld) -> None:
    nameless = world.land("tidy up")
    assert ("no-ticket", nameless, False) in found(world)
    policy(world, no_ticket=GateMode.ON)
    with pytest.raises(GateHoldsError) as caught:
        world.cut()
    assert caught.value.rule == "no-ticket"


def test_override_names_who_and_why_and_is_kept_with_all_findings(world: ReleaseWorld) -> None:
    block(world, "SHOP-9")
    with pytest.raises(MissingReasonError):
        world.cut(override="   ")
    world.cut(override="the customer waits", by="ann")
    kept = show_release(world.ports, product="shop", version="1.1")["gate"]
    assert (kept["overridden_by"], kept["reason"]) == ("ann", "the customer waits")
    assert [one["check"] for one in kept["findings"]] == ["blockers", "unknown-backports"]


def test_override_where_nothing_holds_is_none(world: ReleaseWorld) -> None:
    world.cut(override="just in case")
    kept = show_release(world.ports, product="shop", version="1.1")["gate"]
    assert (kept["overridden_by"], kept["reason"]) == ("", "")


def test_moved_tag_of_a_release_holds_a_cut(world: ReleaseWorld) -> None:
    world.collect()
    world.remote.tag("v1.0", world.remote.git("rev-parse", "main"))
    assert [one[0] for one in found(world) if one[2]] == ["moved-tags"]


def test_interrupted_cut_is_completed_whatever_the_gate_says_since(world: ReleaseWorld) -> None:
    world.registry.is_down = True
    with pytest.raises(RegistryUnreachableError):
        world.cut()
    block(world, "SHOP-9")
    world.registry.is_down = False
    assert world.cut()["version"] == "1.1"


def test_stable_is_cut_from_the_branch_of_its_own_line_once_there_is_one(world: ReleaseWorld) -> None:
    world.remote.branch("line-1.1", world.remote.git("rev-parse", "main"))
    world.land("SHOP-8: for the next one")
    tip = world.land("SHOP-9: for this one", branch="line-1.1")
    facts = world.cut()
    assert (facts["version"], facts["commit"]) == ("1.1", tip)


def test_line_is_told_as_it_is_stated_and_the_same_again_changes_nothing(world: ReleaseWorld) -> None:
    world.collect()
    told = state(world, policy=LinePolicy.PATCH_ONLY, supported_until_on=date(2026, 12, 31))
    assert (told["policy"], told["phase"], told["unchanged"]) == ("patch-only", "maintained", False)
    assert state(world, policy=LinePolicy.PATCH_ONLY)["unchanged"] is True
    back = state(world, policy=None, supported_until_on=None)
    assert (back["policy"], back["supported_until_on"]) == ("open", None)
    with pytest.raises(NothingStatedError):
        state(world)
    with pytest.raises(InvalidSupportError):
        state(world, maintained_until_on=date(2027, 1, 1), supported_until_on=date(2026, 12, 31))


def test_what_landed_in_a_freeze_holds_the_stable_until_its_ticket_has_an_exception(world: ReleaseWorld) -> None:
    with world.database.transaction() as session:
        shop = products.get(session, "shop")
        # The clock stands on Monday, 2 March; the train leaves on Friday, and is frozen two working days before.
        shop.first_train_on, shop.trains = date(2026, 3, 6), dump(TrainRules(freeze_days=2))
    world.collect()
    world.clock.advance(timedelta(days=2, hours=2))
    world.collect()
    world.clock.advance(timedelta(hours=4))
    late = world.land("SHOP-8: too late")
    assert [one for one in found(world) if one[0] == "freeze"] == [("freeze", "SHOP-8", True)]
    assert not any(one[0] == "freeze" for one in found(world, CutKind.PATCH, line="1.0"))
    with pytest.raises(GateHoldsError, match=late[:10]) as caught:
        world.cut()
    assert caught.value.rule == "freeze"


def test_gate_judges_the_open_cut_and_not_the_one_after_it(world: ReleaseWorld) -> None:
    before = gate(world)
    assert before["under_way"] is None
    world.deadly.method, world.deadly.nth = "push_tag", 1
    with pytest.raises(Killed):
        world.cut()
    world.deadly.method = ""
    world.land("SHOP-7: after the cut was begun")
    opened = gate(world)
    told = ("version", "previous", "commit", "commits", "holds", "findings", "branch")
    assert {name: opened[name] for name in told} == {name: before[name] for name in told}
    assert opened["under_way"] == {"state": "cutting", "step": "tagged", "by": "ann"}
    assert (opened["version"], opened["commits"]) == ("1.1", 2)
    world.cut()
    later = gate(world)
    assert (later["version"], later["previous"], later["commits"], later["under_way"]) == ("1.2", "1.1", 1, None)


def test_gate_tells_the_candidate_that_a_cut_would_answer(world: ReleaseWorld) -> None:
    before = gate(world)
    world.cut()
    after = gate(world)
    assert (after["version"], after["commits"], after["findings"]) == ("1.1", before["commits"], before["findings"])
    assert after["under_way"] == {"state": "candidate", "step": "resolved", "by": "ann"}
