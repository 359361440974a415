#!/usr/bin/python
"""Tenants: who are the customers, and what may they use?"""

DOCUMENTATION = r"""
module: tenant
short_description: Have a tenant of Cloudgate, with quotas and limits
description:
  - Makes, changes and removes tenants, and waits until gateways know. What a tenant has stored stays.
  - What is not given stays as it is.
author: The Cloudgate maintainers (@cloudgate)
extends_documentation_fragment: cloudgate.cloudgate.connection
options:
  name:
    description: What it logs in with.
    type: str
    required: true
  state:
    description: Whether it is to be there.
    type: str
    choices: [present, absent]
    default: present
  tenant_password:
    description: What it logs in with; needed for a new one.
    type: str
  update_password:
    description:
      - V(on_create) leaves the password of a tenant that is there alone.
      - V(always) sets it in each run, as nobody can compare it; live tunnels go on.
    type: str
    choices: [on_create, always]
    default: on_create
  enabled:
    description: Whether it may come in.
    type: bool
  description:
    description: Who it is.
    type: str
  lease:
    description: Until when it may come in, such as V(2030-12-31), in UTC; an empty text for no end.
    type: str
  quotas:
    description: What it may use of repositories, all of it.
    type: list
    elements: dict
    suboptions:
      repository:
        description: Name or id of the repository.
        type: str
        required: true
      gigabytes:
        description: How much, in units of 1024 MB.
        type: int
        required: true
  tunnels:
    description: Tunnels at a time over all gateways; V(0) for no limit.
    type: int
  speed_mbps:
    description: Megabits a second over all its tunnels; V(0) for no limit.
    type: int
  networks:
    description: Networks that it may come from; an empty list for all.
    type: list
    elements: str
  egress_gigabytes:
    description: How much it may bring back in a month; V(0) for no limit.
    type: int
  egress_enforced:
    description: Whether new tunnels only send data once that is used up.
    type: bool
  protect_backups:
    description: Whether its repositories keep what it deletes; all of them have to be such that do.
    type: bool
  protection_days:
    description: For how many days, V(1) to V(99).
    type: int
  failover_to_others:
    description: Whether gateways that are in no pool let it in while none of its own pools does.
    type: bool
  may_change_password:
    description: Whether it and its users may change their own passwords.
    type: bool
  may_get_certificates:
    description: Whether it and its users may get certificates by their passwords, and renew them.
    type: bool
  may_use_portal:
    description: Whether it and its users may see what they have at the portal.
    type: bool
  end_tunnels:
    description: Whether a change ends the tunnels that it has.
    type: bool
    default: false
  backup_server:
    description: Name or id of the backup server; may be left out while there is one.
    type: str
"""
EXAMPLES = r"""
- name: A tenant with 500 GB
  cloudgate.cloudgate.tenant:
    name: acme
    tenant_password: "{{ vault_password_of_acme }}"
    quotas:
      - repository: vault
        gigabytes: 500
    networks: [192.0.2.0/24]

- name: No access any more, at once
  cloudgate.cloudgate.tenant:
    name: acme
    enabled: false
    end_tunnels: true
"""
RETURN = r"""
resource:
  description: The tenant, by the API's names; empty when it is absent.
  returned: always
  type: dict
  sample: {Name: acme, Enabled: true}
"""

from ansible_collections.cloudgate.cloudgate.plugins.module_utils import resource  # noqa: E402

OPTIONS = {
    "name": {"type": "str", "required": True},
    "tenant_password": {"type": "str", "no_log": True},
    "update_password": {
        "type": "str",
        "choices": ["on_create", "always"],
        "default": "on_create",
        "no_log": False,
    },
    "enabled": {"type": "bool"},
    "description": {"type": "str"},
    "lease": {"type": "str"},
    "quotas": {
        "type": "list",
        "elements": "dict",
        "options": {
            "repository": {"type": "str", "required": True},
            "gigabytes": {"type": "int", "required": True},
        },
    },
    "tunnels": {"type": "int"},
    "speed_mbps": {"type": "int"},
    "networks": {"type": "list", "elements": "str"},
    "egress_gigabytes": {"type": "int"},
    "egress_enforced": {"type": "bool"},
    "protect_backups": {"type": "bool"},
    "protection_days": {"type": "int"},
    "failover_to_others": {"type": "bool"},
    "may_change_password": {"type": "bool", "no_log": False},
    "may_get_certificates": {"type": "bool"},
    "may_use_portal": {"type": "bool"},
    "end_tunnels": {"type": "bool", "default": False},
    "backup_server": {"type": "str"},
}
COMPARED = (
    "enabled",
    "description",
    "lease",
    "quotas",
    "tunnels",
    "speed_mbps",
    "networks",
    "egress_gigabytes",
    "egress_enforced",
    "protect_backups",
    "protection_days",
    "failover_to_others",
    "may_change_password",
    "may_get_certificates",
    "may_use_portal",
)


