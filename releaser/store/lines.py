"""A product's lines as they stand today: phase, policy, dates, what runs on them; and which ends customers were told of.

The table of lines stands in `store.products`. What a person states of a line is kept there, what the product's rule adds is
worked out here. What does not live here: what the phases mean (`domain.line`), and telling (flows).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import ForeignKey, UniqueConstraint, and_, func, or_, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from releaser.domain.line import LinePhase, LinePolicy, Support, SupportRule
from releaser.domain.release import ReleaseState
from releaser.domain.version import UnknownLineError, VersionKind, line_named, parse
from releaser.errors import RefusedError
from releaser.i18n import known_zone
from releaser.store import products
from releaser.store.base import Base
from releaser.store.installations import Installation, Target
from releaser.store.products import Line, Product
from releaser.store.releases import Release

_SHIPPED = (ReleaseState.PUBLISHED, ReleaseState.YANKED)


class SupportNotice(Base):
    """Customers of a line were told, so many days before, that its support ends on that day: once, whatever happens.

    `notice_id` is the notice that told them; None when nobody ran the line, or a later one of the same moment told it.
    """

    __tablename__ = "support_notices"
    __table_args__ = (UniqueConstraint("line_id", "ends_on", "days"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    line_id: Mapped[int] = mapped_column(ForeignKey("lines.id"))
    ends_on: Mapped[date]
    days: Mapped[int]
    notice_id: Mapped[int | None] = mapped_column(ForeignKey("notices.id"))
    at: Mapped[datetime]


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A line on one day. `support` has the dates in force, `stated` says which of them a person gave."""

    name: str
    branch: str
    phase: LinePhase
    policy: LinePolicy
    support: Support
    stated: Support
    stated_policy: LinePolicy | None

    @property
    def says_nothing(self) -> bool:
        """Whether nobody stated anything of it."""
        nothing = Support(released_on=self.stated.released_on)
        return self.stated == nothing and self.stated_policy is None


def today(product: Product, now: datetime) -> date:
    """The day in the product's zone."""
    return now.astimezone(known_zone(product.zone) or UTC).date()


def rule(product: Product) -> SupportRule:
    """The product's rule for lines without dates."""
    return SupportRule(maintained_days=product.maintained_days, supported_days=product.supported_days)


def standing(
    session: Session, product: Product, *, now: datetime, among: Collection[str] | None = None
) -> dict[str, Standing]:
    """Every line of the product as of now, newest number first; only those `among` these where that is given."""
    released = _released(session, product, among)
    kept = products.lines(session, product.id) if among is None else products.some_lines(session, product.id, among)
    rows = {row.name: row for row in kept}
    names = sorted(
        {*released, *rows}, key=lambda name: parse(_padded(name, product), scheme=product.scheme), reverse=True
    )
    day = today(product, now)
    return {name: _standing(product, name, rows.get(name), released.get(name), day) for name in names}


def of(session: Session, product: Product, name: str, *, now: datetime) -> Standing:
    """One line as of now. Raises `InvalidVersionError`, `UnknownLineError`."""
    wanted = line_named(name, scheme=product.scheme)
    found = standing(session, product, now=now).get(wanted)
    if found is None:
        raise UnknownLineError(
            f"Product '{product.name}' has no line {wanted}.",
            advice=f"See `releaser line list {product.name}`.",
            field="line",
        )
    return found


def check_supported(session: Session, product: Product, name: str, *, now: datetime) -> None:
    """Refuse (rule `end-of-life`) what would bring a new release out on a line that nobody supports any more."""
    found = standing(session, product, now=now, among=[name]).get(name)
    if found is not None and found.phase is LinePhase.END_OF_LIFE:
        raise RefusedError(
            f"Line {name} of {product.name} is at the end of its life, and gets no release any more.",
            rule="end-of-life",
            advice=f"Extend its support with `releaser line set {product.name} {name}`, or abandon the candidate.",
            line=name,
        )


def _padded(name: str, product: Product) -> str:
    return f"{name}.0" if product.scheme.value == "semver" else name


def _standing(product: Product, name: str, row: Line | None, released_on: date | None, day: date) -> Standing:
    stated = Support(
        released_on=released_on,
        stated=row.phase if row else None,
        maintained_until_on=row.maintained_until_on if row else None,
        supported_until_on=row.supported_until_on if row else None,
    )
    support = stated.by(rule(product))
    return Standing(
        name=name,
        branch=(row.branch if row else "") or product.line_branch.replace("{line}", name),
        phase=support.phase(day),
        policy=(row.policy if row else None) or product.line_policy,
        support=support,
        stated=stated,
        stated_policy=row.policy if row else None,
    )


