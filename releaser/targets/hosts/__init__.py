"""Hosts that are reached by a shell, for every driver that works so.

`shell` is how a host is reached: this machine, or another by ssh. `faults` tells what goes wrong there as our errors, `fencing` how scripts
keep out of each other's way.
"""
