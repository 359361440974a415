#!/usr/bin/python
"""Managed servers that are ready: is one well, and of the release that it is to have?"""

DOCUMENTATION = r"""
module: server_ready
short_description: Wait until a managed server of Cloudgate is well
description:
  - Waits until a managed server is online, of a certain release, and its gateway, if it is one, lets tenants in.
  - It changes nothing. In check mode it does not wait.
author: The Cloudgate maintainers (@cloudgate)
extends_documentation_fragment: cloudgate.cloudgate.connection
options:
  name:
    description: Name, address or id of the managed server.
    type: str
    required: true
  version:
    description: Release that its host service is to have. Any will do when left out.
    type: str
  state:
    description: V(ready) waits O(timeout) seconds at most; V(seen) says how it is at once.
    type: str
    choices: [ready, seen]
    default: ready
"""
EXAMPLES = r"""
- name: Wait for a gateway that was renewed
  cloudgate.cloudgate.server_ready:
    name: gw1.example
    version: 0.2.0
"""
RETURN = r"""
resource:
  description: The managed server, by the API's names.
  returned: always
  type: dict
  sample: {Name: gw1.example, State: Online, Version: 0.2.0}
gateway:
  description: Its gateway, by the API's names; empty where it is none.
  returned: always
  type: dict
  sample: {Name: gw1.example, State: Listening, LiveTunnels: 12}
lacking:
  description: What it lacks to be ready; empty when it lacks nothing.
  returned: always
  type: str
  sample: ""
"""

import time  # noqa: E402

from ansible_collections.cloudgate.cloudgate.plugins.module_utils import resource  # noqa: E402

OPTIONS = {
    "name": {"type": "str", "required": True},
    "version": {"type": "str"},
    "state": {"type": "str", "choices": ["ready", "seen"], "default": "ready"},
}
PAUSE_SECONDS = 2


def lacking(server, gateway, version):
    """What keeps a managed server from being ready, as a part of a sentence."""
    if server.state != "Online":
        return f"it is {server.state}"
    if version and server.version != version:
        return f"it is of release {server.version}, and not of {version}"
    # One that is disabled or drained is so because somebody wants it.
    if gateway is not None and gateway.enabled and gateway.state not in {"Listening", "Draining"}:
        return ": ".join(
            each for each in (f"its gateway is {gateway.state}", gateway.warning) if each
        )
    return ""


def main():
    """Run the module."""
    work = resource.Work(**OPTIONS)
    name, version = work.given["name"], work.given["version"]
    waits = work.given["state"] == "ready" and not work.module.check_mode
    last = time.monotonic() + work.given["timeout"]

    def do(client):
        while True:
            server, gateway = client.servers.get(name), _gateway(client, name)
            missing = lacking(server, gateway, version)
            found = {
                "resource": resource.shown(server),
                "gateway": {} if gateway is None else resource.shown(gateway),
                "lacking": missing,
            }
            if not (missing and waits):
                work.module.exit_json(changed=False, **found)
            if time.monotonic() > last:
                given = f"after {work.given['timeout']} seconds"
                work.module.fail_json(msg=f"{name} is not ready {given}: {missing}.", **found)
            time.sleep(PAUSE_SECONDS)

    work.run(do)


def _gateway(client, name):
    try:
        return client.gateways.get(name)
    except resource.sdk.NotFoundError:
        return None


if __name__ == "__main__":
    main()
