"""Read a user's template from a file."""

from __future__ import annotations

from pathlib import Path

from releaser.domain.changelog.keeping import MAX_TEMPLATE
from releaser.errors import InvalidError
from releaser.flows.write_out import Template


class TemplateFileError(InvalidError):
    """The file is no template."""


def read_template(path: Path) -> Template:
    """The template in the file. Raises `TemplateFileError`."""
    try:
        with path.open("rb") as file:
            text = file.read(4 * MAX_TEMPLATE + 1).decode("utf-8-sig")
    except OSError as error:
        raise TemplateFileError(
            f"The template '{path}' cannot be read: {error.strerror}.", advice="Name a file.", field="template"
        ) from error
    except UnicodeDecodeError as error:
        raise TemplateFileError(
            f"The template '{path}' is not written in UTF-8.", advice="Save it as UTF-8.", field="template"
        ) from error
    return Template(name=str(path), text=text)
