from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest

from tests.cli.conftest import LOST, Cli
from tests.fakes.engine import FakeEngine


def running(engine: FakeEngine) -> dict[str, str]:
    return {one.name: one.image.version for one in engine.containers.values() if one.status == "running"}


def test_plan_names_targets_and_keeps_nothing_on_a_dry_run(vendor: Cli) -> None:
    facts = vendor.facts("plan", "shop", "1.0", "--to", "ring=canary", "--dry-run")
    assert [t["installation"] for t in facts["targets"]] == ["acme-shop"]
    assert "rollout" not in facts
    assert vendor.facts("rollout", "list") == []
    assert "acme-shop" in vendor("plan", "shop", "1.0", "--to", "all").out


def test_deploying_until_healthy_ends_with_0_and_again_is_unchanged(vendor: Cli, engine: FakeEngine) -> None:
    deploy = ("deploy", "shop", "1.0", "--to", "ring=canary,ring=wide", "--wait", "healthy", "--timeout", "60s")
    first = vendor.facts(*deploy, RELEASER_PUBLIC_URL="https://releases.example/")
    assert (first["state"], first["unchanged"]) == ("succeeded", False)
    assert running(engine) == {"acme-shop": "1.0", "globex-shop": "1.0"}
    assert first["url"] == f"https://releases.example/rollouts/{first['id']}"
    again = vendor.facts(*deploy)
    assert (again["state"], again["unchanged"]) == ("succeeded", True)
    assert vendor("rollout", "follow", str(first["id"])).code == 0


def test_deploying_what_never_becomes_healthy_is_rolled_back_and_ends_with_6(vendor: Cli, engine: FakeEngine) -> None:
    vendor.facts("deploy", "shop", "1.0", "--to", "ring=canary", "--wait", "healthy")
    ran = vendor("deploy", "shop", "1.2", "--to", "ring=canary", "--wait", "healthy", "-o", "json")
    assert (ran.code, ran.facts["state"]) == (6, "rolled_back")
    assert running(engine) == {"acme-shop": "1.0"}
    assert vendor("rollout", "follow", str(ran.facts["id"])).code == 6


def test_deploying_an_image_that_is_gone_ends_with_1_or_6_and_changes_nothing(vendor: Cli, engine: FakeEngine) -> None:
    ran = vendor("deploy", "shop", LOST, "--to", "ring=canary", "--wait", "healthy", "-o", "json")
    assert ran.code == {"failed": 1, "rolled_back": 6}[ran.facts["state"]]
    assert running(engine) == {}


WRONG = [
    (("shop", "1.0", "--to", "ring="), "no term of a selector"),
    (("shop", "1.0", "--to", "ring=nowhere"), ""),
    (("shop", "3.04"), "leading zero"),
    (("shop", "1.2.3.4"), "parts"),
    (("shop", "v"), "no number"),
    (("shop", ""), "empty"),
    (("shop", "9" * 10_000), "characters long"),
    (("shop", "7.7"), "no release"),
    (("nothing", "1.0"), "no product"),
    (("shop", "1.0", "--timeout", "5x"), "no duration"),
    (("shop", "1.0", "--waves", "x"), "no size of a wave"),
    (("shop", "1.0", "--starts-at", "tomorrow"), "no instant"),
    (("shop", "1.0", "--max-parallel", "0"), "max-parallel"),
    (("shop", "1.0", "--wait", "long"), "wait"),
    (("shop",), "version"),
]


def test_bad_input_is_told_in_one_line_and_ends_with_2(vendor: Cli) -> None:
    for words, said in WRONG:
        asked = ("deploy", *words, "--to", "all") if "--to" not in words else ("deploy", *words)
        ran = vendor(*asked)
        assert (ran.code, ran.out, len(ran.err.splitlines())) == (2, "", 1), (words, ran)
        assert said in ran.err, words
        assert vendor(*asked, "-o", "json").problem["type"].startswith("urn:releaser:problem:")
    assert vendor.facts("rollout", "list") == []


def test_stopping_without_a_notice_is_refused_with_3(vendor: Cli) -> None:
    vendor.facts("deploy", "shop", "1.0", "--to", "ring=loud", "--wait", "healthy")
    ran = vendor("deploy", "shop", "1.1", "--to", "ring=loud", "-o", "json")
    assert (ran.code, ran.out) == (3, "")
    assert ran.problem["rule"]
    assert "releaser notice announce" in ran.problem["advice"]


