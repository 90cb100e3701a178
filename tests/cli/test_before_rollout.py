"""What the command says and ends with before a rollout runs: dry runs, rehearsals, blocks, versions without a way back."""

from __future__ import annotations

import pytest

from tests.cli.conftest import LOST, Cli
from tests.fakes.engine import FakeEngine

CANARY = ("--to", "ring=canary", "--wait", "healthy")


def test_dry_run_tells_what_is_refused_with_its_rule_and_ends_with_3(vendor: Cli, engine: FakeEngine) -> None:
    vendor.facts("deploy", "shop", "1.0", *CANARY)
    assert vendor("deploy", "shop", "1.2", *CANARY).code == 6
    ran = vendor("plan", "shop", "1.2", "--to", "all", "--dry-run")
    assert ran.code == 3
    assert "REFUSED by version-blocked" in ran.out
    assert "releaser release unblock shop 1.2 --reason" in ran.out
    ran = vendor("deploy", "shop", "1.2", "--to", "all", "--dry-run", "-o", "json")
    assert (ran.code, [one["rule"] for one in ran.facts["refusals"]]) == (3, ["version-blocked"])
    assert ran.facts["stops"][0]["planned_stop_s"] >= 0
    assert "BLOCKED" in vendor("release", "show", "shop", "1.2").out
    assert vendor("deploy", "shop", "1.2", *CANARY).code == 3
    assert vendor("release", "unblock", "shop", "1.2", "--reason", "the host was at fault").code == 0
    assert vendor("plan", "shop", "1.2", "--to", "all", "--dry-run").code == 0
    assert {c.name: c.image.version for c in engine.containers.values()} == {"acme-shop": "1.0"}


def test_rehearsal_reports_every_target_and_ends_with_0_or_1(vendor: Cli, engine: FakeEngine) -> None:
    vendor.facts("deploy", "shop", "1.0", *CANARY)
    ran = vendor("deploy", "shop", "1.2", "--to", "all", "--rehearse", "--wait", "healthy")
    assert ran.code == 0, ran
    assert ran.out.startswith("Rehearsal ")
    assert "answers 200" in ran.out
    assert ran.out.count("  ready  ") == 4
    assert {c.name: c.image.version for c in engine.containers.values()} == {"acme-shop": "1.0"}
    lost = vendor("deploy", "shop", LOST, "--to", "ring=canary", "--rehearse", "--wait", "healthy")
    assert lost.code == 1
    assert "NOT READY" in lost.out
    assert vendor("plan", "shop", LOST, "--to", "ring=canary", "--dry-run").code == 0, "nothing is blocked by it"


@pytest.mark.parametrize(
    "words",
    [
        ("--max-parallel", "0%"),
        ("--max-parallel", "101%"),
        ("--max-parallel", "half"),
        ("--threshold", "-1"),
        ("--threshold", "1.5"),
        ("--threshold", "%"),
    ],
)
def test_limit_that_means_nothing_ends_with_2_and_names_its_option(vendor: Cli, words: tuple[str, str]) -> None:
    ran = vendor("plan", "shop", "1.0", "--to", "all", "--dry-run", *words)
    assert (ran.code, words[0].lstrip("-") in ran.err) == (2, True), ran


def test_percentages_are_kept_as_given_and_shown(vendor: Cli) -> None:
    facts = vendor.facts("plan", "shop", "1.0", "--to", "all", "--max-parallel", "50%", "--threshold", "10%")
    assert (facts["max_parallel"], facts["threshold"]) == ("50%", "10%")


def test_release_without_a_way_back_is_shown_as_such(vendor: Cli) -> None:
    ran = vendor("release", "one-way", "shop", "1.0", "--reason", "converts the schema")
    assert "not safe to roll back" in ran.out
    assert vendor("release", "one-way", "shop", "1.0", "--reason", "x", "--clear").code == 2
    assert vendor("release", "one-way", "shop", "1.0", "--reason", " ").code == 2
    assert vendor.facts("release", "one-way", "shop", "1.0", "--clear")["one_way"] is None


def test_start_for_later_is_scheduled_and_says_when(vendor: Cli) -> None:
    ran = vendor("deploy", "shop", "1.0", "--to", "all", "--starts-at", "2095-05-31T22:00+03:00")
    assert ran.code == 0, ran
    assert "scheduled" in ran.out
    assert "Begins 2095-05-31" in ran.out
    number = vendor.facts("rollout", "list")[0]["id"]
    assert vendor("deploy", "shop", "1.0", "--to", "all").code == 5
    assert vendor.facts("rollout", "abort", str(number))["state"] == "aborted"


def test_superseding_takes_over_and_both_end_as_they_should(vendor: Cli, engine: FakeEngine) -> None:
    old = vendor.facts("deploy", "shop", "1.2", "--to", "ring=canary")
    ran = vendor("deploy", "shop", "1.0", "--to", "ring=canary")
    assert (ran.code, "--supersede" in ran.err) == (5, True), ran
    ran = vendor("deploy", "shop", "1.0", *CANARY, "--supersede", "-o", "json")
    assert (ran.code, ran.facts["state"]) == (0, "succeeded")
    assert vendor.facts("rollout", "show", str(old["id"]))["state"] == "superseded"
    assert {c.name: c.image.version for c in engine.containers.values()} == {"acme-shop": "1.0"}
