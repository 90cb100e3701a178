"""The template that the documentation shows is one that works, and the names it tells are those a template gets."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date
from pathlib import Path

from releaser.domain.changelog import ChangelogCommit, ChangelogRelease, Entry, Form, Section
from releaser.domain.changelog.template_data import template_data
from releaser.flows.write_out import Template, write_out
from releaser.sources.template import TemplateProcess

PAGE = (Path(__file__).parent.parent / "docs" / "changelog.md").read_text("utf-8")
RELEASE = ChangelogRelease(
    version="1.1",
    tag="v1.1",
    line="1.1",
    released_on=date(2026, 3, 2),
    previous="v1.0",
    commits=(ChangelogCommit(id="a" * 40, subject="feat!: search *all*"),),
    written=(Entry(section=Section.FIXED, text="**Mended**.", tickets=("A-1", "A-2"), is_markdown=True),),
)


def test_template_of_the_documentation_makes_a_changelog() -> None:
    found = re.search(r"```jinja\n(.*?)```", PAGE, re.DOTALL)
    assert found
    text = write_out(
        [RELEASE, replace(RELEASE, version="1.0", commits=(), written=(), is_yanked=True)],
        form=Form.MARKDOWN,
        title="The <Shop>",
        template=Template(name="docs", text=found[1]),
        engine=TemplateProcess(),
    )
    assert text == (
        "# The &lt;Shop>\n\n## 1.1 – 2026-03-02\n\n### Added\n\n- **Breaking:** search \\*all\\*\n\n### Fixed\n\n"
        "- **Mended**. (A-1, A-2)\n\n\n## 1.0 – 2026-03-02 [YANKED]\n\n"
    )


def test_every_name_that_a_template_gets_is_documented() -> None:
    (release,) = template_data([RELEASE], form=Form.MARKDOWN)["releases"]
    names = {*release, *release["sections"][0], *release["sections"][0]["entries"][0], *release["commits"][0]}
    assert {name for name in names if f"`.{name}`" not in PAGE} == set()
