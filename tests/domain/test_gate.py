"""Each check of the gate by itself: what it finds, and how a product's policy tells of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from releaser.domain.content import Brought, ChangeKind
from releaser.domain.gate import FINAL, Blocking, Check, Finding, Frozen, GateFacts, Moved, TakenBack, look, modes
from releaser.domain.gate_policy import (
    NO_GATE_POLICY,
    GateMode,
    GatePolicy,
    InvalidGateError,
    gate_from_mapping,
    gate_modes,
    gate_to_mapping,
)
from releaser.domain.history import Standing
from releaser.domain.line import LinePhase, LinePolicy
from releaser.domain.missing import Missing
from releaser.i18n import translator

ALL_OFF = GatePolicy(**dict.fromkeys(gate_modes(GatePolicy()), GateMode.OFF))
OPEN = GateFacts(line="3.4", phase=LinePhase.MAINTAINED, policy=LinePolicy.OPEN, is_patch=True)


def commit(
    kind: ChangeKind, *, standing: Standing = Standing.SHOWN, is_merge: bool = False, key: str = "T-1"
) -> Brought:
    keys = (key,) if key else ()
    return Brought(
        commit="c" * 40, subject="say it", kind=kind, standing=standing, is_merge=is_merge, fixes=keys, refs=()
    )


def found(facts: GateFacts, policy: GatePolicy = NO_GATE_POLICY) -> list[tuple[str, bool]]:
    return [(one.check.value, one.holds) for one in look(facts, policy)]


def test_nothing_speaks_against_a_cut_of_nothing() -> None:
    assert look(OPEN, GatePolicy()) == ()


def test_line_whose_life_is_over_holds_every_cut_and_nobody_can_override_it() -> None:
    facts = replace(OPEN, phase=LinePhase.END_OF_LIFE)
    assert found(facts) == [("end-of-life", True)]
    assert found(facts, ALL_OFF) == [("end-of-life", True)]
    assert Check.END_OF_LIFE in FINAL


@pytest.mark.parametrize(
    ("kind", "standing", "is_merge", "holds"),
    [
        (ChangeKind.SECURITY, Standing.SHOWN, False, False),
        (ChangeKind.HOUSEKEEPING, Standing.SHOWN, False, False),
        (ChangeKind.FIX, Standing.SHOWN, False, True),
        (ChangeKind.FEATURE, Standing.SHOWN, False, True),
        (ChangeKind.OTHER, Standing.SHOWN, False, True),
        (ChangeKind.FIX, Standing.REVERT, False, True),
        (ChangeKind.FIX, Standing.REVERTED, False, False),
        (ChangeKind.FIX, Standing.REPEATED, False, False),
        (ChangeKind.OTHER, Standing.SHOWN, True, False),
    ],
)
def test_line_for_security_fixes_takes_nothing_else(
    *, kind: ChangeKind, standing: Standing, is_merge: bool, holds: bool
) -> None:
    facts = replace(OPEN, phase=LinePhase.SECURITY_ONLY, brought=[commit(kind, standing=standing, is_merge=is_merge)])
    assert found(facts, ALL_OFF) == ([("security-only", True)] if holds else [])


@pytest.mark.parametrize(
    ("policy", "is_patch", "kind", "standing", "holds"),
    [
        (LinePolicy.PATCH_ONLY, True, ChangeKind.FEATURE, Standing.SHOWN, True),
        (LinePolicy.PATCH_ONLY, True, ChangeKind.FEATURE, Standing.REVERT, False),
        (LinePolicy.PATCH_ONLY, True, ChangeKind.FEATURE, Standing.REVERTED, False),
        (LinePolicy.PATCH_ONLY, True, ChangeKind.OTHER, Standing.SHOWN, False),
        (LinePolicy.PATCH_ONLY, False, ChangeKind.FEATURE, Standing.SHOWN, False),
        (LinePolicy.OPEN, True, ChangeKind.FEATURE, Standing.SHOWN, False),
    ],
)
def test_patch_of_a_line_for_fixes_brings_no_feature(
    *, policy: LinePolicy, is_patch: bool, kind: ChangeKind, standing: Standing, holds: bool
) -> None:
    facts = replace(OPEN, policy=policy, is_patch=is_patch, brought=[commit(kind, standing=standing)])
    (told,) = look(facts, ALL_OFF) or (None,)
    assert (told is not None) is holds
    if told is not None:
        assert (told.commit, told.ticket) == ("c" * 40, "T-1")
        assert told.told(translator("en")) == "Line 3.4 takes fixes only, and cccccccccc brings a feature: say it"


@pytest.mark.parametrize(("in_force", "settled", "holds"), [((), (), True), (["T-1"], (), False), ((), ["T-1"], False)])
def test_blocker_and_what_was_taken_back_hold_until_fixed_or_settled(
    *, in_force: list[str], settled: list[str], holds: bool
) -> None:
    blocked = replace(
        OPEN, blocking=[Blocking(ticket="T-1", reason="loses orders", by="rita")], in_force=in_force, settled=settled
    )
    undone = replace(OPEN, taken_back=[TakenBack(ticket="T-1", commit="d" * 40)], in_force=in_force, settled=settled)
    assert found(blocked) == ([("blockers", True)] if holds else [])
    assert found(undone) == ([("reverted", True)] if holds else [])


EVERYTHING = replace(
    OPEN,
    frozen=[Frozen(commit="e" * 40, subject="late", tickets=("T-2",), why="expired")],
    blocking=[Blocking(ticket="T-1", reason="loses orders", by="rita")],
    taken_back=[TakenBack(ticket="T-3", commit="d" * 40)],
    missing=[Missing(ticket="T-4", line="3.3", fixed_in="3.5")],
    uncertain=[
        Missing(ticket="T-5", line="3.2", fixed_in="main", is_released=False),
        Missing(ticket="T-5", line="3.3", fixed_in="main", is_released=False),
    ],
    moved=[Moved(tag="v3.3", version="3.3", was="a" * 40, now=""), Moved(tag="v3.2", version="3.2", was="a", now="b")],
    brought=[commit(ChangeKind.OTHER, key=""), commit(ChangeKind.OTHER, key="", is_merge=True)],
)


def test_most_serious_is_told_first_and_each_by_its_own_policy() -> None:
    assert found(EVERYTHING) == [
        ("freeze", True),
        ("blockers", True),
        ("reverted", True),
        ("missing-backports", True),
        ("unknown-backports", False),
        ("moved-tags", True),
        ("moved-tags", True),
        ("no-ticket", False),
    ]
    assert found(EVERYTHING, ALL_OFF) == []
    all_on = GatePolicy(**dict.fromkeys(gate_modes(GatePolicy()), GateMode.ON))
    assert all(holds for _, holds in found(EVERYTHING, all_on))


@pytest.mark.parametrize("language", ["en", "ru"])
def test_every_finding_is_told_whole_with_what_to_do(language: str) -> None:
    t = translator(language)
    features = replace(EVERYTHING, policy=LinePolicy.PATCH_ONLY, brought=[commit(ChangeKind.FEATURE)])
    over = replace(OPEN, phase=LinePhase.END_OF_LIFE)
    security = replace(features, phase=LinePhase.SECURITY_ONLY)
    every: list[Finding] = [*look(EVERYTHING, GatePolicy()), *look(security, GatePolicy()), *look(over, GatePolicy())]
    assert {one.check for one in every} == set(Check)
    for one in every:
        facts = one.facts(t)
        assert "{" not in facts["detail"] + facts["advice"]
        assert (facts["detail"] == one.facts(translator("en"))["detail"]) is (language == "en")
    uncertain = next(one for one in every if one.check is Check.UNKNOWN_BACKPORTS)
    assert "3.2, 3.3" in uncertain.told(t)


def test_policy_is_kept_without_its_defaults_and_read_again() -> None:
    policy = GatePolicy(no_ticket=GateMode.ON, reverted=GateMode.OFF)
    assert gate_to_mapping(policy) == {"no_ticket": "on", "reverted": "off"}
    assert gate_from_mapping(gate_to_mapping(policy)) == policy
    assert gate_from_mapping({"from_another_version": "on"}) == GatePolicy()
    with pytest.raises(InvalidGateError, match="maybe"):
        gate_from_mapping({"reverted": "maybe"})


def test_rules_of_a_line_are_no_choice() -> None:
    chosen = modes(ALL_OFF)
    assert list(chosen) == list(Check)
    assert {check for check, mode in chosen.items() if mode is GateMode.ON} == {
        Check.END_OF_LIFE,
        Check.SECURITY_ONLY,
        Check.PATCH_ONLY,
    }
