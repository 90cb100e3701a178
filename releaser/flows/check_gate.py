"""Look at the gate before a cut without cutting: which version it would be, or which is being cut, and what speaks against it."""

from __future__ import annotations

from releaser.domain.embargo import Untold, untold
from releaser.domain.gate import modes
from releaser.domain.gate_policy import gate_from_mapping
from releaser.domain.release import CutKind
from releaser.flows.judge_gate import findings_facts, judge_gate
from releaser.flows.number_cut import number_again, number_cut, open_cut, standing_cut
from releaser.flows.ports import Facts, Ports
from releaser.flows.read_content import Content, read_content
from releaser.i18n import translator
from releaser.store import embargoes, products, releases
from releaser.store.releases import Release


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

    A cut that is under way is judged as it is: the same command would complete it, or answer its candidate.

    Facts: `product`, `kind`, `version`, `line`, `branch`, `commit`, `previous`, `commits` (how many are new), `train`,
    `under_way` (None, or `state`, `step` and `by` of the cut that has this version already),
    `holds`, `checks` (each `check`, `mode`, `found`) and `findings` (each `check`, `mode`, `holds`, `ticket`, `line`,
    `commit`, `detail`, `advice`), most serious first; their texts are in `language`, with
    `told` in place of those under embargo (None: for internal readers).
    Raises `ProductNotFoundError`, `InvalidVersionError`, `UnknownLineError`, and what `read_content` raises.
    """
    with ports.database.reading() as session:
        row = products.get(session, product)
        opened = open_cut(session, row, kind=kind, line=line)
        numbered = number_again(row, opened) if opened else number_cut(session, row, kind=kind, line=line)
    content = read_content(ports, product=product, numbered=numbered, opened=opened)
    if opened is None and (opened := _standing(ports, product, content)) is not None:
        numbered = number_again(row, opened)
        content = read_content(ports, product=product, numbered=numbered, opened=opened)
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
        "under_way": _under_way(opened) if opened is not None else None,
        "holds": any(one.holds for one in findings),
        "checks": [
            {"check": check.value, "mode": mode.value, "found": sum(one.check is check for one in findings)}
            for check, mode in mode_of.items()
        ],
        "findings": findings_facts(findings, translator(language)),
    }


def _standing(ports: Ports, product: str, content: Content) -> Release | None:
    """The candidate that was made of this very commit, and waits to be published."""
    with ports.database.reading() as session:
        rows = releases.by_product(session, products.get(session, product).id)
        return standing_cut(rows, content.numbered, commit=content.commit)


def _under_way(release: Release) -> Facts:
    return {
        "state": release.state.value,
        "step": release.cut_step.value if release.cut_step else None,
        "by": release.cut_by,
    }
