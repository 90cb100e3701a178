"""Who asks by HTTP: the API under `/v1`, the pages, the feeds and the live streams.

Rules: a route parses, calls one flow (or one query of the store) and shows what came back. Errors become problem
documents or error pages in `problems` alone. What does not live here: decisions, and reading the settings.
"""
