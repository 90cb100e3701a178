"""A test bed: several Docker engines on this machine, each a host of its own, on one wire, with a registry.

Every host has its own network, mount, process and name space, data folder, cgroup, socket and address; cables can be cut, daemons
frozen and killed, hosts switched off. Tests have one bed for each test process (fixture `testbed`), by hand it is `make testbed`.
Root, and Debian's `docker.io`, `docker-registry`, `iproute2` and `util-linux` are needed.
"""
