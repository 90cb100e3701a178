"""What happens: one verb per file. Flows know ports (`source.py`, `target.py`, `channel.py`), never drivers."""
