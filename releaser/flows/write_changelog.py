"""Write a release's changelog and notes as files, whole or not at all."""

from __future__ import annotations

from urllib.parse import quote

from releaser.domain.changelog import Form, notes_markdown
from releaser.domain.changelog.keeping import ChangelogKeeping
from releaser.errors import OutsideError
from releaser.flows.ports import Facts, Ports
from releaser.flows.replace_file import replace_file
from releaser.flows.write_out import stored_template, write_out
from releaser.i18n import LANGUAGES
from releaser.store import changelog, notes, products, releases
from releaser.store.plain import load


class ChangelogNotWrittenError(OutsideError):
    """The file system did not take the files."""


def write_changelog(ports: Ports, *, product: str, version: str) -> Facts:
    """Write `<home>/changelogs/<product>/<version>.md` and `<version>.notes.<language>.md`; answers `{"files": [...]}`.

    They hold what customers may read now. Repeating it writes the same files.
    Raises `ProductNotFoundError`, `ReleaseNotFoundError`, `ChangelogNotWrittenError`, and what `write_out` raises.
    """
    now = ports.clock.now()
    with ports.database.reading() as session:
        row = products.get(session, product)
        release = releases.get(session, row, version)
        keeping = load(ChangelogKeeping, row.changelog)
        told = changelog.of_releases(session, [release], now=now, language=keeping.language)
        page = notes.page(session, release, now=now)
        name = release.version
    texts = {
        f"{name}.md": write_out(
            told,
            form=Form.MARKDOWN,
            title=f"{page.title} {name}",
            language=keeping.language,
            template=stored_template(keeping, Form.MARKDOWN, product=product),
            engine=ports.templates,
        )
    }
    for language in LANGUAGES:
        texts[f"{name}.notes.{language}.md"] = notes_markdown(page, language=language)
    # A product's name is no path: `..` and `/` in it must not lead elsewhere.
    folder = ports.home / "changelogs" / quote(product, safe="").replace(".", "%2E")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for file_name, text in texts.items():
            replace_file(folder / file_name, text)
    except OSError as error:
        raise ChangelogNotWrittenError(
            f"The changelog of {product} {name} could not be written to {folder}: {error.strerror}.",
            permanent=False,
            advice="Free space or mend the permissions there, and repeat.",
        ) from error
    return {"files": [str(folder / file_name) for file_name in texts]}
