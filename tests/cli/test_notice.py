from __future__ import annotations

from tests.cli.conftest import Cli


def test_notice_goes_from_the_refusal_over_the_announcement_to_the_measured_downtime(vendor: Cli) -> None:
    vendor.facts("deploy", "shop", "1.0", "--to", "ring=loud", "--wait", "healthy")
    assert vendor("deploy", "shop", "1.1", "--to", "ring=loud").code == 3
    drafts = [one for one in vendor.facts("notice", "list") if one["state"] == "draft"]
    number = str(drafts[0]["id"])
    assert "loud-shop" in vendor("notice", "show", number).out
    announced = vendor.facts("notice", "announce", number, "--by", "rita")
    assert announced["state"] == "announced"
    done = vendor.facts("deploy", "shop", "1.1", "--to", "ring=loud", "--wait", "healthy", "--timeout", "60s")
    assert done["state"] == "succeeded"
    told = vendor.facts("notice", "show", number)
    assert told["state"] == "completed"
    assert told["installations"][0]["measured_stop_s"] > 0
    text = vendor("notice", "show", number).out
    assert "operations@acme.example" in text
    assert "loud-shop" in vendor("notice", "list").out or number in vendor("notice", "list").out


def test_notice_that_was_announced_is_cancelled_with_its_reason(vendor: Cli) -> None:
    vendor.facts("deploy", "shop", "1.0", "--to", "ring=loud", "--wait", "healthy")
    planned = vendor("plan", "shop", "1.1", "--to", "ring=loud")
    number = str(vendor.facts("notice", "list")[0]["id"])
    assert f"releaser notice announce {number}" in planned.out
    vendor.facts("notice", "announce", number, "--at", "2099-05-31T22:00+03:00")
    assert vendor("notice", "cancel", number).code == 2
    assert vendor.facts("notice", "cancel", number, "--reason", "postponed")["state"] == "cancelled"
    assert vendor("notice", "cancel", number, "--reason", "postponed").code == 5
