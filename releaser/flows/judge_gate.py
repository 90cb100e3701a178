"""What the gate says of a cut, in the caller's transaction: the content as it was read, and what people say now."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from releaser.domain.embargo import Veil, untold
from releaser.domain.gate import FINAL, Blocking, Finding, GateFacts, Moved, look
from releaser.domain.gate_policy import gate_from_mapping
from releaser.domain.history import LineStatus
from releaser.domain.line import LinePhase
from releaser.domain.release import CutKind
from releaser.errors import RefusedError
from releaser.flows.ports import Facts
from releaser.flows.read_content import Content
from releaser.i18n import Translator, translator
from releaser.store import alarms, blockers, lines, overrides
from releaser.store.blockers import Blocker
from releaser.store.products import Product

_SETTLED = frozenset({LineStatus.UNAFFECTED, LineStatus.WONTFIX})
_NAMED = 10
_OVERRIDE = "A person can cut all the same with --override REASON; that is recorded."


class GateHoldsError(RefusedError):
    """The gate found something that holds the cut; the rule is its gravest finding's, `findings` has them all."""


def judge_gate(session: Session, product: Product, content: Content, *, now: datetime) -> tuple[Finding, ...]:
    """Everything that speaks against the cut, most serious first."""
    numbered = content.numbered
    standing = lines.standing(session, product, now=now).get(numbered.line)
    settled = {
        ticket
        for (ticket, line), said in overrides.by_product(session, product.id).items()
        if line == numbered.line and said.status in _SETTLED
    }
    facts = GateFacts(
        line=numbered.line,
        phase=standing.phase if standing else LinePhase.DEVELOPMENT,
        policy=standing.policy if standing else product.line_policy,
        is_patch=numbered.kind is CutKind.PATCH,
        brought=content.brought,
        in_force=content.in_force,
        settled=settled,
        frozen=content.frozen,
        blocking=[
            Blocking(ticket=one.ticket, reason=one.reason, by=one.by)
            for one in blockers.standing(session, product.id)
            if _concerns(one, content)
        ],
        taken_back=content.taken_back,
        missing=content.missing,
        uncertain=content.uncertain,
        moved=[
            Moved(tag=one.tag, version=one.version, was=one.was, now=one.now)
            for one in alarms.standing(session, product.id)
            if one.version
        ],
    )
    return look(facts, gate_from_mapping(product.gate))


def _concerns(blocker: Blocker, content: Content) -> bool:
    """A blocker of a train holds that train's stable, one of a line all that is cut on it, another one every cut."""
    if blocker.train_on is not None:
        return blocker.train_on == content.train_on
    return blocker.line in {"", content.numbered.line}


def refuse_held(findings: tuple[Finding, ...], what: str, *, veil: Veil) -> None:
    """Raises `GateHoldsError` when something holds, naming each; what is under embargo is not told."""
    findings = tuple(one.veiled(veil, untold) for one in findings)
    holding = [one for one in findings if one.holds]
    if not holding:
        return
    t = translator("en")
    listed = "\n".join(f"- {one.check.value}: {one.told(t)}" for one in holding[:_NAMED])
    more = f"\n- and {len(holding) - _NAMED} more" if len(holding) > _NAMED else ""
    raise GateHoldsError(
        f"The gate holds {what}:\n{listed}{more}\n",
        rule=holding[0].check.value,
        advice=" ".join([holding[0].advice(t), *([] if any(one.check in FINAL for one in holding) else [_OVERRIDE])]),
        findings=findings_facts(findings, t),
    )


def findings_facts(findings: tuple[Finding, ...], t: Translator) -> list[Facts]:
    """The findings as plain data."""
    return [one.facts(t) for one in findings]
