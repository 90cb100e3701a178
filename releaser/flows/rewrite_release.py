"""Write what tells of a published release: its files here, and its changelog in the product's repository where it is kept there."""

from __future__ import annotations

from releaser.domain.changelog.keeping import ChangelogKeeping
from releaser.flows.commit_changelog import commit_changelog
from releaser.flows.ports import Facts, Ports
from releaser.flows.write_changelog import write_changelog
from releaser.store import chapters, products, releases
from releaser.store.plain import load


def rewrite_release(ports: Ports, *, product: str, version: str, by: str, commit: bool = False) -> Facts:
    """Write the files, then commit: to the branches it was committed to before, or because `commit` or the product says so.

    Answers `files` and `commits` (each as `commit_changelog` tells it). The same again changes nothing. Raises what
    `write_changelog` and `commit_changelog` raise; what was done before stays done.
    """
    files = write_changelog(ports, product=product, version=version)["files"]
    with ports.database.reading() as session:
        row = products.get(session, product)
        release = releases.get(session, row, version)
        branches: list[str | None] = [*sorted(chapters.branches(session, release.id))]
        # What was released by others may stand in their changelog in their words.
        by_itself = load(ChangelogKeeping, row.changelog).commit and not release.imported
        if not branches and (commit or by_itself):
            branches = [None]
    commits = [commit_changelog(ports, product=product, version=version, branch=branch, by=by) for branch in branches]
    return {"files": files, "commits": commits}
