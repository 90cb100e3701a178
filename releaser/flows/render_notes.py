"""A release's notes as text, as one audience may read them."""

from __future__ import annotations

from releaser.domain.changelog import Audience, Form, notes_html, notes_json, notes_markdown, notes_text
from releaser.flows.ports import Ports
from releaser.i18n import DEFAULT_LANGUAGE
from releaser.store import notes, products, releases


def render_notes(
    ports: Ports,
    *,
    product: str,
    version: str,
    form: Form = Form.MARKDOWN,
    language: str = DEFAULT_LANGUAGE,
    audience: Audience = Audience.CUSTOMER,
) -> str:
    """The notes of one release. Raises `ProductNotFoundError`, `ReleaseNotFoundError`, `InvalidVersionError`."""
    with ports.database.reading() as session:
        release = releases.get(session, products.get(session, product), version)
        page = notes.page(session, release, now=ports.clock.now(), audience=audience)
    match form:
        case Form.MARKDOWN:
            return notes_markdown(page, language=language)
        case Form.TEXT:
            return notes_text(page, language=language)
        case Form.JSON:
            return notes_json(page, language=language)
        case Form.HTML:
            return notes_html(page, language=language)
