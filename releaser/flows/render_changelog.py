"""A product's changelog as text, from the store."""

from __future__ import annotations

from releaser.domain.changelog import Form, render
from releaser.domain.release import ReleaseState
from releaser.flows.ports import Ports
from releaser.i18n import DEFAULT_LANGUAGE
from releaser.store import notes, products, releases

_VISIBLE = (ReleaseState.PUBLISHED, ReleaseState.YANKED)


def render_changelog(
    ports: Ports,
    *,
    product: str,
    version: str | None = None,
    form: Form = Form.MARKDOWN,
    language: str = DEFAULT_LANGUAGE,
) -> str:
    """The changelog of one release, or of everything published, newest number first.

    Raises `ProductNotFoundError`, `ReleaseNotFoundError`, `InvalidVersionError`.
    """
    with ports.database.reading() as session:
        row = products.get(session, product)
        if version is not None:
            found = [releases.get(session, row, version)]
        else:
            found = list(releases.in_states(session, row.id, *_VISIBLE))
        told = notes.changelog_of(session, found)
        title = row.title or row.name
    return render(told, form=form, title=title if version is None else "", language=language)
