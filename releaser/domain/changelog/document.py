"""HTML that stands by itself: what is to be opened in a browser, not put into a page."""

from __future__ import annotations

import html


def as_document(body: str, *, title: str, language: str) -> str:
    """`body`, which is safe HTML, as a whole HTML document in `language`."""
    return (
        f'<!doctype html>\n<html lang="{html.escape(language)}">\n<head>\n<meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n<title>{html.escape(title)}</title>\n'
        f"</head>\n<body>\n{body.strip()}\n</body>\n</html>\n"
    )
