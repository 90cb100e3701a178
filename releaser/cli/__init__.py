"""Who asks, from a terminal or a pipeline: parse, call one flow, show."""
