"""Targets that are files on a host: an unpacked archive behind a link, files of configuration, and a service that is restarted.

`driver.FilesDriver` is the door. Behind it: `steps` (what is done, in which order; pure), `archive` (what may be unpacked),
`scene` (what is there), `work` (each step, carried out), `scripts` (the words a host's shell is told), `daemon` (how a service is
stopped, started and looked at) and `gate` (is it healthy). How a host is reached is in `targets.hosts`.
"""
