"""What the demonstration declares, as the YAML files a user would write: a product, two customers, three installations.

The canary is updated start-first and never stops; the other two hold a port of their own, so they stop for a moment.
The contracts' lead times are none, so that the story need not wait for days.

What does not live here: how declarations are read and applied (`releaser.sources`, `releaser.flows`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from string import Template

from releaser.demo.images import PORT
from releaser.demo.ports import free_port
from releaser.demo.repository import TICKET_PATTERN
from releaser.demo.stage import SHOP, Stage

CANARY = "acme-cloud"
INSTALLATIONS = (CANARY, "acme-warehouse", "severny-port")
TITLES = {CANARY: "Acme in our cloud", "acme-warehouse": "Acme's warehouse", "severny-port": "Северный порт, Мурманск"}
CONTACTS = {"acme": "operations@acme.example.com", "severny": "it@severny.example.org"}

PRODUCT = Template("""\
# What is released: where its history is, how its tickets are called, what it runs from.
products:
  - name: $shop
    title: Shop
    repository: $repository
    ticket_patterns: [$pattern]
    first_train_on: 2026-01-13
    zone: Europe/Moscow
    line_policy: patch-only
    lines:
      - {name: "1.0", phase: security-only}
    modules:
      - name: web
        image: $image:{version}
""")

CUSTOMERS = Template("""\
# Whom to tell, in which language and zone, and how long before; a real contract would say 10 working days, not 0.
customers:
  - name: acme
    title: Acme Stores
    language: en
    zone: Europe/London
    regulation: {lead_full: 0, lead_partial: 0, lead_none: 0, emergency_hours: 0}
    contacts:
      - {email: $acme, name: Operations}
  - name: severny
    title: ООО «Северный порт»
    language: ru
    zone: Europe/Moscow
    regulation: {lead_full: 0, lead_partial: 0, lead_none: 0, emergency_hours: 0, country: RU}
    contacts:
      - {email: $severny, name: Отдел ИТ}
""")

INSTALLED = Template("""\
# What runs where. In real life the hosts are different machines, each with a container engine.
hosts:
  - {name: cloud-1, address: "$engine"}
  - {name: warehouse-1, address: "$engine"}
  - {name: port-1, address: "$engine"}

installations:
  # The canary: updated start-first behind a name on a network, so nothing stops.
  - name: acme-cloud
    title: $title_acme_cloud
    customer: acme
    product: $shop
    ring: canary
    targets:
      - module: web
        host: cloud-1
        spec:
          name: $acme_cloud
          networks: [$network]
          aliases: [shop]
          ports: [{container_port: $port, host_port: 0}]
          labels: $labels
          order: start-first
          soak_s: 0.6
          stop_grace_s: 2
          health: {http: "http://127.0.0.1:{port}/healthz", interval_s: 0.2, deadline_s: 3}

  # These two hold a port of their own, so the old container has to stop before the new one starts.
  - name: acme-warehouse
    title: $title_acme_warehouse
    customer: acme
    product: $shop
    ring: stable
    delivery: server
    targets:
      - module: web
        host: warehouse-1
        spec:
          name: $acme_warehouse
          ports: [{container_port: $port, host_port: $port_acme_warehouse}]
          labels: $labels
          stop_grace_s: 2
          health: {http: "http://127.0.0.1:$port_acme_warehouse/healthz", interval_s: 0.2, deadline_s: 3}

  - name: severny-port
    title: $title_severny_port
    customer: severny
    product: $shop
    ring: stable
    delivery: server
    targets:
      - module: web
        host: port-1
        spec:
          name: $severny_port
          ports: [{container_port: $port, host_port: $port_severny_port}]
          labels: $labels
          stop_grace_s: 2
          health: {http: "http://127.0.0.1:$port_severny_port/healthz", interval_s: 0.2, deadline_s: 3}
""")


def write(stage: Stage) -> list[Path]:
    """Write the files into the folder's `declared/`, and return them; one after another they are one declaration."""
    folder = stage.folder.declared
    folder.mkdir()
    values, files = _values(stage), []
    for name, template in (("product", PRODUCT), ("customers", CUSTOMERS), ("installations", INSTALLED)):
        files.append(folder / f"{name}.yaml")
        files[-1].write_text(template.substitute(values), encoding="utf-8")
    return files


def _values(stage: Stage) -> Mapping[str, object]:
    """What the files hold that is known only now; texts are quoted, JSON being a part of YAML."""
    return {
        "shop": SHOP,
        "repository": json.dumps(str(stage.repository.origin)),
        "pattern": f"'{TICKET_PATTERN}'",
        "image": stage.image,
        "engine": stage.engine.address,
        "network": stage.network,
        "labels": json.dumps(dict(stage.engine.labels)),
        "port": PORT,
        **CONTACTS,
        **{name.replace("-", "_"): stage.engine.unique(name) for name in INSTALLATIONS},
        **{f"title_{name.replace('-', '_')}": json.dumps(TITLES[name], ensure_ascii=False) for name in INSTALLATIONS},
        **{f"port_{name.replace('-', '_')}": free_port() for name in INSTALLATIONS},
    }
