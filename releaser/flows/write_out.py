"""Write a changelog out in a form: the usual one, or by a template of a user's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from releaser.domain.changelog import ChangelogRelease, Form, render
from releaser.domain.changelog.keeping import TEMPLATED, ChangelogKeeping
from releaser.domain.changelog.template_data import template_data
from releaser.errors import InvalidError
from releaser.i18n import DEFAULT_LANGUAGE
from releaser.sources.source import Escape, TemplateEngine

_ESCAPES: Mapping[Form, Escape] = {Form.HTML: Escape.HTML, Form.MARKDOWN: Escape.MARKDOWN, Form.TEXT: Escape.NONE}


class NotTemplatedError(InvalidError):
    """The form has a fixed shape."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """A template of a user's own; `name` is what errors call its file."""

    name: str
    text: str


def stored_template(keeping: ChangelogKeeping, form: Form, *, product: str) -> Template | None:
    """The template that a product has for the form, if it has one."""
    text = keeping.templates.get(form.value, "")
    return Template(name=f"products.{product}.changelog.templates.{form}", text=text) if text else None


def write_out(
    releases: Sequence[ChangelogRelease],
    *,
    form: Form,
    title: str = "",
    language: str = DEFAULT_LANGUAGE,
    template: Template | None = None,
    engine: TemplateEngine | None = None,
) -> str:
    """The changelog of `releases`, in the order given; HTML is to be put into a page.

    Raises `NotTemplatedError`, and what `TemplateEngine.render` raises.
    """
    if template is not None and engine is not None:
        if form not in TEMPLATED:
            raise NotTemplatedError(
                f"There are no templates for {form}: its shape is agreed upon.",
                advice=f"Use {', '.join(TEMPLATED)}.",
                field="template",
            )
        data = template_data(releases, form=form, title=title, language=language)
        return engine.render(template.text, data, name=template.name, escape=_ESCAPES[form])
    return render(releases, form=form, title=title, language=language)
