"""How a product's history is read, as the product says."""

from __future__ import annotations

from releaser.domain.ticket_patterns import TicketPatterns
from releaser.domain.version import TagFormat
from releaser.flows.refresh_history import Rules
from releaser.store.products import Product


def read_rules(product: Product) -> Rules:
    """The rules of a product that is declared, and so is valid."""
    return Rules(
        tag_format=TagFormat(scheme=product.scheme, text=product.tag_format),
        patterns=TicketPatterns(product.ticket_patterns),
        line_branch=product.line_branch,
        paths=tuple(product.paths),
    )
