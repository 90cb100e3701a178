"""What the death of an engine without live-restore leaves of what was made there, and who is told of it beforehand."""

from __future__ import annotations

from tests.fakes.engine import FakeEngine
from tests.targets.docker_world import World


def test_service_comes_back_with_its_engine_and_what_was_set_aside_does_not(
    fake_world: World, fake_engine: FakeEngine
) -> None:
    installed = fake_world.installed("1.0", fake_world.spec(port=18080))
    update = fake_world.update_of(installed, "1.1")
    controller = fake_world.controller()
    for step in controller.plan(update):
        if step.name != "remove-old":
            controller.carry_out(step, update, wanted=update.desired)
    fake_engine.kill()
    fake_engine.revive()
    states = {one.image.version: one.status for one in fake_engine.containers.values()}
    assert states == {"1.1": "running", "1.0": "exited"}


def test_engine_without_live_restore_is_told_with_what_to_do(fake_world: World, fake_engine: FakeEngine) -> None:
    told, _, advice = fake_world.driver().check(fake_world.address).partition("\n")
    assert told.endswith("; without live-restore")
    assert "only those with the restart policy 'always' come back" in advice
    fake_engine.live_restore = True
    assert "\n" not in fake_world.driver().check(fake_world.address)
