#!/usr/bin/python
"""Repositories: which storage services does the provider have?"""

DOCUMENTATION = r"""
module: repository
short_description: Have a repository of Cloudgate
description:
  - Adds, changes and removes repositories, the storage services that tenants reach. What is stored there stays.
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
  endpoint:
    description: Host and port as tenants name it; needed for a new one.
    type: str
  address:
    description: Host and port that gateways connect to; the endpoint when left out.
    type: str
  kind:
    description: Its kind, such as V(LinuxLocal).
    type: str
  capacity:
    description: How much it holds, such as V(20TB), in units of 1024.
    type: str
  description:
    description: What it is for.
    type: str
  quota_warnings:
    description: Percents of a quota's use at which there is a warning; an empty list for none.
    type: list
    elements: int
  quota_grace:
    description: Percent more than its quota that a tenant may use before new tunnels only bring data back.
    type: int
  quotas_enforced:
    description: Whether they ever only do that.
    type: bool
  backup_server:
    description: Name or id of the backup server; may be left out while there is one.
    type: str
"""
EXAMPLES = r"""
- name: A repository of 20 TB
  cloudgate.cloudgate.repository:
    name: vault
    endpoint: vault.example:8443
    address: 10.0.0.5:8443
    capacity: 20TB
"""
RETURN = r"""
resource:
  description: The repository, by the API's names; empty when it is absent.
  returned: always
  type: dict
  sample: {Name: vault, Endpoint: "vault.example:8443"}
"""

from ansible.module_utils.common.text.formatters import human_to_bytes  # noqa: E402
from ansible_collections.cloudgate.cloudgate.plugins.module_utils import resource  # noqa: E402

OPTIONS = {
    "name": {"type": "str", "required": True},
    "endpoint": {"type": "str"},
    "address": {"type": "str"},
    "kind": {"type": "str"},
    "capacity": {"type": "str"},
    "description": {"type": "str"},
    "quota_warnings": {"type": "list", "elements": "int"},
    "quota_grace": {"type": "int"},
    "quotas_enforced": {"type": "bool"},
    "backup_server": {"type": "str"},
}
FIELDS = {
    "endpoint": "endpoint",
    "address": "address",
    "kind": "kind",
    "capacity": "capacity",
    "description": "description",
    "quota_warnings": "quota_warning_percents",
    "quota_grace": "quota_grace_percent",
    "quotas_enforced": "quota_enforced",
}
"""The API's field of each option."""
SERVICES = frozenset({"endpoint", "address"})
"""Of them, those that are a host and a port."""


def seen(entity):
    """What a repository is, by the names of the options."""
    found = {option: getattr(entity, field) for option, field in FIELDS.items()}
    found["description"] = found["description"] or ""
    found["quota_warnings"] = sorted(found["quota_warnings"] or ())
    for option in SERVICES:
        found[option] = resource.service(found[option])
    return found


def main():
    """Run the module."""
    work = resource.Work(**OPTIONS)
    wanted = work.wanted(*FIELDS)
    if "capacity" in wanted:
        try:
            wanted["capacity"] = human_to_bytes(wanted["capacity"])
        except ValueError as problem:
            work.module.fail_json(msg=f"capacity: {problem}")
    for option in SERVICES & wanted.keys():
        wanted[option] = resource.service(wanted[option])
    if "quota_warnings" in wanted:
        wanted["quota_warnings"] = sorted(wanted["quota_warnings"])
    name = work.given["name"]

    def do(client):
        def make():
            spec = resource.sdk.CreateRepositorySpec(
                name=name, backup_server_uid=work.site(client), **_body(wanted)
            )
            return client.repositories.create(spec)

        def change(other):
            return client.repositories.edit(name, resource.sdk.Repository(**_body(other)))

        work.settle(client.repositories, name, wanted, seen=seen, make=make, change=change)

    work.run(do)


def _body(said):
    return {
        FIELDS[option]: tuple(value) if isinstance(value, list) else value
        for option, value in said.items()
    }


if __name__ == "__main__":
    main()
