"""Targets that are containers of a Docker engine, updated stop-first, start-first, or one by one behind a front.

`driver.DockerDriver` is the door. Behind it: `steps` (what is done, in which order; pure), `scene` (what is there,
told by labels and names), `work` (each step, carried out), `gate` (is it healthy), `container` (what a container is
made from) and `client` (the engine's API, and the only place that knows the SDK and its exceptions). For several containers:
`slots` (which there are, and the steps; pure), `fronted` (the steps, carried out), `slot_gate`, `kept_front`. `cutover` is how a
fixed port goes from one container to the next.
"""
