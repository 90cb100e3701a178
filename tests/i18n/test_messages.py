"""Every message that code and templates use has a Russian translation, and the catalogues stay easy to edit."""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from babel.messages.pofile import read_po
from jinja2 import Environment, nodes

from releaser.i18n import DEFAULT_LANGUAGE, LANGUAGES, LOCALES, catalogue

PACKAGE = Path(__file__).parent.parent.parent / "releaser"
TRANSLATED = [language for language in LANGUAGES if language != DEFAULT_LANGUAGE]
TEMPLATES = (".html", ".j2", ".jinja", ".txt", ".xml", ".svg", ".md")

Messages = dict[tuple[str, ...], str]


def in_python(path: Path) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Literals of `t("...")`, `mark("...")` and `t.n("...", "...", n)`, whatever the translator hangs on (`self.t`)."""
    for call in ast.walk(ast.parse(path.read_text("utf-8"))):
        if not isinstance(call, ast.Call):
            continue
        name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
        texts = [arg.value for arg in call.args if isinstance(arg, ast.Constant) and isinstance(arg.value, str)]
        wanted = {"t": 1, "mark": 1, "n": 2}.get(name, 0)
        if wanted and len(texts) >= wanted:
            yield call.lineno, tuple(texts[:wanted])


def in_template(path: Path, environment: Environment) -> Iterator[tuple[int, tuple[str, ...]]]:
    for call in environment.parse(path.read_text("utf-8")).find_all(nodes.Call):
        named = call.node
        plural = isinstance(named, nodes.Getattr) and named.attr == "n"
        owner = named.node if isinstance(named, nodes.Getattr) and plural else named
        if isinstance(owner, nodes.Name) and owner.name == "t":
            texts = [arg.value for arg in call.args if isinstance(arg, nodes.Const) and isinstance(arg.value, str)]
            if len(texts) >= (2 if plural else 1):
                yield call.lineno, tuple(texts[: 2 if plural else 1])


@functools.cache
def used() -> Messages:
    environment = Environment(extensions=["jinja2.ext.do", "jinja2.ext.loopcontrols"], autoescape=True)
    messages: Messages = {}
    for path in sorted(PACKAGE.rglob("*")):
        where = str(path.relative_to(PACKAGE.parent))
        if path.suffix == ".py" and path.parts[-2] != "i18n":
            found = list(in_python(path))
        elif path.suffix in TEMPLATES and "templates" in path.parts:
            found = list(in_template(path, environment))
        else:
            continue
        for line, texts in found:
            messages.setdefault(texts, f"{where}:{line}")
    return messages


def kept(language: str) -> dict[str, tuple[tuple[str, ...], tuple[str, ...]]]:
    with (LOCALES / f"{language}.po").open("rb") as file:
        return {
            key[0]: (key, forms)
            for message in read_po(file, locale=language, abort_invalid=True)
            if (key := (message.id,) if isinstance(message.id, str) else tuple(message.id))[0]
            and (forms := (message.string,) if isinstance(message.string, str) else tuple(message.string or ()))
            is not None
        }


def quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def to_paste(texts: tuple[str, ...], where: str) -> str:
    if len(texts) == 1:
        return f'msgid {quoted(texts[0])}\nmsgstr ""   <- used at {where}\n'
    return (
        f"msgid {quoted(texts[0])}\nmsgid_plural {quoted(texts[1])}\n"
        f'msgstr[0] ""   <- used at {where}\nmsgstr[1] ""\nmsgstr[2] ""\n'
    )


def places(text: str) -> set[str]:
    return {a or b for a, b in re.findall(r"%\((\w+)\)s|\{(\w+)\}", text)}


def test_every_message_has_a_russian_translation() -> None:
    russian = catalogue("ru")
    missing = [to_paste(texts, where) for texts, where in sorted(used().items()) if texts[0] not in russian]
    assert not missing, "add to releaser/i18n/locale/ru.po, in order:\n\n" + "\n".join(missing)


def test_plural_messages_have_all_forms() -> None:
    russian = catalogue("ru")
    assert [t for t in used() if len(t) == 2 and len(russian.get(t[0], ("", "", ""))) != 3] == []
    assert [t for t in used() if len(t) == 1 and len(russian.get(t[0], ("",))) != 1] == []


def test_no_translation_is_left_without_use() -> None:
    wanted = {texts[0] for texts in used()} | {text for path in PACKAGE.rglob("*.py") for text in strings_of(path)}
    assert sorted(set(kept("ru")) - wanted) == []


def strings_of(path: Path) -> Iterator[str]:
    """Texts of dictionaries and lists; a label that is looked up by a variable is found this way."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


@pytest.mark.parametrize("language", TRANSLATED)
def test_translations_keep_the_places_for_values(language: str) -> None:
    wrong = [
        key[0]
        for key, forms in kept(language).values()
        for form in forms
        if places(form) - {"n"} != places(key[0]) - {"n"}
    ]
    assert wrong == []


@pytest.mark.parametrize("language", TRANSLATED)
def test_catalogue_is_sorted_and_regular(language: str) -> None:
    text = (LOCALES / f"{language}.po").read_text("utf-8")
    ids = [eval_quoted(line.removeprefix("msgid ")) for line in text.splitlines() if line.startswith("msgid ")][1:]
    assert ids == sorted(ids, key=lambda one: (one.lower(), one)), "sort by msgid, small and capital letters alike"
    assert len(ids) == len(set(ids)), "a message stands there twice"
    assert "fuzzy" not in text


def eval_quoted(text: str) -> str:
    return str(ast.literal_eval(text))
