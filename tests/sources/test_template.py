"""Users' templates: what they make, what is said when they are wrong, and that they can do no harm."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from releaser.domain.changelog.text import escape_markdown, plain
from releaser.sources.source import Escape, InvalidTemplateError, TemplateExhaustedError
from releaser.sources.template import MAX_TEMPLATE, TemplateProcess

ENGINE = TemplateProcess(seconds=10)
DATA = {"title": "The *<Shop>*", "list": [{"text": "1. one"}, {"text": {"$safe": "**two** <b>"}}], "none": None}


def rendered(template: str, escape: Escape = Escape.MARKDOWN) -> str:
    return ENGINE.render(template, DATA, name="my.md.j2", escape=escape)


@pytest.mark.parametrize(
    ("escape", "expected"),
    [
        (Escape.MARKDOWN, "The \\*&lt;Shop>\\*: 1\\. one,**two** <b>,"),
        (Escape.HTML, "The *&lt;Shop&gt;*: 1. one,**two** <b>,"),
        (Escape.NONE, "The *<Shop>*: 1. one,**two** <b>,"),
    ],
)
def test_texts_are_inert_in_the_output_unless_they_are_safe(escape: Escape, expected: str) -> None:
    assert rendered("{{ title }}: {% for one in list %}{{ one.text }},{% endfor %}", escape) == expected


@given(st.lists(st.text(), min_size=1, max_size=20))
@settings(max_examples=10)
def test_markdown_is_escaped_as_everywhere_else(texts: list[str]) -> None:
    lines = [plain(text) for text in texts]
    template = "{% for one in list %}{{ one }}{{ '|'|safe }}{% endfor %}"
    made = ENGINE.render(template, {"list": lines}, name="t", escape=Escape.MARKDOWN)
    assert made == "".join(f"{escape_markdown(line)}|" for line in lines)


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("x\n{{ nope.text }}", r"^my\.md\.j2:2: `nope` is undefined"),
        ("{{ list[0].nope }}", "nope"),
        ("\n\n{% for %}", r"^my\.md\.j2:3: Unexpected end of block"),
        ("{{ title|shout }}", "Filter shout is unknown"),
        ("x" * (MAX_TEMPLATE + 1), "64000 are the most"),
    ],
)
def test_wrong_template_is_told_with_its_file_and_line(template: str, said: str) -> None:
    with pytest.raises(InvalidTemplateError, match=said) as caught:
        rendered(template)
    assert "docs/changelog.md" in caught.value.advice or "Shorten" in caught.value.advice


@pytest.mark.parametrize(
    ("template", "what"),
    [
        ("{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}", "steps"),
        (
            "{% set n = namespace(x='aaaaaaaaaa') %}{% for i in range(40) %}{% set n.x = n.x ~ n.x %}{% endfor %}",
            "memory",
        ),
        ("{{ '%1000000000s'|format('x') }}", "memory"),
        ("{{ [1]|slice(1000000000) }}", "memory"),
        ("{{ 'a'|indent(1000000000) }}", "memory"),
        ("{{ ('a' * 70000000)|safe }}", "output"),
    ],
)
def test_template_that_needs_too_much_is_stopped(template: str, what: str) -> None:
    with pytest.raises(TemplateExhaustedError, match=f"more {what}"):
        rendered(template)


@pytest.mark.parametrize(
    "template",
    [
        "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
        "{% for one in [1] recursive %}{{ loop([1]) }}{% endfor %}",
        "{{ " + "(" * 9000 + "1" + ")" * 9000 + " }}",
        "{% if 1 %}" * 3000 + "{% endif %}" * 3000,
        "{% include '/etc/passwd' %}",
        "{% extends '/etc/passwd' %}",
        "{% import 'os' as os %}",
        "{{ title.__class__ }}",
        "{{ list.count.__self__ }}",
        "{{ list[0].keys.__func__ }}",
        "{{ list.append(1) }}",
        "{{ list[0].pop('text') }}",
        "{% set list[0].text = 1 %}",
        "{{ open('/etc/passwd') }}",
        "{{ cycler.__init__.__globals__ }}",
        "{{ range(100001) }}",
        "{{ 10 ** 1000000 }}",
    ],
)
def test_tricks_lead_nowhere(template: str) -> None:
    with pytest.raises(InvalidTemplateError):
        rendered(template)


def test_time_is_bounded_too() -> None:
    slow = "{% for i in range(99999) %}{% set x = ('a' * 9000000)|upper|lower|length %}{% endfor %}"
    with pytest.raises(TemplateExhaustedError, match="more time"):
        TemplateProcess(seconds=1).render(slow, {}, name="t", escape=Escape.NONE)


def test_template_is_only_read_when_it_is_checked() -> None:
    ENGINE.check("{% for one in nothing.there %}{{ one }}{% endfor %}", name="t")
    with pytest.raises(InvalidTemplateError, match=r"^t:1: "):
        ENGINE.check("{% endfor %}", name="t")
