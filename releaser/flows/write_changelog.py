"""Write a release's changelog and notes as files, whole or not at all."""

from __future__ import annotations

from urllib.parse import quote

from releaser.domain.changelog import Form, notes_markdown, render
from releaser.errors import OutsideError
from releaser.flows.ports import Facts, Ports
from releaser.flows.replace_file import replace_file
from releaser.i18n import LANGUAGES
from releaser.store import notes, products, releases


class ChangelogNotWrittenError(OutsideError):
    """The file system did not take the files."""


def write_changelog(ports: Ports, *, product: str, version: str) -> Facts:
    """Write `<home>/changelogs/<product>/<version>.md` and `<version>.notes.<language>.md`; answers `{"files": [...]}`.

    Repeating it writes the same files. Raises `ProductNotFoundError`, `ReleaseNotFoundError`, `ChangelogNotWrittenError`.
    """
    with ports.database.reading() as session:
        release = releases.get(session, products.get(session, product), version)
        told = notes.changelog_of(session, [release])
        page = notes.page(session, release)
        name = release.version
    texts = {f"{name}.md": render(told, form=Form.MARKDOWN, title=f"{page.title} {name}")}
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
