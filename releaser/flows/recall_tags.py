"""Tags that a person accepted as gone: the releases they made stay releases, told by the commits that were written down."""

from __future__ import annotations

from collections.abc import Collection

from releaser.domain.history import Refs, TagRef
from releaser.domain.version import TagFormat, Version, parse
from releaser.flows.ports import Ports
from releaser.sources.source import Repository
from releaser.store import releases
from releaser.store.products import Product
from releaser.store.releases import Recorded


def recall_tags(ports: Ports, repository: Repository, product: Product, refs: Refs) -> Refs:
    """`refs` with the tags that the repository has no more, of releases whose commits it still has.

    A version that another tag carries now is told by that one. What no commit is left of is not recalled.
    It asks git, so no transaction may be open.
    """
    with ports.database.reading() as session:
        recorded = releases.recorded(session, product.id)
    here = {tag.name for tag in refs.tags}
    gone = [one for one in recorded if one.tag not in here]
    if not gone:
        return refs
    tag_format = TagFormat(scheme=product.scheme, text=product.tag_format)
    carried = {tag_format.version_of(tag.name) for tag in refs.tags}
    present = repository.present([one.commit for one in gone])
    return refs.with_tags(
        [
            TagRef(name=one.tag, object_id=one.tag_object, commit=one.commit, tagged_at=one.tagged_at)
            for one in gone
            if one.commit in present and _is_told(parse(one.version, scheme=product.scheme), one, tag_format, carried)
        ]
    )


def _is_told(version: Version, one: Recorded, tag_format: TagFormat, carried: Collection[Version | None]) -> bool:
    """Whether its tag is a version as tags are called now, and of no other tag."""
    return version not in carried and tag_format.version_of(one.tag) == version