def test_waiting_for_approval_ends_with_3_until_somebody_else_approves(vendor: Cli) -> None:
    ran = vendor("deploy", "shop", "1.0", "--to", "ring=canary", "--approval", "--wait", "healthy", "-o", "json")
    assert (ran.code, ran.facts["state"]) == (3, "awaiting_approval")
    number = str(ran.facts["id"])
    assert vendor("rollout", "follow", number).code == 3
    assert vendor("rollout", "approve", number, "--by", "somebody").code == 0
    again = vendor.facts("deploy", "shop", "1.0", "--to", "ring=canary", "--wait", "healthy")
    assert (again["id"], again["state"]) == (ran.facts["id"], "succeeded")


def test_another_rollout_on_the_same_target_is_busy_with_5_and_named(vendor: Cli) -> None:
    first = vendor.facts("deploy", "shop", "1.0", "--to", "ring=canary")
    ran = vendor("deploy", "shop", "1.1", "--to", "ring=canary", "-o", "json")
    assert ran.code == 5
    assert f"Rollout {first['id']} " in ran.problem["detail"]
    assert vendor("deploy", "shop", "1.1", "--to", "ring=canary").err.startswith("releaser: Rollout ")


def test_an_engine_that_is_down_does_not_end_well(vendor: Cli, engine: FakeEngine) -> None:
    engine.kill()
    ran = vendor("deploy", "shop", "1.0", "--to", "ring=canary", "--wait", "healthy", "--timeout", "2s")
    assert ran.code in {1, 6, 7, 8}
    assert "Traceback" not in ran.err


def test_a_database_that_is_not_there_ends_with_8(vendor: Cli) -> None:
    ran = vendor(
        "deploy",
        "shop",
        "1.0",
        "--to",
        "all",
        "-o",
        "json",
        RELEASER_DATABASE_URL="postgresql://nobody@127.0.0.1:1/none",
    )
    assert ran.code == 8
    assert ran.problem["type"] == "urn:releaser:problem:database"


def test_wait_that_times_out_ends_with_7_and_leaves_the_rollout(vendor: Cli) -> None:
    ran = vendor("deploy", "shop", "1.0", "--to", "ring=slow", "--wait", "healthy", "--timeout", "1s", "-o", "json")
    assert (ran.code, ran.facts["state"]) == (7, "running")
    assert f"releaser rollout show {ran.facts['id']}" in ran.err
    assert vendor("rollout", "follow", str(ran.facts["id"]), "--timeout", "0s").code == 7


def test_wait_for_what_is_paused_ends_with_7_and_says_who_it_waits_for(vendor: Cli) -> None:
    words = ("deploy", "shop", "1.0", "--to", "ring=canary,ring=wide", "--waves", "1,1", "--gate", "--wait", "healthy")
    vendor("rollout", "pause", str(vendor.facts(*words[:-2])["id"]))
    ran = vendor(*words, "--timeout", "0s", "-o", "json")
    assert (ran.code, ran.facts["state"]) == (7, "paused")
    assert "is paused, and waits for somebody" in ran.err


def test_wait_that_times_out_can_abort_and_sees_it_undone(vendor: Cli, engine: FakeEngine) -> None:
    words = ("--to", "ring=slow", "--wait", "healthy", "--timeout", "1s", "--on-timeout", "abort")
    ran = vendor("deploy", "shop", "1.0", *words, "-o", "json")
    assert ran.code in {1, 6}
    assert ran.facts["state"] in {"aborted", "rolled_back", "failed"}
    assert running(engine) == {}


def _interrupted(vendor: Cli, engine: FakeEngine, number: signal.Signals, *more: str) -> tuple[int, str]:
    """Exit code and the rollout's state after a signal to the waiting command, once its container runs."""
    process = vendor.started("deploy", "shop", "1.0", "--to", "ring=slow", "--wait", "healthy", *more)
    try:
        until = time.monotonic() + 30
        while not running(engine):
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < until
            time.sleep(0.05)
        process.send_signal(number)
        _, err = process.communicate(timeout=60)
    finally:
        # However the test ends, nothing goes on waiting beside those that come after it.
        process.kill()
        process.wait()
    assert "Traceback" not in err
    return process.returncode, vendor.facts("rollout", "show", "1")["state"]


