"""A product's changelog as text, from the store."""

from __future__ import annotations

from collections.abc import Sequence

from releaser.domain.changelog import Audience, Form
from releaser.domain.changelog.keeping import ChangelogKeeping
from releaser.flows.ports import Ports
from releaser.flows.read_changelog import RangeError, Wanted
from releaser.flows.write_out import Template, stored_template, write_out
from releaser.i18n import DEFAULT_LANGUAGE
from releaser.store import changelog, notes, products, releases
from releaser.store.plain import load
from releaser.store.releases import Release


def render_changelog(
    ports: Ports,
    *,
    product: str,
    version: str | None = None,
    within: Wanted | None = None,
    form: Form = Form.MARKDOWN,
    language: str = DEFAULT_LANGUAGE,
    audience: Audience = Audience.CUSTOMER,
    template: Template | None = None,
) -> str:
    """The changelog of one release, or of everything published, newest number first, as `audience` may read it.

    `within` is a range of the published ones: from `upto` back along what each is told against, until what is not newer than
    `since`. By `template`, else by the product's own for the form, else in the usual form. Raises `ProductNotFoundError`,
    `ReleaseNotFoundError`, `InvalidVersionError`, `RangeError`, and what `write_out` raises.
    """
    with ports.database.reading() as session:
        row = products.get(session, product)
        if version is not None:
            found = [releases.get(session, row, version)]
        else:
            found = list(releases.in_states(session, row.id, *notes.VISIBLE))
            if within is not None:
                since = releases.get(session, row, within.since) if within.since else None
                upto = releases.get(session, row, within.upto) if within.upto else None
                found = _chain(found, since, upto)
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


def _chain(published: Sequence[Release], since: Release | None, upto: Release | None) -> list[Release]:
    """From `upto` (the newest when None) back to what is not newer than `since`."""
    last = upto or next(iter(published), None)
    if since is not None and last is not None and since.sort_key >= last.sort_key:
        raise RangeError(
            f"{since.version} is not older than {last.version}.",
            advice="Name the older one with --from.",
            field="from",
        )
    by_version = {release.version: release for release in published}
    found: list[Release] = []
    while last is not None and (since is None or since.sort_key < last.sort_key):
        found.append(last)
        last = by_version.get(last.previous)
    return found
