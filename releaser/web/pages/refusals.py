"""What is not there, in a reader's words: the refusals that a person meets by following or typing an address are known by their form.

Others are shown as the service says them.
"""

from __future__ import annotations

import re

from releaser.i18n import Phrase, Translator, mark

_PRODUCT = r"Product '(?P<product>[^']*)'"
_FORMS = tuple(
    (re.compile(pattern), message)
    for pattern, message in (
        (r"There is no product '(?P<product>[^']*)'\.", mark("There is no product '{product}'.")),
        (rf"{_PRODUCT} has no release (?P<version>\S+)\.", mark("Product '{product}' has no release {version}.")),
        (rf"{_PRODUCT} has no line (?P<line>\S+)\.", mark("Product '{product}' has no line {line}.")),
        (
            rf"{_PRODUCT} has no trains: no first one is declared\.",
            mark("Product '{product}' has no trains: no first one is declared."),
        ),
        (rf"{_PRODUCT} knows no ticket '(?P<ticket>[^']*)'\.", mark("Product '{product}' knows no ticket '{ticket}'.")),
        (r"No product knows a ticket '(?P<ticket>[^']*)'\.", mark("No product knows a ticket '{ticket}'.")),
        (r"There is no rollout (?P<id>\d+)\.", mark("There is no rollout {id}.")),
        (r"There is no notice (?P<id>\d+)\.", mark("There is no notice {id}.")),
        (r"There is nothing at this address\.", mark("There is nothing at this address.")),
        (r"Its newest: (?P<versions>.+)\.", mark("Its newest: {versions}.")),
        (r"Known products: (?P<products>.+)\.", mark("Known products: {products}.")),
        (r"Declare (?P<setting>\w+) with `(?P<command>[^`]+)`\.", mark("Declare {setting} with `{command}`.")),
        (r"See `(?P<command>[^`]+)`\.", mark("See `{command}`.")),
        (
            r"Check the key; a commit that names it counts after `(?P<command>[^`]+)`\.",
            mark("Check the key; a commit that names it counts after `{command}`."),
        ),
    )
)


def refusal_of(text: str, t: Translator) -> str:
    """A refusal, or the advice with it, in the reader's words; any other as it is."""
    if isinstance(text, Phrase):
        return text.told(t)
    for form, message in _FORMS:
        if found := form.fullmatch(text):
            return t(message, **found.groupdict())
    return text
