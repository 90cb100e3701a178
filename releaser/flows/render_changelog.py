"""A product's changelog as text, from the store."""

from __future__ import annotations

from releaser.domain.changelog import Audience, Form
from releaser.domain.changelog.keeping import ChangelogKeeping
from releaser.flows.ports import Ports
from releaser.flows.write_out import Template, stored_template, write_out
from releaser.i18n import DEFAULT_LANGUAGE
from releaser.store import changelog, notes, products, releases
from releaser.store.plain import load


def render_changelog(
    ports: Ports,
    *,
    product: str,
    version: str | None = None,
    form: Form = Form.MARKDOWN,
    language: str = DEFAULT_LANGUAGE,
    audience: Audience = Audience.CUSTOMER,
    template: Template | None = None,
) -> str:
    """The changelog of one release, or of everything published, newest number first, as `audience` may read it.

    By `template`, else by the product's own for the form, else in the usual form. Raises `ProductNotFoundError`,
    `ReleaseNotFoundError`, `InvalidVersionError`, and what `write_out` raises.
    """
    with ports.database.reading() as session:
        row = products.get(session, product)
        if version is not None:
            found = [releases.get(session, row, version)]
        else:
            found = list(releases.in_states(session, row.id, *notes.VISIBLE))
        told = changelog.of_releases(session, found, now=ports.clock.now(), audience=audience, language=language)
        title = row.title or row.name
        keeping = load(ChangelogKeeping, row.changelog)
    return write_out(
        told,
        form=form,
        title=title if version is None else "",
        language=language,
        template=template or stored_template(keeping, form, product=product),
        engine=ports.templates,
    )
