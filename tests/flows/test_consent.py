"""A customer whose contract says who agrees: nothing is cut over there before a yes, nothing at all after a no."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from releaser.domain.consent import Answer, InvalidConsentError
from releaser.domain.spec import ContainerSpec, Order
from releaser.domain.update_freeze import FreezeScope
from releaser.errors import RefusedError
from releaser.flows.abort_rollout import abort_rollout
from releaser.flows.advance_rollout import advance_rollout
from releaser.flows.deliver_notices import deliver_notices
from releaser.flows.freeze_updates import freeze_updates
from releaser.flows.ports import Facts
from releaser.flows.record_consent import record_consent
from releaser.flows.retry_rollout import retry_rollout
from releaser.flows.unblock_release import unblock_release
from releaser.store import installations
from releaser.store.customers import Customer
from releaser.store.plain import dump, load_spec
from releaser.store.schema import metadata
from releaser.store.session import Database
from tests.fakes.channel import FakeChannel
from tests.fakes.engine import Behaviour, FakeEngine
from tests.fakes.vendor import KeptVendor, Vendor, kept, vendor_on

HOUR = timedelta(hours=1)
HEAD = "head of operations"


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> KeptVendor:
    """1.0 runs everywhere, updates stop nothing, and acme's contract says who agrees."""
    folder = tmp_path_factory.mktemp("begun")
    with FakeEngine() as engine:
        database = Database(f"sqlite:///{folder / 'store.db'}")
        metadata.create_all(database.engine)
        vendor = vendor_on(database, engine, folder, order=Order.START_FIRST)
        assert vendor.deploy("1.0")["state"] == "succeeded"
        regulate(vendor, "acme", consent={"by": HEAD})
        return kept(vendor, folder / "kept.db")


@pytest.fixture
def vendor(begun: KeptVendor, tmp_path: Path) -> Iterator[Vendor]:
    with FakeEngine() as engine:
        made = begun.resumed(engine, tmp_path)
        yield made
        made.close()


def regulate(vendor: Vendor, customer: str, **regulation: object) -> None:
    with vendor.ports.database.transaction() as session:
        row = session.query(Customer).filter_by(name=customer).one()
        row.regulation = {"lead_full": 0, "lead_partial": 0, "lead_none": 0, **regulation}


def start(vendor: Vendor, version: str = "1.1", **options: Any) -> int:  # noqa: ANN401 -- of RolloutOptions
    number: int = vendor.start(version, waves=("100%",), **options)["id"]
    vendor.work()
    return number


def say(vendor: Vendor, rollout: int, answer: Answer = Answer.YES, **more: str) -> Facts:
    return record_consent(
        vendor.ports, rollout_id=rollout, answer=answer, **{"who": "I. Ivanova", "by": "rita", **more}
    )


def of(vendor: Vendor, rollout: int, installation: str) -> Facts:
    return next(t for t in vendor.show(rollout)["targets"] if t["installation"] == installation)


def test_prepared_target_waits_for_the_yes_and_others_do_not(vendor: Vendor) -> None:
    rollout = start(vendor, wait_for=HOUR)
    assert vendor.states(rollout) == {"acme-cloud": "waiting", "acme-own": "waiting", "globex-own": "succeeded"}
    one = of(vendor, rollout, "acme-own")
    assert (one["waits_for"], one["reason"]) == ("consent", f"{HEAD} (acme) has not agreed yet")
    assert one["deadline_at"] - one["waiting_since_at"] == HOUR
    assert one["ended_by"] == "somebody records what the customer said: releaser rollout consent"
    assert vendor.show(rollout)["next"] == (
        f"Record what acme said: releaser rollout consent {rollout} --customer NAME --who NAME."
    )
    say(vendor, rollout, note="mail of 3 March")
    vendor.work()
    assert vendor.show(rollout)["state"] == "succeeded"
    assert set(vendor.running().values()) == {"1.1"}


def test_yes_is_told_with_who_gave_it_and_who_wrote_it_down(vendor: Vendor) -> None:
    rollout = start(vendor)
    say(vendor, rollout, installation="acme-own", note="by phone")
    facts = vendor.show(rollout)
    told = {one["installation"]: one for one in facts["consents"]}
    assert told.keys() == {"acme-cloud", "acme-own"}
    assert told["acme-cloud"]["stands"] == "missing"
    own = told["acme-own"]
    assert [own[key] for key in ("customer", "by", "stands", "answer", "who", "note", "recorded_by")] == [
        "acme", HEAD, "agreed", "yes", "I. Ivanova", "by phone", "rita",
    ]  # fmt: skip
    last = facts["moves"][-1]
    assert (last["by"], last["reason"]) == ("rita", "I. Ivanova agreed (acme-own): by phone")
    vendor.work()
    assert vendor.states(rollout) == {"acme-cloud": "waiting", "acme-own": "succeeded", "globex-own": "succeeded"}


