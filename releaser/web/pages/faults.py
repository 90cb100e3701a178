"""What the drivers' faults say, in a reader's words: the sentence and the advice behind it are known by their forms.

What engines, hosts and programs said themselves stands in the sentence as it is.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from releaser.i18n import Translator, mark

_SENTENCES = (
    mark("The Docker engine at {address} cannot be reached: {why}."),
    mark("The Docker engine at {address} did not answer '{what}' within {s} s."),
    mark("The engine at {address} refused '{what}': {message}"),
    mark("The engine at {address} could not pull {reference}: {message}"),
    mark("The engine at {address} cannot fetch {reference}: {message}"),
    mark("The engine at {address} speaks TLS only."),
    mark("The engine at {address} says: {message}"),
    mark("The registry does not have {reference}: {message}"),
    mark("The registry does not give out {reference}: {message}"),
    mark("There is no room left on the host of {address}: {message}"),
    mark("A port is already taken on the host of {address}, which says nothing of the version: {message}"),
    mark("A port {port} is already taken on the host of {address}, which says nothing of the version: {message}"),
    mark("The host of {address} has no network '{network}', which target {target} wants."),
    mark("The new container of target {target} is gone."),
    mark("The new container of slot {slot} of target {target} is gone."),
    mark("{name} has no address at which the front could ask it."),
    mark("Container {name} is gone right after it was made."),
    mark("Container {name} is gone, and parts of its configuration were kept in it only."),
    mark("Container {name} ({id}) is gone, and its specification is not known."),
    mark("Container {name} was started with --rm: stopping it would delete it, and its specification is not known."),
    mark("{name} has not taken the name {wanted}; the old container is kept."),
    mark("The name {name} is held on {host} by a container of {whose}."),
    mark("The name {name} is held on {host} by a container that is no front of ours."),
    mark("The front {name} on {host} does not run."),
    mark("Target {target} was taken over: generation {found} was there, this one is {own}."),
    mark("The host at {address} cannot be reached: {line}"),
    mark("The host at {address} could not {what}: {line}"),
    mark("The key of the host at {address} is not the known one: {line}"),
    mark("The host at {address} does not let us in: {line}"),
    mark("There is no room left on the host at {address}: {line}"),
    mark("Something else is at work on the files at {address}, and did not end in time."),
    mark("The host at {address} does not let us {what}: {line}"),
    mark("The host at {address} lacks a program to {what}: {line}"),
    mark("The host at {address} lacks {what}."),
    mark("A script at {address} was killed in its midst (signal {signal})."),
    mark("The host at {address} did not answer within {s} s."),
    mark("There is no Docker engine at {address}: it has no socket {socket}."),
    mark("The user that is logged in at {address} may not use {socket}."),
    mark("The Docker engine of the host at {address} does not answer: {line}"),
    mark("The host at {address} did not {what} in time."),
    mark("The compose project at {address} is not as declared: {line}"),
    mark("The host at {address} has no compose: {line}"),
    mark("Compose refuses the project at {address}: {line}"),
    mark("No container of {service} on {host} was made by this attempt; everything is kept."),
    mark("What was there before is no longer kept at {path}."),
    mark("{path} on {host} is a folder, not a link that can be switched."),
    mark("The validator refused the new files (it ended with {code}): {said}"),
    mark("{path} does not lead to {release}; everything is kept."),
    mark("{reference} was unpacked on {host}, and is not there."),
    mark("Caddy at {address} is changed by somebody else all the time."),
    mark("'{handler}' of Caddy at {address} is no reverse_proxy."),
    mark("Caddy at {address} refused {what}: {message}"),
    mark("Caddy at {address} does not answer: {why}."),
    mark("HAProxy refused '{command}': {message}"),
    mark("HAProxy at {address} has no backend '{backend}'."),
    mark("HAProxy at {address} does not answer: {why}."),
    mark("HAProxy at {address} answers without end."),
    mark("The service was changed by somebody else at the same moment."),
    mark("The engine at {address} is no manager of a swarm."),
    mark("The engine at {address} is a worker, no manager, of a swarm."),
    mark("The engine at {address} is not part of a swarm."),
    mark("The swarm of {address} has no leader now."),
    mark("The swarm has a configuration '{name}' that is not this target's."),
    mark("Service {name} is there already, and is not the proxy of target {target}."),
    mark("The swarm of {address} has no network '{network}', which target {target} wants."),
    mark("The swarm of {address} cannot use for services the network '{network}', which target {target} wants."),
    mark("Service {name} belongs to target {target}."),
    mark("Service {name} is one of each node, or a job; only replicated services are updated here."),
    mark("Service {name} is being updated by somebody else."),
    mark("The front cannot be told where host {host} is: '{name}' has no address here ({why})."),
    mark("The front {name} on {host} {what}, as target {target} wants it."),
    mark("'{name}' cannot be run here: {why}."),
)
_ADVICE = (
    mark("Check that it runs and that this machine may reach the address."),
    mark("It may be overloaded, frozen or cut off; what was asked may still be carried out."),
    mark("Correct what it names and try again."),
    mark("Push the image, or correct the module's image name, and plan again."),
    mark("Check the image's name and the credentials for that registry: RELEASER_REGISTRY_AUTH names a file of them."),
    mark("Check that the registry runs and that this host can reach it."),
    mark("Say which files to use in the host's address: {example} with ca.pem, cert.pem and key.pem."),
    mark("Create the network first."),
    mark("Rename or remove what holds the name, or choose another name for the target."),
    mark("Somebody removed it by hand; look at the host and plan again."),
    mark(
        "Find what holds it (docker ps, ss -ltnp) and stop it, or publish another port; "
        "where nothing does, restart the engine, which may have lost count when it was killed."
    ),
    mark("Free some (docker system df shows what holds it) and retry."),
    mark("Correct the name, or create it there: {command}"),
    mark("Somebody removed it by hand; roll back and try again."),
    mark("Look whether it runs, and on which networks."),
    mark("Start it by hand as it was, or declare all of it with keep_undeclared: false."),
    mark("Start the former version by hand, or roll out a version that works."),
    mark("Start it anew without --rm, or remove it, and plan again."),
    mark("Look at the host; the cutover was not carried out to its end."),
    mark("Give one of them another name, or plan again so that it is replaced."),
    mark("Rename or remove it."),
    mark("Look why: {command}"),
    mark("Nothing to do here; whoever holds the younger lock goes on."),
    mark("This database gave that number to nobody: make sure that no other releaser works there, then try again."),
    mark("Check that it runs and that ssh reaches it from here."),
    mark("Compare its fingerprint with the host's own, then put it into the known hosts."),
    mark("Put the public key of this service into the authorized_keys of that user."),
    mark("Free space there, then try again."),
    mark("An earlier step may still be carried out there; it is tried again."),
    mark("Give the user that is logged in there the right to do that."),
    mark("Install it there; `releaser doctor` tells what is needed."),
    mark("Install it there: docker's command line, coreutils, findutils and util-linux have all that is needed."),
    mark("Install it there: coreutils, tar and util-linux have all that is needed."),
    mark("What it did is looked at before it is repeated."),
    mark("What was asked may be carried out all the same; it is looked at before it is repeated."),
    mark("Install or start Docker there, or put the socket's path behind the host's address."),
    mark("Put the user into the group that the socket belongs to, mostly `docker`."),
    mark("Check there that it runs, and that the user logged in may use it: docker version."),
    mark("It is looked at before it is repeated."),
    mark("Correct folder and files of the target's specification; nothing was touched."),
    mark("Install the plugin docker-compose-v2 or docker-compose-plugin, or the program docker-compose."),
    mark("Correct its files there: docker compose config says the same."),
    mark("Look at the host; somebody else made the service anew."),
    mark("Somebody removed it; look at the host before anything else is changed."),
    mark("Move it to {place}, and link `current` to that: {command}"),
    mark("Correct the configuration or the release; nothing was stopped."),
    mark("Look at the host: something else removes files there."),
    mark("Find out who does."),
    mark('Write "@id" into that handler.'),
    mark('Write "@id": "{handler}" into the reverse_proxy handler of its configuration.'),
    mark("Check that it runs and that its admin API listens there."),
    mark("Check that its socket is of level admin and that the backend's algorithm takes dynamic servers."),
    mark("Name one of its configuration."),
    mark("Check that it runs with 'stats socket … level admin' there."),
    mark("Look at what listens there."),
    mark("Give the address of a manager, or make it one: docker swarm init, docker node promote."),
    mark("It elects one within some 20 seconds as long as more than half of its managers are there."),
    mark("Remove it: {command}"),
    mark("Remove or rename it, or leave the proxy out of the specification."),
    mark("Choose another name for the target, or remove the service."),
    mark("Make it a replicated one, or update it by other means."),
    mark("Wait until `docker service ls` shows that it is done."),
    mark("Publish the port at an address of the host that the front reaches: `host_ip` under `ports`."),
    mark("An update leaves it alone. When the service may stop: docker rm -f {name}, then try again; it is made anew."),
    mark("Install the OpenSSH client."),
    mark("This machine needs a POSIX shell."),
)
_PLACE = re.compile(r"\{(\w+)\}")
_WIDE = frozenset({"why", "what", "message", "line", "said", "whose", "command", "example", "path", "place"})
"""Places for words of others; in any other stands one word."""


def _forms(messages: Sequence[str]) -> tuple[tuple[re.Pattern[str], str], ...]:
    return tuple((re.compile(_pattern(message), re.DOTALL), message) for message in messages)


def _pattern(message: str) -> str:
    parts = _PLACE.split(message)
    named = (f"(?P<{name}>{'.+?' if name in _WIDE else '[^ ]+?'})" for name in parts[1::2])
    return "".join(re.escape(text) + next(named, "") for text in parts[::2])


_KNOWN, _HELPS = _forms(_SENTENCES), _forms(_ADVICE)


def fault_of(text: str, t: Translator) -> str | None:
    """A fault with its advice in the reader's words; None where its sentence is not known."""
    advice = ""
    for form, message in _HELPS:
        start = text.rfind(message.partition("{")[0])
        if start >= 0 and (found := form.fullmatch(text, start)):
            text, advice = text[:start].rstrip(), t(message, **found.groupdict())
            break
    for form, message in _KNOWN:
        if found := form.fullmatch(text):
            return f"{t(message, **found.groupdict())} {advice}".rstrip()
    return None
