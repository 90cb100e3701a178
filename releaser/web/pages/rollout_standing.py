"""How a rollout stands, as its pages show it: small whatever its size; targets are read by pages of their wave."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy.orm import Session

from releaser.domain.rollout import RETRIABLE
from releaser.domain.steering import steering
from releaser.flows.find_consents import find_consents
from releaser.flows.ports import Ports
from releaser.store import blocks, notices, rollout_log, rollout_view, rollouts
from releaser.web.pages.rollout_words import RANKS, rank_of
from releaser.web.pages.words import tone_of

SMALL = 20
"""Up to so many targets are shown whole: every wave open, every step, every move in the log."""
ROWS = 30
"""How many targets of a wave its card shows; the rest is a page of its own."""
LINES = 20
_OPEN = {"busy", "wait", "bad"}
_UNDER_WAY = {"running", "soaking", "gate"}
_OVER = {"succeeded", "failed", "rolled_back", "aborted", "superseded", "rehearsed"}

Standing = dict[str, Any]


def standing(ports: Ports, rollout_id: int) -> Standing:
    """The rollout with its waves, what it waits for and what can be asked of it. Raises `RolloutNotFoundError`."""
    with ports.database.reading() as session:
        return standing_in(session, rollout_id)


def standing_in(session: Session, rollout_id: int) -> Standing:
    """As `standing`, in a session."""
    head = rollout_view.head(session, rollout_id)
    waves = [_wave(one) for one in rollout_view.waves(session, rollout_id)]
    counts: Counter[str] = Counter()
    for wave in waves:
        counts.update(wave["counts"])
    plan = rollout_view.planned(session, rollout_id)
    heir = rollouts.heir(session, rollout_id) if head["superseded_by_id"] else None
    return {
        **head,
        "heir": heir[1].value if heir else None,
        **tally(counts),
        **rollout_view.longest_stop(session, rollout_id),
        "waves": waves,
        "waits": rollout_view.waiting(session, rollout_id),
        "consents": _consents(session, rollout_id, is_over=is_over(head["state"])),
        "counts": dict(counts),
        "can": steering(
            head["state"],
            inconsistent=counts["inconsistent"],
            left=0 if head["rehearsal"] else sum(counts[one.value] for one in RETRIABLE),
        ),
        "one_off": bool(plan["options"].get("one_off")),
        "passed": plan["passed"],
        "blocked": blocks.of_rollout(session, rollout_id) is not None,
        "has_left": bool(counts["inconsistent"]) and rollout_view.has_left(session, rollout_id),
        "late": rollouts.late(session, rollout_id),
        "begun": rollout_log.begun_by(session, rollout_id) if head["state"] == "running" and head["reason"] else None,
        "is_over": is_over(head["state"]),
        "is_small": counts.total() <= SMALL,
        "open": [one["number"] for one in waves if one["state"] in _UNDER_WAY],
    }


def _consents(session: Session, rollout_id: int, *, is_over: bool) -> list[dict[str, Any]]:
    """By customer: who agrees there, which installations wait for it, and what was said."""
    of: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for one in find_consents(session, rollout_id=rollout_id):
        of[one["customer"]].append(one)
    found = []
    for customer, rows in of.items():
        said: dict[tuple[Any, ...], list[str]] = defaultdict(list)
        for one in rows:
            if one["answer"]:
                said[one["answer"], one["who"], one["note"], one["at"]].append(one["title"])
        open_ = [one for one in rows if one["is_waited_for"] and not is_over]
        found.append(
            {
                "customer": customer,
                "by": rows[0]["by"],
                "missing": [one["title"] for one in open_ if one["stands"] == "missing"],
                "open": bool(open_),
                "said": [(*word, names) for word, names in said.items()],
            }
        )
    return found


def is_over(state: str) -> bool:
    """Whether a rollout in that state changes no more by itself."""
    return state in _OVER


def tally(counts: Mapping[str, int]) -> dict[str, Any]:
    """`total`, `done` (it changes no more) and `ranks`, how many targets stand how, out of how many stand in which state."""
    ranks: Counter[str] = Counter()
    for state, count in counts.items():
        ranks[rank_of(state)] += count
    return {
        "total": ranks.total(),
        "done": ranks["good"] + ranks["bad"] + ranks["past"],
        "ranks": [(rank, ranks[rank]) for rank in RANKS if ranks[rank]],
    }


def _wave(wave: dict[str, Any]) -> dict[str, Any]:
    return {**wave, **tally(wave["counts"])}


def shown_open(one: Standing, wave: Mapping[str, Any]) -> bool:
    """Whether a wave's card is open when the page is opened: where something happens, failed or is next."""
    if one["is_small"]:
        return True
    first = next((each["number"] for each in one["waves"]), None)
    begun = any(each["state"] != "pending" for each in one["waves"])
    return tone_of(wave["state"]) in _OPEN or (not begun and wave["number"] == first)


def rows_of(session: Session, one: Standing, number: int) -> list[dict[str, Any]]:
    """The targets that a wave's card shows: first what failed, is at work or waits."""
    wanted = rollout_view.Wanted(wave=number)
    return journaled(session, one, rollout_view.targets(session, one["id"], wanted, limit=ROWS, urgent_first=True))


def journaled(session: Session, one: Standing, targets: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Targets with their `rank`, and the steps of those where somebody looks at them."""
    found = [{**target, "rank": rank_of(target["state"])} for target in targets]
    looked_at = [t["id"] for t in found if one["is_small"] or t["rank"] in {"bad", "work"}]
    steps = rollout_view.steps(session, looked_at)
    return [{**target, "steps": steps.get(target["id"], [])} for target in found]


def lines_of(session: Session, one: Standing) -> list[dict[str, Any]]:
    """The newest lines of the log: of a large rollout only what is worth telling."""
    return rollout_log.log(session, one["id"], notable=not one["is_small"], limit=LINES)


def page_of(ports: Ports, rollout_id: int) -> dict[str, Any]:
    """Everything that a rollout's page shows."""
    with ports.database.reading() as session:
        newest = rollout_log.newest(session, rollout_id)  # first: what comes after it is told again
        one = standing_in(session, rollout_id)
        rows = {wave["number"]: rows_of(session, one, wave["number"]) for wave in one["waves"] if shown_open(one, wave)}
        return {
            "one": one,
            "rows": rows,
            "lines": lines_of(session, one),
            "newest": newest,
            "told": [notices.facts(notice) for notice in notices.of_rollout(session, rollout_id)],
        }