def test_no_leaves_the_target_as_it_is_and_says_why_everywhere(vendor: Vendor) -> None:
    rollout = start(vendor)
    say(vendor, rollout, Answer.NO, note="the year is being closed")
    vendor.work()
    facts = vendor.show(rollout)
    assert vendor.states(rollout) == {"acme-cloud": "skipped", "acme-own": "skipped", "globex-own": "succeeded"}
    assert of(vendor, rollout, "acme-own")["reason"] == "I. Ivanova did not agree: the year is being closed"
    assert (facts["state"], facts["reason"]) == ("succeeded", "every wave succeeded, 2 skipped")
    assert vendor.running() == {"acme-cloud": "1.0", "acme-own": "1.0", "globex-own": "1.1"}


def test_no_that_is_being_carried_out_is_no_failure(vendor: Vendor) -> None:
    """What was prepared is put away step by step, and looks at the rollout come in between."""
    rollout = start(vendor)
    say(vendor, rollout, installation="acme-cloud")
    say(vendor, rollout, Answer.NO, installation="acme-own", note="not now")
    seen = set()
    while vendor.tick():
        seen.add(of(vendor, rollout, "acme-own")["state"])
        assert vendor.show(rollout)["state"] in {"running", "succeeded"}
    assert "rolling_back" in seen
    assert vendor.states(rollout) == {"acme-cloud": "succeeded", "acme-own": "skipped", "globex-own": "succeeded"}
    assert vendor.show(rollout)["state"] == "succeeded"


def test_no_from_an_earlier_rollout_of_the_version_leaves_it_alone_until_a_yes(vendor: Vendor) -> None:
    say(vendor, start(vendor), Answer.NO, note="not now")
    vendor.work()
    calls = len(vendor.engine.calls)
    again = vendor.start("1.1", to="customer=acme", waves=("100%",))["id"]
    rules = [need["rule"] for need in vendor.plan("1.1", to="ring=wide")["needs"]]
    assert rules.count("consent-refused") == 2
    vendor.work()
    assert set(vendor.states(again).values()) == {"skipped"}
    assert "pull" not in vendor.engine.calls[calls:], "nothing is prepared where nothing will be done"
    third = vendor.plan("1.1", to="installation=acme-own")["rollout"]
    say(vendor, third)
    assert start(vendor, to="installation=acme-own") == third
    assert vendor.show(third)["state"] == "succeeded"


def test_retry_keeps_the_yes_and_another_version_does_not(vendor: Vendor) -> None:
    for image in vendor.engine.images.values():
        if image.version == "1.1":
            image.behaviour = Behaviour.SICK
    rollout = start(vendor, to="installation=acme-own")
    say(vendor, rollout)
    vendor.work()
    assert vendor.show(rollout)["state"] == "rolled_back"
    for image in vendor.engine.images.values():
        image.behaviour = Behaviour.GOOD
    unblock_release(vendor.ports, product="shop", version="1.1", by="rita", reason="mended")
    retry_rollout(vendor.ports, rollout_id=rollout, by="rita")
    vendor.work()
    assert vendor.show(rollout)["state"] == "succeeded"
    assert of(vendor, start(vendor, "1.1.1", to="installation=acme-own"), "acme-own")["waits_for"] == "consent"


def test_yes_to_an_update_that_stops_nothing_is_no_yes_to_one_that_does(vendor: Vendor) -> None:
    rollout = start(vendor, to="installation=acme-own")
    say(vendor, rollout)
    abort_rollout(vendor.ports, rollout_id=rollout, by="rita")
    vendor.work()
    with vendor.ports.database.transaction() as session:
        (target,) = installations.get(session, "acme-own").targets
        spec = load_spec(target.spec)
        assert isinstance(spec, ContainerSpec)
        target.spec = dump(replace(spec, order=Order.STOP_FIRST))
    vendor.announce("1.1", to="installation=acme-own", waves=("100%",))
    again = start(vendor, to="installation=acme-own")
    waits = of(vendor, again, "acme-own")
    assert (waits["state"], waits["waits_for"]) == ("waiting", "consent")
    assert waits["reason"] == f"{HEAD} (acme) agreed before it was known that app stops"
    say(vendor, again)
    vendor.work()
    assert vendor.show(again)["state"] == "succeeded"


def test_notice_asks_for_the_consent_or_says_that_it_was_given(vendor: Vendor) -> None:
    with vendor.ports.database.transaction() as session:
        for name in ("acme-own", "globex-own"):
            (target,) = installations.get(session, name).targets
            spec = load_spec(target.spec)
            assert isinstance(spec, ContainerSpec)
            target.spec = dump(replace(spec, order=Order.STOP_FIRST))
    rollout = vendor.plan("1.1", waves=("100%",))["rollout"]
    say(vendor, rollout, installation="acme-own")
    vendor.announce_drafts(rollout)
    channel = FakeChannel()
    deliver_notices(replace(vendor.ports, channels={"email": channel}))
    told = {message.to: message.text for message in channel.sent}
    assert "I. Ivanova: согласие есть." in told["operations@acme.test"]
    assert "agree" not in told["operations@globex.test"], "nobody is told of another customer's consent"


