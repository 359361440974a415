#!/usr/bin/python
"""Cloud gateways: which managed servers let tenants in?"""

DOCUMENTATION = r"""
module: gateway
short_description: Make a managed server of Cloudgate a gateway
description:
  - Makes, changes and takes away cloud gateways, and waits until it is so. Live tunnels go on.
  - What is not given stays as it is.
author: The Cloudgate maintainers (@cloudgate)
extends_documentation_fragment: cloudgate.cloudgate.connection
options:
  server:
    description: Name, address or id of the managed server.
    type: str
    required: true
    aliases: [name]
  state:
    description: Whether it is to be a gateway.
    type: str
    choices: [present, absent]
    default: present
  enabled:
    description: Whether it lets tenants in.
    type: bool
  port:
    description: Port that tenants connect to; V(6180) for a new one.
    type: int
  mode:
    description: V(NAT) for a gateway behind NAT; V(Direct) for a new one.
    type: str
    choices: [Direct, NAT]
  external_ip:
    description: Address that tenants connect to; needed with O(mode=NAT).
    type: str
  internal_port:
    description: Port behind NAT that it listens on.
    type: int
  proxy_protocol_from:
    description: Load balancers that may say by PROXY protocol for whom they ask; an empty list for none.
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
- name: A gateway on port 443
  cloudgate.cloudgate.gateway:
    server: gw1.example
    port: 443
    proxy_protocol_from: [192.0.2.0/24]

- name: No gateway any more, once its tunnels have had an hour
  cloudgate.cloudgate.gateway:
    server: gw1.example
    state: absent
    drain_seconds: 3600
    timeout: 4000
"""
RETURN = r"""
resource:
  description: The gateway, by the API's names; empty when it is absent.
  returned: always
  type: dict
  sample: {Name: gw1.example, State: Listening, ExternalPort: 443}
"""

from ansible_collections.cloudgate.cloudgate.plugins.module_utils import resource  # noqa: E402

OPTIONS = {
    "server": {"type": "str", "required": True, "aliases": ["name"]},
    "enabled": {"type": "bool"},
    "port": {"type": "int"},
    "mode": {"type": "str", "choices": ["Direct", "NAT"]},
    "external_ip": {"type": "str"},
    "internal_port": {"type": "int"},
    "proxy_protocol_from": {"type": "list", "elements": "str"},
    "description": {"type": "str"},
    "backup_server": {"type": "str"},
    "drain_seconds": {"type": "int"},
}
FIELDS = {
    "enabled": "enabled",
    "port": "external_port",
    "mode": "network_mode",
    "external_ip": "external_ip",
    "internal_port": "internal_port",
    "description": "description",
    "proxy_protocol_from": "proxy_protocol_networks",
}
"""The API's field of each option."""


def seen(entity):
    """What a gateway is, by the names of the options."""
    found = {option: getattr(entity, field) for option, field in FIELDS.items()}
    found["description"] = found["description"] or ""
    found["external_ip"] = resource.host(found["external_ip"])
    found["proxy_protocol_from"] = resource.networks(found["proxy_protocol_from"] or [])
    return found


def main():
    """Run the module."""
    work = resource.Work(**OPTIONS)
    wanted = work.wanted(*FIELDS)
    if "external_ip" in wanted:
        wanted["external_ip"] = resource.host(wanted["external_ip"])
    if "proxy_protocol_from" in wanted:
        try:
            wanted["proxy_protocol_from"] = resource.networks(wanted["proxy_protocol_from"])
        except ValueError as problem:
            work.module.fail_json(msg=f"proxy_protocol_from: {problem}.")
    server, drain = work.given["server"], work.given["drain_seconds"]
    patience = {"patience_seconds": work.given["timeout"]}
    ending = {"drain_seconds": drain, **patience}

    def do(client):
        def change(other):
            body = {FIELDS[option]: _written(value) for option, value in other.items()}
            return client.gateways.edit(server, resource.sdk.CloudGateway(**body), **ending)

        def make():
            body = {FIELDS[option]: _written(value) for option, value in wanted.items()}
            enabled = body.pop("enabled", True)
            spec = resource.sdk.CreateCloudGatewaySpec(
                server_host_name=server,
                network_type=body.pop("network_mode", "Direct"),
                backup_server_uid=work.site(client),
                **body,
            )
            made = client.gateways.create(spec, **patience)
            return made if enabled else change({"enabled": False})

        work.settle(
            client.gateways, server, wanted, seen=seen, make=make, change=change, ending=ending
        )

    work.run(do)


def _written(value):
    return tuple(value) if isinstance(value, list) else value


if __name__ == "__main__":
    main()
