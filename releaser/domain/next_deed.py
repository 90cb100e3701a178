"""What a person can do next about a rollout, in a sentence: every state that does not go on by itself has one.

What does not live here: what may be asked of a rollout at all (`steering`), and what a waiting target waits for (`waiting`).
"""

from __future__ import annotations

from collections.abc import Collection

from releaser.domain.advance import LEFT_AS_IT_IS, TRIED_AGAIN
from releaser.domain.rollout import AT_WORK, UPDATE_FAILED, RolloutState, UpdateState

_MOST_NAMED = 3


def next_deed(
    *,
    rollout: int,
    state: RolloutState,
    targets: Collection[tuple[str, UpdateState, str]],
    again: str,
    blocked: bool = False,
    yanked: bool = False,
    asked: Collection[str] = (),
    away: Collection[str] = (),
) -> str:
    """The sentence, empty where nothing is left to do.

    `targets` are name, state and remark of each; `again` deploys once more; `asked` are customers who have not said yet whether they
    agree, `away` the targets whose hosts are waited for.
    """
    left = [name for name, one, told in targets if one is UpdateState.INCONSISTENT and LEFT_AS_IT_IS in told]
    unclear = [name for name, one, told in targets if one is UpdateState.INCONSISTENT and LEFT_AS_IT_IS not in told]
    if state in {RolloutState.RUNNING, RolloutState.ROLLING_BACK, RolloutState.STOPPING}:
        held = [*away, *(name for name, one, told in targets if one in AT_WORK and told.startswith(TRIED_AGAIN))]
        if asked and not held and state is RolloutState.RUNNING:
            return f"Record what {_named(asked)} said: releaser rollout consent {rollout} --customer NAME --who NAME."
        give_up = f", or give up: releaser rollout abort {rollout}" if state is RolloutState.RUNNING else ""
        return f"{_named(held)} goes on by itself once what its remark names is mended{give_up}." if held else ""
    if state is RolloutState.PAUSED:
        return _while_paused(rollout, blocked=blocked, yanked=yanked)
    if state is RolloutState.AWAITING_APPROVAL:
        return f"Look at the plan and approve it: releaser rollout approve {rollout}."
    if left or unclear:
        return " ".join(filter(None, (_over_what_was_left(left), _by_hand(unclear, again=again, blocked=blocked))))
    failed = [name for name, one, _ in targets if one in UPDATE_FAILED]
    if (failed and state is RolloutState.SUCCEEDED) or state in {RolloutState.FAILED, RolloutState.ROLLED_BACK}:
        return _once_more(rollout, failed, blocked=blocked, yanked=yanked)
    return ""


def _once_more(rollout: int, failed: Collection[str], *, blocked: bool, yanked: bool) -> str:
    if yanked:
        return "Its release was yanked: roll another version out with `releaser deploy`."
    if blocked:
        return f"Release a mended version, or have the block lifted; then: releaser rollout retry {rollout}."
    about = f"what the remark of {_named(failed)} names" if failed else "what stopped it"
    return f"Mend {about}, then: releaser rollout retry {rollout}."


def _while_paused(rollout: int, *, blocked: bool, yanked: bool) -> str:
    if yanked:
        return f"Its release was yanked, so end it: releaser rollout abort {rollout}; then roll another version out."
    first = "Its version is blocked: have the block lifted, then let it go on" if blocked else "Let it go on"
    return f"{first}: releaser rollout resume {rollout}, or give up: releaser rollout abort {rollout}."


def _over_what_was_left(names: Collection[str]) -> str:
    """Neither the old version nor the same one: what was converted stays so, and what failed fails again."""
    if not names:
        return ""
    return (
        f"Leave what runs at {_named(names)}, for it is not safe to roll back: "
        "release a mended version with a higher number and roll that one out there with `releaser deploy`."
    )


def _by_hand(names: Collection[str], *, again: str, blocked: bool) -> str:
    if not names:
        return ""
    lifted = " Before that have the block lifted, or roll a mended version out instead." if blocked else ""
    return f"Look at the host of {_named(names)}: bring up the container that should serve, or remove both. Then: {again}.{lifted}"


def _named(names: Collection[str]) -> str:
    shown = list(dict.fromkeys(names))
    more = f" and {len(shown) - _MOST_NAMED} more" if len(shown) > _MOST_NAMED else ""
    return ", ".join(shown[:_MOST_NAMED]) + more
