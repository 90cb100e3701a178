"""The share of targets that is enough for a pipeline, and what it makes of the exit code."""

from __future__ import annotations

from typing import Any

import pytest

from releaser.cli.exits import Exit
from releaser.cli.main import run
from releaser.cli.quorum import QuorumError, parse_quorum, quorum_of
from tests.cli.conftest import Cli


def facts(*states: str) -> dict[str, Any]:
    return {"rehearsed": None, "targets": [{"state": state} for state in states]}


@pytest.mark.parametrize(
    ("asked", "good", "bad", "code", "ends"),
    [
        (95, 19, 1, Exit.FAILED, Exit.DONE),
        (95, 19, 1, Exit.ROLLED_BACK, Exit.DONE),
        (95, 19, 1, Exit.STILL_RUNNING, Exit.DONE),
        (95, 18, 2, Exit.FAILED, Exit.FAILED),
        (95, 18, 2, Exit.ROLLED_BACK, Exit.ROLLED_BACK),
        (95, 18, 2, Exit.STILL_RUNNING, Exit.STILL_RUNNING),
        (95, 18, 2, Exit.DONE, Exit.FAILED),
        (100, 20, 0, Exit.DONE, Exit.DONE),
        (1, 0, 3, Exit.ROLLED_BACK, Exit.ROLLED_BACK),
        (67, 2, 1, Exit.FAILED, Exit.FAILED),
        (66, 2, 1, Exit.FAILED, Exit.DONE),
        (1, 3, 0, Exit.INTERRUPTED, Exit.INTERRUPTED),
        (1, 3, 0, Exit.TERMINATED, Exit.TERMINATED),
        (1, 3, 0, Exit.REFUSED, Exit.REFUSED),
    ],
)
def test_share_of_targets_decides_the_exit_code(asked: int, good: int, bad: int, code: Exit, ends: Exit) -> None:
    counted = quorum_of(facts(*["succeeded"] * good, *["rolled_back"] * bad), asked=asked)
    assert counted.exit(code) is ends


def test_what_runs_there_already_counts_and_what_was_skipped_does_not() -> None:
    assert quorum_of(facts("succeeded", "already_installed", "skipped", "waiting"), asked=50).facts() == {
        "asked": "50%",
        "good": 2,
        "total": 4,
        "reached": True,
    }


@pytest.mark.parametrize("wrong", ["95", "0%", "101%", "-5%", "95,5%", "%", "95%%", "x", "٩٥%"])
def test_what_is_no_share_is_refused_with_the_option_named(wrong: str) -> None:
    with pytest.raises(QuorumError) as raised:
        parse_quorum(wrong)
    assert raised.value.field == "quorum"


def test_reached_quorum_ends_with_0_and_still_names_what_did_not_succeed(vendor: Cli) -> None:
    vendor.facts("deploy", "shop", "1.0", "--to", "ring=canary", "--wait", "healthy")
    words = ("--to", "ring=canary,ring=slow", "--wait", "healthy", "--timeout", "1s")
    ran = vendor("deploy", "shop", "1.0", *words, "--on-timeout", "abort", "--quorum", "50%")
    assert ran.code == 0, ran
    assert "Quorum 50% reached: 1 of 2 targets succeeded." in ran.out
    assert "slow-shop" in ran.out
    assert vendor.facts("rollout", "show", "2")["state"] != "succeeded"


def test_missed_quorum_ends_as_without_one_and_says_so(vendor: Cli) -> None:
    vendor.facts("deploy", "shop", "1.0", "--to", "ring=canary", "--wait", "healthy")
    ran = vendor("deploy", "shop", "1.2", "--to", "ring=canary", "--wait", "healthy", "--quorum", "1%", "-o", "json")
    assert (ran.code, ran.facts["quorum"]) == (6, {"asked": "1%", "good": 0, "total": 1, "reached": False})


def test_quorum_without_waiting_is_refused_with_2_and_starts_nothing(vendor: Cli) -> None:
    ran = vendor("deploy", "shop", "1.0", "--to", "all", "--quorum", "95%", "-o", "json")
    assert (ran.code, ran.problem["field"]) == (2, "quorum")
    assert vendor("deploy", "shop", "1.0", "--to", "all", "--wait", "healthy", "--quorum", "95").code == 2
    assert vendor.facts("rollout", "list") == []


def test_rehearsal_counts_what_is_ready(vendor: Cli) -> None:
    ran = vendor("deploy", "shop", "1.0", "--to", "ring=canary", "--rehearse", "--wait", "healthy", "--quorum", "95%")
    assert ran.code == 0, ran
    assert "1 of 1 targets are ready" in ran.out


def test_rehearsal_and_its_rollout_in_one_job_are_two_triggers(vendor: Cli) -> None:
    job = {"CI_JOB_ID": "9", "CI_PROJECT_ID": "1"}
    words = ("deploy", "shop", "1.0", "--to", "ring=canary", "--wait", "healthy")
    rehearsed, rolled = vendor.facts(*words, "--rehearse", **job), vendor.facts(*words, **job)
    assert rehearsed["id"] != rolled["id"]
    assert (rolled["rehearsal"], rolled["state"]) == (False, "succeeded")


def test_help_tells_every_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["deploy", "--help"]) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert [str(code.value) for code in Exit if f"{code.value} " not in told] == []
