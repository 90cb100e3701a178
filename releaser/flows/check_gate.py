"""Look at the gate before a cut without cutting: which version it would be, and what speaks against it."""

from __future__ import annotations

from releaser.domain.embargo import Untold, untold
from releaser.domain.gate import modes
from releaser.domain.gate_policy import gate_from_mapping
from releaser.domain.release import CutKind
from releaser.flows.judge_gate import findings_facts, judge_gate
from releaser.flows.number_cut import number_cut
from releaser.flows.ports import Facts, Ports
from releaser.flows.read_content import read_content
from releaser.i18n import translator
from releaser.store import embargoes, products


def check_gate(
    ports: Ports,
    *,
    product: str,
    kind: CutKind,
    line: str | None,
    language: str = "en",
    told: Untold | None = untold,
) -> Facts:
    """The gate's report as of the last collect. Nothing is changed.

    Facts: `product`, `kind`, `version`, `line`, `branch`, `commit`, `previous`, `commits` (how many are new), `train`,
    `holds`, `checks` (each `check`, `mode`, `found`) and `findings` (each `check`, `mode`, `holds`, `ticket`, `line`,
    `commit`, `detail`, `advice`), most serious first; their texts are in `language`, with
    `told` in place of those under embargo (None: for internal readers).
    Raises `ProductNotFoundError`, `InvalidVersionError`, `UnknownLineError`, and what `read_content` raises.
    """
    with ports.database.reading() as session:
        numbered = number_cut(session, products.get(session, product), kind=kind, line=line)
    content = read_content(ports, product=product, numbered=numbered)
    with ports.database.reading() as session:
        row = products.get(session, product)
        now = ports.clock.now()
        veil = embargoes.veil(session, row.id, now=now)
        findings = tuple(one.veiled(veil, told) for one in judge_gate(session, row, content, now=now))
        mode_of = modes(gate_from_mapping(row.gate))
    return {
        "product": row.name,
        "kind": kind.value,
        "version": numbered.version.text,
        "line": numbered.line,
        "branch": content.branch,
        "commit": content.commit,
        "previous": numbered.previous.text if numbered.previous else None,
        "commits": len(content.brought),
        "train": content.train_on,
        "holds": any(one.holds for one in findings),
        "checks": [
            {"check": check.value, "mode": mode.value, "found": sum(one.check is check for one in findings)}
            for check, mode in mode_of.items()
        ],
        "findings": findings_facts(findings, translator(language)),
    }
