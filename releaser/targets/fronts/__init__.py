"""The fronts that can be steered while they serve: HAProxy by its runtime API, Caddy by its admin API."""
