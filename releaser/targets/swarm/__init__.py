"""Targets that are services of a Docker swarm. Swarm replaces the tasks; here it is told what to run, watched, and taken back.

`driver.SwarmDriver` is the door. Behind it: `steps` (what is done, in which order; pure), `scene` (what is there, told by labels),
`payload` (the service's specification out of ours; pure), `work` (each step, carried out), `gate` (is it healthy), `proxy` (the
small HAProxy before a service where kernels have no IP_VS), `kernel` (whether they have it), `adopting` (what runs already), and
`client` (a manager's API, and which manager is asked).
"""