def test_ctrl_c_leaves_the_rollout_and_ends_with_130(vendor: Cli, engine: FakeEngine) -> None:
    assert _interrupted(vendor, engine, signal.SIGINT) == (130, "running")


def test_sigterm_leaves_the_rollout_and_ends_with_143(vendor: Cli, engine: FakeEngine) -> None:
    assert _interrupted(vendor, engine, signal.SIGTERM) == (143, "running")


def test_ctrl_c_can_abort_and_sees_it_undone(vendor: Cli, engine: FakeEngine) -> None:
    code, state = _interrupted(vendor, engine, signal.SIGINT, "--on-interrupt", "abort")
    assert code == 130
    assert state in {"aborted", "rolled_back", "failed"}
    assert running(engine) == {}


JOB = {"GITHUB_RUN_ID": "77", "GITHUB_REPOSITORY_ID": "5", "GITHUB_JOB": "deploy", "GITHUB_ACTION": "run"}


@pytest.mark.parametrize(
    ("first", "second", "is_same"),
    [
        ({**JOB, "GITHUB_RUN_ATTEMPT": "1"}, {**JOB, "GITHUB_RUN_ATTEMPT": "1"}, True),
        ({**JOB, "GITHUB_RUN_ATTEMPT": "1"}, {**JOB, "GITHUB_RUN_ATTEMPT": "2"}, False),
        ({"CI_JOB_ID": "9", "CI_PROJECT_ID": "1"}, {"CI_JOB_ID": "9", "CI_PROJECT_ID": "1"}, True),
        ({"CI_JOB_ID": "9", "CI_PROJECT_ID": "1"}, {"CI_JOB_ID": "10", "CI_PROJECT_ID": "1"}, False),
    ],
)
def test_retry_of_a_job_finds_its_rollout_and_a_rerun_makes_another(
    vendor: Cli, first: dict[str, str], second: dict[str, str], *, is_same: bool
) -> None:
    words = ("deploy", "shop", "1.0", "--to", "ring=canary")
    one = vendor.facts(*words, "--wait", "healthy", **first)
    two = vendor.facts(*words, **second)
    assert (one["id"] == two["id"]) is is_same


def test_a_key_that_was_used_for_something_else_is_refused_with_2(vendor: Cli) -> None:
    vendor.facts("deploy", "shop", "1.0", "--to", "ring=canary", "--key", "k")
    ran = vendor("deploy", "shop", "1.1", "--to", "ring=canary", "--key", "k", "-o", "json")
    assert ran.code == 2
    assert ran.problem["type"] == "urn:releaser:problem:trigger-reused"


def test_github_output_tells_later_steps_and_the_summary(vendor: Cli, tmp_path: Path) -> None:
    outputs, summary = tmp_path / "outputs", tmp_path / "summary"
    files = {"GITHUB_OUTPUT": str(outputs), "GITHUB_STEP_SUMMARY": str(summary)}
    files["RELEASER_PUBLIC_URL"] = "https://releases.example"
    words = ("--to", "ring=canary", "--wait", "healthy", "-o", "github")
    ran = vendor("deploy", "shop", "1.0", *words, **files)
    assert ran.code == 0
    told = dict(line.split("=", 1) for line in outputs.read_text().splitlines())
    assert told == {
        "id": "1",
        "status": "succeeded",
        "url": "https://releases.example/rollouts/1",
        "total": "1",
        "good": "1",
        "failed": "0",
    }
    assert "acme-shop" in summary.read_text()
    assert summary.read_text().startswith("```")


def test_rollouts_are_paused_resumed_and_aborted(vendor: Cli) -> None:
    number = str(vendor.facts("deploy", "shop", "1.0", "--to", "ring=slow")["id"])
    states = [
        vendor.facts("rollout", verb, number, "--reason", "asked", "--by", "rita")["state"]
        for verb in ("pause", "resume", "abort")
    ]
    assert states[:2] == ["paused", "running"]
    assert states[2] in {"stopping", "aborted", "rolling_back"}
    assert "asked" in str(vendor.facts("rollout", "show", number)["moves"])
    assert "slow-shop" in vendor("rollout", "show", number).out
