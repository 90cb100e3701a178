"""Every reason that a driver or a flow can form is known to the pages: they are read from the code that forms them."""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

import releaser
from releaser.domain.target import Phase
from releaser.i18n import translator
from releaser.web.pages.reasons import reason_of

PACKAGE = Path(releaser.__file__).parent
RUSSIAN = translator("ru")
TARGET = "acme-cloud/app@host-1"
FORMERS = sorted(
    {
        *(PACKAGE / "targets").rglob("*gate.py"),
        PACKAGE / "targets/swarm/proxy.py",
        *(PACKAGE / "domain" / f"{name}.py" for name in ("advance", "rollout_moves", "consent", "drift")),
        *(PACKAGE / "flows").glob("*.py"),
    }
    - {PACKAGE / "flows/cut_release.py"}  # why nothing is cut is told by an error
)
RAISERS = sorted(
    {
        *(
            one
            for room in ("compose", "docker", "files", "fronts", "hosts", "swarm")
            for one in (PACKAGE / "targets" / room).glob("*.py")
        )
    }
    - {
        PACKAGE / "targets" / name
        for name in ("docker/address.py", "docker/tls.py", "docker/soak.py", "files/archive.py")
    }
    - set((PACKAGE / "targets").rglob("adopting.py"))
    - set((PACKAGE / "targets").rglob("steps.py"))
    - set((PACKAGE / "targets").rglob("slots.py"))
)
BEFORE = {"InvalidError", "RefusedError", "SoakTooShortError", "ServiceKindError"}
"""What a plan is refused by before there is a rollout whose reason it could be."""
# What stands in a reason, by the expression in the code (behind its module, where that matters): as it really is, not as it is easily read.
VALUES = {
    r"assignment\.target": TARGET,
    r".*\.name": "web",
    r"runs_there": "what was there before",
    r"how": "exited",
    r"code": "1",
    r"reason": "shop.service does not run",
    r"_log\(.*": " (exit code 1: no\nluck)",
    r"said": ", without a word",
    r"oom": "",
    r"status|.*http_status|serving|wanted|busy|.*restarts|.*pid|len\(.*|scene\.wanted|failed|size|.*number|.*id|more\[0\]|.*threshold|freeze_id|other|max\(.*|.*revision": "3",
    r"' and '\.join\(witnesses\)": "http://127.0.0.1:80/ answers 200 and the engine's check passes",
    r"count": "3 tasks",
    r"_last_words\(.*": "; task 1 on h1: exit code 1; its last words: boom",
    r"last_words\(.*": ": exit code 1; its last words: boom",
    r".*swarm\.work:what": "has no network",
    r"what": "paused the update",
    r"\(?' ' \+ port .*": " 80",
    r"'a worker, no manager,' .*|\('a worker.*": "not part",
    r"differs": "is not on the network 'shop'",
    r"before": "it did before",
    r"by_hand": "web was changed by hand since the wanted one was told",
    r"lost|where|hint": "",
    r"hand": "was made from another configuration than",
    r"' was told' .*": "",
    r"scene\.where\(.*": "h1 (2), h2",
    r"url|url_of.*|witness": "http://127.0.0.1:80/",
    r".*\.path|.*\.root": "/srv/shop",
    r"'is not there' if .*": "is not there",
    r"f'; its last words.*": "; its last words: boom",
    r"phase\.value": "cut-over",
    r"_told\(.*": "2026-03-02 11:00Z",
    r"wait\.what\.value": "window",
    r"plan\.(product|version)": "1.1",
    r"shown": "sha256:ab",
    r"names|why|.*reason.*|error": "what people wrote",
}
UNKNOWN = ("web", "3", "http://127.0.0.1:80/ answers 503, not 200", "web: 3 of 3 tasks run on h1", "")
"""What else may stand there."""
FRAGMENTS = re.compile(r"[;, ]|$|shop\.service does not run1|shop\.service does not run; one failed")
"""Pieces of a reason, and those that begin with another one: these are in `test_reasons`."""


def formed() -> Iterator[tuple[str, tuple[str, ...]]]:
    """Where a reason is formed, and how it may read."""
    for path in FORMERS:
        module = ".".join((PACKAGE.name, *path.relative_to(PACKAGE).with_suffix("").parts))
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            for value in reasons_in(node):
                for piece in pieces(value):
                    read = tuple(dict.fromkeys(text_of(piece, module, unknown) for unknown in UNKNOWN))
                    if not FRAGMENTS.match(read[0]):
                        yield f"{path.relative_to(PACKAGE)}:{value.lineno}", read


