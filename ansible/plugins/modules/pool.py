#!/usr/bin/python
"""Gateway pools: which gateways are set apart, and for which tenants?"""

DOCUMENTATION = r"""
module: pool
short_description: Set gateways of Cloudgate apart for certain tenants
description:
  - Makes, changes and dissolves gateway pools, and waits until it is so.
  - What is not given stays as it is.
author: The Cloudgate maintainers (@cloudgate)
extends_documentation_fragment: cloudgate.cloudgate.connection
options:
  name:
    description: What it is called.
    type: str
    required: true
  state:
    description: Whether it is to be there.
    type: str
    choices: [present, absent]
    default: present
  gateways:
    description: Names or ids of its gateways, all of them; needed for a new one.
    type: list
    elements: str
  tenants:
    description: Names or ids of the tenants that may use it, all of them.
    type: list
    elements: str
  description:
    description: What it is for.
    type: str
  backup_server:
    description: Name or id of the backup server; may be left out while there is one.
    type: str
  drain_seconds:
    description: How long live tunnels may go on that have no place after the change; V(28800) when left out.
    type: int
"""
EXAMPLES = r"""
- name: Two gateways for acme alone
  cloudgate.cloudgate.pool:
    name: gold
    gateways: [gw1.example, gw2.example]
    tenants: [acme]
"""
RETURN = r"""
resource:
  description: The pool, by the API's names; empty when it is absent.
  returned: always
  type: dict
  sample: {Name: gold}
"""

from ansible_collections.cloudgate.cloudgate.plugins.module_utils import resource  # noqa: E402

OPTIONS = {
    "name": {"type": "str", "required": True},
    "gateways": {"type": "list", "elements": "str"},
    "tenants": {"type": "list", "elements": "str"},
    "description": {"type": "str"},
    "backup_server": {"type": "str"},
    "drain_seconds": {"type": "int"},
}
FIELDS = {
    "gateways": "cloud_gateways",
    "tenants": "cloud_tenants",
    "description": "description",
}
"""The API's field of each option."""


def seen(entity):
    """What a pool is, by the names of the options; what is in it by UID."""
    return {
        "gateways": sorted(entity.cloud_gateways or ()),
        "tenants": sorted(entity.cloud_tenants or ()),
        "description": entity.description or "",
    }


def main():
    """Run the module."""
    work = resource.Work(**OPTIONS)
    name = work.given["name"]
    ending = {
        "drain_seconds": work.given["drain_seconds"],
        "patience_seconds": work.given["timeout"],
    }

    def do(client):
        wanted = work.wanted(*FIELDS) if work.given["state"] == "present" else {}
        for option, things in (("gateways", client.gateways), ("tenants", client.tenants)):
            if option in wanted:
                wanted[option] = sorted(work.uid(things, each) for each in wanted[option])

        def make():
            spec = resource.sdk.CreateCloudGatewayPoolSpec(
                name=name, backup_server_uid=work.site(client), **_body(wanted)
            )
            return client.pools.create(spec, **ending)

        def change(other):
            body = resource.sdk.CloudGatewayPool(**_body(other))
            return client.pools.edit(name, body, **ending)

        work.settle(client.pools, name, wanted, seen=seen, make=make, change=change, ending=ending)

    work.run(do)


def _body(said):
    return {
        FIELDS[option]: tuple(value) if isinstance(value, list) else value
        for option, value in said.items()
    }


if __name__ == "__main__":
    main()