def test_contract_that_asks_only_about_stops_lets_others_through(vendor: Vendor) -> None:
    regulate(vendor, "acme", consent={"by": HEAD, "updates": "stopping"})
    rollout = start(vendor)
    facts = vendor.show(rollout)
    assert (facts["state"], facts["consents"]) == ("succeeded", [])


def test_nobody_answers_the_target_times_out_and_counts_as_failed(vendor: Vendor) -> None:
    rollout = start(vendor, to="installation=acme-own", wait_for=HOUR)
    vendor.clock.advance(HOUR)
    vendor.work()
    one = of(vendor, rollout, "acme-own")
    assert (one["state"], one["reason"]) == ("timed_out", "waited too long for the consent")
    assert vendor.running()["acme-own"] == "1.0"


def test_consent_is_asked_for_first_and_waited_for_as_long_as_nothing_could_begin_anyway(vendor: Vendor) -> None:
    now = vendor.clock.now()
    freeze_updates(
        vendor.ports, scope=FreezeScope.CUSTOMER, name="acme", starts_at=None, ends_at=now + 9 * HOUR, reason="peak", by="f"
    )  # fmt: skip
    rollout = start(vendor, to="installation=acme-own", wait_for=HOUR)
    one = of(vendor, rollout, "acme-own")
    assert (one["waits_for"], one["deadline_at"]) == ("consent", now + 10 * HOUR)
    say(vendor, rollout)
    vendor.work()
    assert of(vendor, rollout, "acme-own")["waits_for"] == "freeze"


def test_rehearsal_asks_nobody(vendor: Vendor) -> None:
    rollout = start(vendor, rehearse=True)
    assert vendor.show(rollout)["state"] == "succeeded"
    with pytest.raises(RefusedError) as told:
        say(vendor, rollout)
    assert told.value.rule == "consent-not-asked"


def test_plan_says_who_has_to_agree(vendor: Vendor) -> None:
    (need,) = [one for one in vendor.plan("1.1")["needs"] if one["rule"] == "consent"]
    assert need["detail"] == f"The contract of acme asks that {HEAD} agrees to acme-cloud, acme-own."
    assert "releaser rollout consent NUMBER --customer acme --who NAME" in need["advice"]
    rollout = vendor.plan("1.1")["rollout"]
    say(vendor, rollout, installation="acme-cloud")
    (need,) = [one for one in vendor.plan("1.1")["needs"] if one["rule"] == "consent"]
    assert need["detail"].endswith("agrees to acme-own.")
    say(vendor, rollout, Answer.NO, installation="acme-own", note="never")
    (need,) = [one for one in vendor.plan("1.1")["needs"] if one["rule"] == "consent-refused"]
    assert need["detail"] == "acme-own stays as it is: I. Ivanova did not agree: never."


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"who": " "}, "who"),
        ({"who": "a\x1b[31m"}, "who"),
        ({"who": "x" * 201}, "who"),
        ({"answer": Answer.NO}, "note"),
        ({"note": "x" * 2001}, "note"),
        ({"customer": "globex"}, "customer"),
        ({"installation": "nowhere"}, "installation"),
        ({"customer": "acme", "installation": "globex-own"}, "installation"),
    ],
)
def test_word_that_says_too_little_is_refused(vendor: Vendor, given: dict[str, Any], field: str) -> None:
    rollout = vendor.plan("1.1")["rollout"]
    with pytest.raises(InvalidConsentError) as told:
        say(vendor, rollout, **given)
    assert told.value.field == field
    assert {one["stands"] for one in vendor.show(rollout)["consents"]} == {"missing"}


def test_several_customers_are_asked_the_word_names_one(vendor: Vendor) -> None:
    regulate(vendor, "globex", consent={"by": "owner"})
    rollout = vendor.plan("1.1")["rollout"]
    with pytest.raises(InvalidConsentError, match="2 customers"):
        say(vendor, rollout)
    say(vendor, rollout, customer="globex")
    assert [one["stands"] for one in vendor.show(rollout)["consents"]] == ["missing", "missing", "agreed"]


def test_no_behind_the_beginning_of_the_cutover_is_refused(vendor: Vendor) -> None:
    rollout = vendor.start("1.1", to="installation=acme-own")["id"]
    say(vendor, rollout)
    while "cutting_over" not in vendor.states(rollout).values():
        assert vendor.tick()
    with pytest.raises(RefusedError) as told:
        say(vendor, rollout, Answer.NO, note="stop")
    assert told.value.rule == "consent-too-late"
    vendor.work()
    with pytest.raises(RefusedError) as told:
        say(vendor, rollout)
    assert told.value.rule == "rollout-over"


def test_yes_is_taken_back_before_the_cutover_nothing_is_cut_over(vendor: Vendor) -> None:
    rollout = vendor.start("1.1", to="installation=acme-own")["id"]
    say(vendor, rollout)
    while "prepared" not in vendor.states(rollout).values():
        assert vendor.tick()
    say(vendor, rollout, Answer.NO, note="changed our minds")
    assert advance_rollout(vendor.ports, rollout_id=rollout)
    vendor.work()
    assert vendor.states(rollout) == {"acme-own": "skipped"}