def _released(session: Session, product: Product, among: Collection[str] | None) -> dict[str, date | None]:
    """Line -> the day of its first release that is no candidate; None while it has only others."""
    mine = Release.product_id == product.id
    if among is not None:
        mine = and_(mine, Release.line.in_(among))
    shipped = and_(Release.state.in_(_SHIPPED), Release.kind != VersionKind.CANDIDATE)
    at = func.coalesce(Release.published_at, Release.tagged_at)
    first = select(Release.line, func.min(at)).where(mine, shipped, at.is_not(None)).group_by(Release.line)
    found: dict[str, date | None] = dict.fromkeys(session.scalars(select(Release.line).where(mine).distinct()))
    for line, moment in session.execute(first):
        found[line] = today(product, moment)
    return found


def products_with_ends(session: Session) -> Sequence[Product]:
    """The products that have a line whose end is known or follows from a rule, or was told to anybody."""
    dated = select(Line.product_id).where(Line.supported_until_on.is_not(None))
    told = select(Line.product_id).join(SupportNotice, SupportNotice.line_id == Line.id)
    known = or_(Product.supported_days.is_not(None), Product.id.in_(dated.union(told).scalar_subquery()))
    return session.scalars(select(Product).where(known).order_by(Product.name)).all()


def successor(session: Session, product: Product, line: str, *, now: datetime) -> str:
    """The newest version that is out on a line supported longer than this one; empty when there is none."""
    found = standing(session, product, now=now)
    newest = counts(session, product.id)
    ends_on = found[line].support.supported_until_on if line in found else None
    for name, other in found.items():
        until = other.support.supported_until_on
        longer = until is None or ends_on is None or until > ends_on
        version = newest.get(name, {}).get("newest")
        if name != line and other.phase is LinePhase.MAINTAINED and longer and version:
            return str(version)
    return ""


def stated(session: Session, product: Product) -> list[Line]:
    """The lines of which a person stated something, lowest number first."""
    something = or_(
        Line.phase.is_not(None),
        Line.policy.is_not(None),
        Line.maintained_until_on.is_not(None),
        Line.supported_until_on.is_not(None),
    )
    rows = session.scalars(select(Line).where(Line.product_id == product.id, something)).all()
    return sorted(rows, key=lambda row: parse(_padded(row.name, product), scheme=product.scheme))


def row(session: Session, product: Product, name: str) -> Line:
    """The row of a line, made when there is none: a line can be spoken of before it has a release."""
    found = products.line(session, product.id, name)
    if found is None:
        found = Line(product_id=product.id, name=name)
        session.add(found)
        session.flush()
    return found


def installations_on(session: Session, product_id: int, line: str) -> Sequence[Installation]:
    """The installations of which some target runs a version of the line, by name."""
    running = (
        select(Target.installation_id)
        .join(Release, and_(Release.product_id == product_id, Release.version == Target.version))
        .where(Release.line == line)
    )
    mine = and_(Installation.product_id == product_id, Installation.id.in_(running.scalar_subquery()))
    return session.scalars(select(Installation).where(mine).order_by(Installation.name)).unique().all()


def told(session: Session, line_id: int, ends_on: date) -> frozenset[int]:
    """The days before that end of which customers were told already."""
    query = select(SupportNotice.days).where(SupportNotice.line_id == line_id, SupportNotice.ends_on == ends_on)
    return frozenset(session.scalars(query))


def keep_told(
    session: Session, line_id: int, ends_on: date, days: Collection[int], *, notice_id: int | None, now: datetime
) -> None:
    """Remember that these are told; the nearest one carried the message."""
    nearest = min(days, default=None)
    session.add_all(
        SupportNotice(
            line_id=line_id, ends_on=ends_on, days=one, notice_id=notice_id if one == nearest else None, at=now
        )
        for one in days
    )
    session.flush()


def counts(session: Session, product_id: int) -> Mapping[str, dict[str, Any]]:
    """Line -> how many releases it has and which is its newest that is no candidate and was not withdrawn."""
    query = (
        select(Release.line, Release.version, Release.state, Release.kind)
        .where(Release.product_id == product_id, Release.state.in_(_SHIPPED))
        .order_by(Release.sort_key)
    )
    found: dict[str, dict[str, Any]] = {}
    for line, version, state, kind in session.execute(query):
        one = found.setdefault(line, {"releases": 0, "newest": None})
        if kind is not VersionKind.CANDIDATE:
            one["releases"] += 1
            one["newest"] = version if state is ReleaseState.PUBLISHED else one["newest"]
    return found


def facts(line: Standing) -> dict[str, Any]:
    """A line as plain data: the one shape that commands, the API and pages show."""
    return {
        "name": line.name,
        "branch": line.branch,
        "policy": line.policy.value,
        "phase": line.phase.value,
        "released_on": line.support.released_on,
        "maintained_until_on": line.support.maintained_until_on,
        "supported_until_on": line.support.supported_until_on,
        "stated": {
            "policy": line.stated_policy.value if line.stated_policy else None,
            "phase": line.stated.stated.value if line.stated.stated else None,
            "maintained_until_on": line.stated.maintained_until_on,
            "supported_until_on": line.stated.supported_until_on,
        },
    }