def reasons_in(node: ast.AST) -> Iterator[ast.expr]:
    """What is given as a reason, told to whoever waits, or assigned to be."""
    if isinstance(node, ast.Call):
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        yield from (one.value for one in node.keywords if one.arg in {"reason", "told"})
        if name in {"_unhealthy", "_starting", "_exited", "_back"}:
            yield from node.args
    if isinstance(node, ast.Assign):
        names = {getattr(one, "attr", getattr(one, "id", "")) for one in node.targets}
        if names & {"reason", "told"}:
            yield node.value


def pieces(node: ast.expr) -> Iterator[ast.expr]:
    """The texts that an expression chooses from or cuts."""
    if isinstance(node, ast.IfExp):
        yield from (*pieces(node.body), *pieces(node.orelse))
    elif isinstance(node, ast.Subscript):
        yield from pieces(node.value)
    elif isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str)):
        yield node


def text_of(node: ast.expr, module: str, unknown: str) -> str:
    parts = node.values if isinstance(node, ast.JoinedStr) else [node]
    return "".join(str(one.value) if isinstance(one, ast.Constant) else value_of(one, module, unknown) for one in parts)


def value_of(node: ast.expr, module: str, unknown: str) -> str:
    assert isinstance(node, ast.FormattedValue)
    if node.format_spec is not None:
        return "2026-03-02 11:00" + "Z" * ("MZ" in ast.unparse(node)) if "%H" in ast.unparse(node) else "2.5"
    expression = ast.unparse(node.value)
    if expression.isupper():
        return str(getattr(importlib.import_module(module), expression))
    return next(
        (value for form, value in VALUES.items() if re.fullmatch(rf"(?:[\w.]+:)?(?:{form})", f"{module}:{expression}")),
        unknown,
    )


FORMED = [pytest.param(where, read, id=read[0]) for where, read in formed()]


@pytest.mark.parametrize(("where", "read"), FORMED)
def test_every_reason_that_the_code_forms_has_words(where: str, read: Sequence[str]) -> None:
    told = [reason_of(one, RUSSIAN) for one in read]
    assert any(re.search("[А-Яа-я]", one) for one in told), f"{where} forms what no page can tell: {read[0]}"


def faults() -> Iterator[tuple[str, tuple[str, ...]]]:
    """Where a driver raises what becomes a reason, and how it may read with its advice."""
    for path in RAISERS:
        module = ".".join((PACKAGE.name, *path.relative_to(PACKAGE).with_suffix("").parts))
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not isinstance(node, ast.Call) or not node.args:
                continue
            kind = getattr(node.func, "id", "")
            if kind.endswith("Error") and kind not in BEFORE and isinstance(node.args[0], ast.Constant | ast.JoinedStr):
                advice = [one for keyword in node.keywords if keyword.arg == "advice" for one in pieces(keyword.value)]
                for help_ in advice or [ast.Constant("")]:
                    read = [f"{text_of(node.args[0], module, one)} {text_of(help_, module, one)}" for one in UNKNOWN]
                    yield f"{path.relative_to(PACKAGE)}:{node.lineno}", tuple(one.strip() for one in read)


FAULTS = [pytest.param(where, read, id=read[0]) for where, read in faults()]


@pytest.mark.parametrize(("where", "read"), FAULTS)
def test_every_fault_of_a_driver_has_words_for_what_is_wrong_and_for_what_helps(
    where: str, read: Sequence[str]
) -> None:
    told = [(one, reason_of(f"trying again: {one}", RUSSIAN)) for one in read]
    words = [re.findall("[А-Яа-я]{3,}", after.rpartition(". ")[2]) for before, after in told if before not in after]
    assert any(words), f"{where} raises what no page can tell: {read[0]}"


def test_reading_the_code_finds_what_drivers_and_flows_form() -> None:
    rooms = {where.split("/")[0] for where, _ in formed()}
    assert rooms == {"domain", "flows", "targets"}
    assert len(FORMED) > 70


@pytest.mark.parametrize("phase", sorted(set(Phase) - {Phase.COMMIT}))
def test_phase_that_did_not_end_in_time_has_words(phase: Phase) -> None:
    assert "в срок" in reason_of(f"{phase.value} did not end in time", RUSSIAN)
