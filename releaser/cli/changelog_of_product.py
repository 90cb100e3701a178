"""What `releaser changelog --product` does: it needs the database, so it is loaded apart."""

from __future__ import annotations

from urllib.parse import quote

from releaser.cli.changelog import FEEDS, Format, Told
from releaser.cli.light import UsageError
from releaser.cli.release import committed_text
from releaser.cli.run import running, who
from releaser.cli.show import Output, show
from releaser.domain.changelog import Audience
from releaser.flows.commit_changelog import commit_changelog
from releaser.flows.read_changelog import Wanted, Which
from releaser.flows.read_template import read_template
from releaser.flows.render_changelog import render_changelog
from releaser.flows.render_feed import FeedForm, render_feed


def told(product: str, wanted: Wanted, said: Told, audience: Audience) -> str:
    """The changelog, or the feed, as text."""
    with running() as ports:
        if said.output in FEEDS:
            if wanted.which in {Which.ONE, Which.RANGE}:
                raise UsageError(
                    "A feed has every published release.", advice="Leave the versions out.", field="output"
                )
            form = FeedForm.ATOM if said.output is Format.ATOM else FeedForm.JSON
            path = f"/products/{quote(product, safe='')}/feed.{form}"
            return render_feed(ports, product=product, form=form, feed_path=path, language=said.language)
        return render_changelog(
            ports,
            product=product,
            version=wanted.upto if wanted.which is Which.ONE else None,
            within=wanted if wanted.which is Which.RANGE else None,
            form=said.form,
            language=said.language,
            audience=audience,
            template=read_template(said.template) if said.template else None,
        )


def commit(product: str, version: str, branch: str, *, replace: bool) -> None:
    """Commit one release's changelog to the product's repository."""
    if not version:
        raise UsageError(
            "One release's changelog is committed.", advice="Name its version before --commit.", field="version"
        )
    with running() as ports:
        facts = commit_changelog(
            ports, product=product, version=version, by=who(""), branch=branch or None, replace=replace
        )
    show(facts, Output.TEXT, committed_text)
