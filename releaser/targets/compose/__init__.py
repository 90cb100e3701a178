"""Targets that are services of compose projects: the project stays its owner's, we lay one small file over it.

`driver.ComposeDriver` is the door. Behind it: `steps` (what is done, in which order; pure), `override` (the file laid over the
project; pure), `scripts` (the words a host's shell is told), `scene` (what is there), `work` (each step, carried out), `gate` (is it
healthy), `adopting` (what runs already) and `faults` (what docker and compose say when they will not). How a host is reached is in
`targets.hosts`.
"""
