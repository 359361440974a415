#!/usr/bin/python
"""Managed servers: which machines may be gateways, and how does one join?"""

DOCUMENTATION = r"""
module: server
short_description: Have a managed server of Cloudgate, and a token for its machine to join with
description:
  - Adds and removes managed servers. A new one comes with a token, with which its machine joins once.
author: The Cloudgate maintainers (@cloudgate)
extends_documentation_fragment: cloudgate.cloudgate.connection
options:
  name:
    description: DNS name or IP address of the machine.
    type: str
    required: true
  state:
    description: Whether it is to be there.
    type: str
    choices: [present, absent]
    default: present
  renew_token:
    description:
      - Whether a server that is there already gets another token.
      - V(expected) while no machine has joined as it, which makes the one of before void.
    type: str
    choices: [never, expected, always]
    default: never
  description:
    description: What it is for. Of a server that is there it is not changed.
    type: str
  backup_server:
    description: Name or id of the backup server; may be left out while there is one.
    type: str
"""
EXAMPLES = r"""
- name: A machine that is to join
  cloudgate.cloudgate.server:
    name: gw1.example
    renew_token: expected
  register: expected
  no_log: true
"""
RETURN = r"""
resource:
  description: The managed server, by the API's names; empty when it is absent.
  returned: always
  type: dict
  sample: {Name: gw1.example, State: Expected}
join_token:
  description: What its machine joins with, once. A secret.
  returned: when one was made
  type: str
join_fingerprint:
  description: SHA-256 of the manager's certificate authority, by which the machine knows the manager.
  returned: when a token was made
  type: str
"""

from ansible_collections.cloudgate.cloudgate.plugins.module_utils import resource  # noqa: E402

OPTIONS = {
    "name": {"type": "str", "required": True},
    "renew_token": {
        "type": "str",
        "choices": ["never", "expected", "always"],
        "default": "never",
        "no_log": False,
    },
    "description": {"type": "str"},
    "backup_server": {"type": "str"},
}


def main():
    """Run the module."""
    work = resource.Work(**OPTIONS)
    name, renewal = work.given["name"], work.given["renew_token"]

    def do(client):
        def make():
            spec = resource.sdk.CreateManagedServerSpec(
                name=name,
                description=work.given["description"],
                backup_server_uid=work.site(client),
            )
            made = client.servers.create(spec)
            _end_with_token(work, made, name)

        def renew(_other):
            _end_with_token(work, client.servers.renew_join_token(name), name)

        def seen(entity):
            is_due = renewal == "always" or (renewal == "expected" and entity.state == "Expected")
            return {"has_token": not is_due}

        wanted = {"has_token": True}
        work.settle(client.servers, name, wanted, seen=seen, make=make, change=renew)

    work.run(do)


def _end_with_token(work, server, name):
    work.end(
        server,
        {},
        {"has_token": True},
        name,
        changed=True,
        join_token=server.join_token,
        join_fingerprint=server.join_fingerprint,
    )


if __name__ == "__main__":
    main()
