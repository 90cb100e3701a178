"""Remember where the branches were that trains leave from, in the transaction of the collect that looked at them."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from releaser.domain.history import Refs
from releaser.domain.version import next_stable, parse
from releaser.store import freezes, overview
from releaser.store.products import Product


def see_heads(session: Session, product: Product, refs: Refs, *, seen_at: datetime) -> None:
    """Remember the head of the branch that stables are cut from, and of the next line's own branch where there is one.

    `seen_at` is a moment right after the refs were read: what came to a branch since then counts as later.
    """
    known = [parse(one, scheme=product.scheme) for one in overview.versions(session, product.id)]
    line = next_stable(known, scheme=product.scheme).line
    wanted = {product.branch or refs.main, product.line_branch.replace("{line}", line)}
    heads = [(head.name, head.commit) for head in refs.heads if head.name in wanted]
    freezes.see(session, product.id, heads, now=seen_at)