def seen(entity):
    """What a tenant is, by the names of the options."""
    lease = entity.lease_options
    quotas = [each.repository_quota for each in entity.resources or ()]
    ends = lease is not None and lease.enabled and lease.expiration_date
    return {
        "enabled": entity.enabled,
        "description": entity.description or "",
        "lease": lease.expiration_date.isoformat() if ends else "",
        "quotas": sorted([each.repository_uid, each.quota] for each in quotas if each),
        "tunnels": entity.max_concurrent_tasks if entity.concurrent_tasks_limited else 0,
        "speed_mbps": _speed(entity),
        "networks": resource.networks(entity.allowed_networks or ()),
        "egress_gigabytes": (entity.egress_quota_mb or 0) / resource.units.MB_PER_GB,
        "egress_enforced": bool(entity.egress_quota_hard),
        "protect_backups": bool(entity.backup_protection_enabled),
        "protection_days": entity.backup_protection_period,
        "failover_to_others": bool(entity.failover_to_others_gateways_if_fail),
        "may_change_password": bool(entity.may_change_password),
        "may_get_certificates": bool(entity.may_get_certificates),
        "may_use_portal": entity.may_use_portal is not False,
    }


def _speed(entity):
    if not entity.throttling_enabled or not entity.throttling_speed_limit:
        return 0
    limit, unit = entity.throttling_speed_limit, entity.throttling_speed_unit
    return limit if unit == "Mbps" else f"{limit} {unit}"


def _wanted(work, client):
    """What the options say, as `seen` would; and the names of repositories, by UID."""
    wanted, names = work.wanted(*COMPARED), {}
    if wanted.get("lease"):
        wanted["lease"] = _lease(wanted["lease"]).isoformat()
    if "quotas" in wanted:
        said = wanted["quotas"]
        uids = [work.uid(client.repositories, each["repository"]) for each in said]
        names = {uid: each["repository"] for uid, each in zip(uids, said, strict=True)}
        wanted["quotas"] = sorted(
            [uid, each["gigabytes"] * resource.units.MB_PER_GB]
            for uid, each in zip(uids, said, strict=True)
        )
    if "networks" in wanted:
        wanted["networks"] = resource.networks(wanted["networks"])
    return wanted, names


def _body(said, entity, names):
    """The members of a body that are the same for a new tenant and for one that is there."""
    fields = {
        "enabled": "enabled",
        "description": "description",
        "tunnels": "max_concurrent_tasks",
        "egress_enforced": "egress_quota_hard",
        "protect_backups": "backup_protection_enabled",
        "protection_days": "backup_protection_period",
        "failover_to_others": "failover_to_others_gateways_if_fail",
        "may_change_password": "may_change_password",
        "may_get_certificates": "may_get_certificates",
        "may_use_portal": "may_use_portal",
    }
    body = {fields[option]: value for option, value in said.items() if option in fields}
    if "networks" in said:
        body["allowed_networks"] = tuple(said["networks"])
    if "egress_gigabytes" in said:
        body["egress_quota_mb"] = said["egress_gigabytes"] * resource.units.MB_PER_GB
    if "speed_mbps" in said:
        body["throttling_enabled"] = said["speed_mbps"] > 0
        if said["speed_mbps"]:
            body["throttling_speed_limit"] = said["speed_mbps"]
            body["throttling_speed_unit"] = "Mbps"
    if "quotas" in said:
        body["resources"] = tuple(_quota(entity, names, *each) for each in said["quotas"])
    return body


def _quota(entity, names, uid, megabytes):
    """A quota of a new tenant; or of one that is there, where it may be one that is changed."""
    name = names[uid]
    if entity is None:
        return resource.sdk.BackupResource(name=name, repository_uid=uid, quota_mb=megabytes)
    same = [
        each
        for each in entity.resources or ()
        if each.repository_quota and each.repository_quota.repository_uid == uid
    ]
    known = same[0] if same else None
    return resource.sdk.CloudTenantResource(
        id=known.id if known else None,
        repository_quota=resource.sdk.RepositoryQuota(
            display_name=known.repository_quota.display_name if known else name,
            repository_uid=uid,
            quota=megabytes,
        ),
    )


def _lease(text):
    return resource.timestamps.parse(text) if text else None


def main():
    """Run the module."""
    work = resource.Work(**OPTIONS)
    given = work.given
    name, password = given["name"], given["tenant_password"]
    patience = {"patience_seconds": given["timeout"]}

    def do(client):
        wanted, names = {}, {}
        if given["state"] == "present":
            try:
                wanted, names = _wanted(work, client)
            except ValueError as problem:
                work.module.fail_json(msg=f"{problem}.")
        sets_password = bool(password) and given["update_password"] == "always"  # noqa: S105
        if sets_password:
            wanted["password_is_set"] = True

        def make():
            if not password:
                work.module.fail_json(msg=f"{name} is new: give its tenant_password.")
            spec = resource.sdk.CreateCloudTenantSpec(
                name=name,
                password=password,
                lease_expiration_date=_lease(wanted.get("lease")),
                backup_server_uid=work.site(client),
                **{"enabled": True, **_body(wanted, None, names)},
            )
            return client.tenants.create(spec, **patience)

        def change(other):
            body = _body(other, client.tenants.get(name), names)
            if "lease" in other:
                ends = _lease(other["lease"])
                body["lease_options"] = resource.sdk.LeaseOptions(
                    enabled=ends is not None, expiration_date=ends
                )
            if sets_password:
                body["password"] = password
            ending = {"end_tunnels": given["end_tunnels"], **patience}
            return client.tenants.edit(name, resource.sdk.CloudTenant(**body), **ending)

        work.settle(
            client.tenants, name, wanted, seen=seen, make=make, change=change, ending=patience
        )

    work.run(do)


if __name__ == "__main__":
    main()
