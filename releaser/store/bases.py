"""What plans are made from, as it is recorded: named, so that whoever keeps a plan can ask whether it is still so.

It is asked while others wait for their turn to write, so columns are read as they stand and nothing is made of them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence

from sqlalchemy import Text, cast, select
from sqlalchemy.orm import Session

from releaser.store import blocks, ways
from releaser.store.customers import Customer
from releaser.store.installations import Host, Installation, Target
from releaser.store.products import Module
from releaser.store.releases import Release

_AT_ONCE = 500
_TARGETS = (
    select(
        Target.id,
        Target.driver,
        cast(Target.spec, Text),
        cast(Target.running_spec, Text),
        Target.version,
        Target.image,
        Target.digest,
        Installation.name,
        Installation.ring,
        Installation.delivery,
        cast(Installation.labels, Text),
        cast(Installation.pin, Text),
        Customer.name,
        Customer.zone,
        cast(Customer.regulation, Text),
        Module.name,
        Module.image,
        Module.artifact,
        Host.name,
        Host.address,
    )
    .join(Installation, Installation.id == Target.installation_id)
    .join(Customer, Customer.id == Installation.customer_id)
    .join(Module, Module.id == Target.module_id)
    .join(Host, Host.id == Target.host_id)
    .order_by(Target.id)
)


def basis(session: Session, release: Release, target_ids: Iterable[int]) -> str:
    """Names what is recorded of a release and of these targets. How far a look or a worker came there is no part of it."""
    ids = sorted(target_ids)
    named = hashlib.sha256()
    for part in (*_of_release(session, release, ids), *_of_targets(session, ids)):
        named.update(repr(part).encode())
    return named.hexdigest()[:16]


def _of_release(session: Session, release: Release, ids: Sequence[int]) -> Iterator[object]:
    block = blocks.standing(session, release.id)
    marks, stops = ways.one_ways(session, release.product), ways.required_stops(session, release.product)
    yield release.version, release.state.value, block.id if block is not None else None
    yield [[(one.version.text, one.reason) for one in some] for some in (marks, stops)]
    yield sorted(ways.left_as_it_is(session, ids).items()) if marks else []


def _of_targets(session: Session, ids: Sequence[int]) -> Iterator[object]:
    for start in range(0, len(ids), _AT_ONCE):
        for row in session.execute(_TARGETS.where(Target.id.in_(ids[start : start + _AT_ONCE]))):
            yield tuple(row)  # a row itself tells of long texts only their ends
