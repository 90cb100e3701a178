"""What `releaser changelog` does with a clone beyond telling its releases: fragments, templates, feeds, and writing files."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from releaser.cli.changelog import FEEDS, Format, Told, Written
from releaser.cli.clones import watched
from releaser.cli.light import UsageError
from releaser.cli.show import say
from releaser.clock import SystemClock
from releaser.domain.changelog import ChangelogRelease, Form, Sources, atom, json_feed
from releaser.domain.changelog.feeds import feed_of
from releaser.domain.changelog.keeping import ChangelogKeeping, is_path
from releaser.domain.tag_format import guess_tag_format
from releaser.domain.version import Scheme, TagFormat, parse
from releaser.flows import release_fragments as fragments_flow
from releaser.flows.place_changelog import Telling
from releaser.flows.read_changelog import Wanted, read_changelog
from releaser.flows.read_in_place import Habits
from releaser.flows.read_template import read_template
from releaser.flows.read_unreleased import read_unreleased
from releaser.flows.write_in_clone import write_in_clone
from releaser.flows.write_out import write_out
from releaser.in_place import clone, engine, fragments, work_tree


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What of which clone. `version` is the one to come of what is unreleased; `fragments` is a folder of the clone."""

    repo: Path | None
    habits: Habits
    wanted: Wanted
    is_unreleased: bool
    version: str
    branch: str
    fragments: Path | None
    sources: Sources


def told(asked: Asked, said: Told) -> str:
    """The changelog as text."""
    return _written_out(_found(asked, said), said, asked.repo)


def written(asked: Asked, said: Told, to: Written) -> str:
    """The changelog in the clone's files; which of them changed."""
    if asked.is_unreleased and not asked.version:
        raise UsageError(
            "What is written needs a version.", advice="Use: --unreleased VERSION --write.", field="version"
        )
    root = work_tree(asked.repo)
    keeping = ChangelogKeeping(file=to.into, folder=to.folder, language=said.language)
    for name, path in (("into", to.into), ("folder", to.folder)):
        if path and not is_path(path):
            raise UsageError(f"'{path[:80]}' is no path inside a clone.", advice="Write docs/NEWS.md.", field=name)
    found = _found(asked, said)
    telling = [
        Telling(
            version=parse(one.version, scheme=asked.habits.scheme),
            chapter=_chapter(one, said, ""),
            text=_chapter(one, said, said.title),
        )
        for one in found
    ]
    tags = (tag.name for tag in clone(asked.repo).refs().tags) if asked.habits.tag_format is None else ()
    tag_format = (
        TagFormat(scheme=asked.habits.scheme, text=asked.habits.tag_format)
        if asked.habits.tag_format is not None
        else guess_tag_format(tags, scheme=asked.habits.scheme)
    )
    gone = (
        [_folder(asked) / one.name for one in fragments(_folder(asked))]
        if asked.is_unreleased and asked.fragments
        else []
    )
    changed = write_in_clone(root, telling, keeping=keeping, tag_format=tag_format, fragments=gone, replace=to.replace)
    removed = " " + say.n("{n} fragment was removed.", "{n} fragments were removed.", len(gone)) if gone else ""
    return (f"Wrote {', '.join(changed)}." if changed else "Everything is told there already.") + removed


def of_fragments(folder: Path, version: str, scheme: Scheme, said: Told, *, write: bool) -> str:
    """What a folder of fragments tells, without any repository."""
    found = fragments(folder)
    numbered = parse(version, scheme=scheme) if version else None
    if not write:
        release = fragments_flow.told(found, version=numbered, on=None, language=said.language)
        named = replace(said, title=said.title or folder.absolute().name) if said.output in FEEDS else said
        return _written_out([release], named, folder)
    if numbered is None:
        raise UsageError(
            "What is written needs a version.", advice="Use: --fragments FOLDER --write VERSION.", field="write"
        )
    today = SystemClock().now().date()
    file = fragments_flow.release_fragments(
        found, folder=folder, version=numbered, on=today, title=said.title, language=said.language
    )
    return say.n("{n} fragment became {file}.", "{n} fragments became {file}.", len(found), file=file)


def _found(asked: Asked, said: Told) -> list[ChangelogRelease]:
    found = [replace(one, sources=asked.sources) for one in _read(asked, said)]
    return [replace(one, written=()) for one in found] if asked.sources is Sources.COMMITS else found


def _read(asked: Asked, said: Told) -> list[ChangelogRelease]:
    repository = clone(asked.repo)
    with watched() as progress:
        if asked.is_unreleased:
            one = read_unreleased(
                repository,
                habits=asked.habits,
                branch=asked.branch,
                version=asked.version,
                on=SystemClock().now().date(),
                fragments=fragments(_folder(asked)) if asked.fragments else (),
                language=said.language,
                progress=progress,
            )
            return [one]
        return read_changelog(
            repository,
            wanted=asked.wanted,
            habits=asked.habits,
            fragments=_in_repository(asked),
            language=said.language,
            progress=progress,
        )


def _folder(asked: Asked) -> Path:
    """The folder of fragments among the clone's files."""
    return work_tree(asked.repo) / (asked.fragments or "")


def _in_repository(asked: Asked) -> str:
    """The folder of fragments as git calls it."""
    if asked.fragments is None:
        return ""
    path = asked.fragments
    if path.is_absolute():
        root = work_tree(asked.repo)
        path = path.relative_to(root) if path.is_relative_to(root) else path
    if not is_path(path.as_posix()):
        raise UsageError(
            f"'{str(path)[:80]}' is no folder of the clone.",
            advice="Name it from the clone's root, such as changelogs/unreleased.",
            field="fragments",
        )
    return path.as_posix()


def _written_out(found: list[ChangelogRelease], said: Told, repo: Path | None) -> str:
    if said.output in FEEDS:
        return _feed(found, replace(said, title=said.title or clone(repo).name()))
    return write_out(
        found,
        form=said.form,
        title=said.title,
        language=said.language,
        template=read_template(said.template) if said.template else None,
        engine=engine(),
    )


def _chapter(one: ChangelogRelease, said: Told, title: str) -> str:
    return write_out(
        [one],
        form=Form.MARKDOWN,
        title=title,
        language=said.language,
        template=read_template(said.template) if said.template else None,
        engine=engine(),
    )


def _feed(found: list[ChangelogRelease], said: Told) -> str:
    if not said.address:
        raise UsageError(
            "A feed leads to a page, and a clone has none.",
            advice="Name the page that tells the changelog with --address, or use -o md, json, html or text.",
            field="address",
        )
    made = feed_of(found, title=said.title, address=said.address, language=said.language)
    return atom(made) if said.output is Format.ATOM else json_feed(made)
