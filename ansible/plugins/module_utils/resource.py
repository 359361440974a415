"""Resource modules: how does a thing of the API come to be as a playbook wants it? For all kinds.

Options that are not given stay as they are. A secret that is given is never compared or shown.
"""

import ipaddress
import traceback

from ansible.module_utils.basic import AnsibleModule, env_fallback, missing_required_lib

try:
    from cloudgate import client as sdk
    from cloudgate.network import address_ranges, hostport
    from cloudgate.values import timestamps, units  # noqa: F401  modules use them from here, as `sdk`
    from cloudgate.wire.json import to_object
except ImportError:
    sdk, IMPORT_PROBLEM = None, traceback.format_exc()
else:
    IMPORT_PROBLEM = None

DEFAULT_URL = "https://localhost:9398"
CONNECTION = {
    "url": {"type": "list", "elements": "str"},
    "user": {"type": "str", "fallback": (env_fallback, ["CLOUDGATE_USER"])},
    "password": {
        "type": "str",
        "no_log": True,
        "fallback": (env_fallback, ["CLOUDGATE_PASSWORD"]),
    },
    "token": {"type": "str", "no_log": True, "fallback": (env_fallback, ["CLOUDGATE_TOKEN"])},
    "ca": {"type": "path", "fallback": (env_fallback, ["CLOUDGATE_CA"])},
    "fingerprint": {"type": "str"},
    "timeout": {"type": "int", "default": 600},
}
CONNECTION["url"]["fallback"] = (env_fallback, ["CLOUDGATE_URL"])
STATE = {"type": "str", "choices": ["present", "absent"], "default": "present"}
HIDDEN = frozenset({"Links", "Href", "Type", "Password", "JoinToken"})
"""What is not among the results of a module: plumbing, and secrets."""


class Work:
    """One run of a module."""

    def __init__(self, **options):
        """`options`: the argument specification besides the connection."""
        self.module = AnsibleModule(
            argument_spec={**CONNECTION, "state": STATE, **options},
            supports_check_mode=True,
        )
        self.given = self.module.params
        if sdk is None:
            self.module.fail_json(msg=missing_required_lib("cloudgate"), exception=IMPORT_PROBLEM)

    def run(self, do):
        """Do it with a client that is logged on; what goes wrong is told as the manager says it."""
        given = self.given
        token = given["token"] or None
        try:
            with sdk.Client(
                given["url"] or DEFAULT_URL,
                user=given["user"] or "admin",
                password=None if token else given["password"],
                token=token,
                ca=given["ca"],
                fingerprint=given["fingerprint"],
            ) as client:
                do(client)
        except sdk.CloudgateError as problem:
            where = getattr(problem, "where", "")
            self.module.fail_json(msg=problem.message, **({"where": where} if where else {}))

    def uid(self, things, name):
        """The UID of what an option names; in check mode what is yet to be made is its name."""
        try:
            return things.uid(name)
        except sdk.NotFoundError:
            if not self.module.check_mode:
                raise
            return name

    def site(self, client):
        """The UID of the backup server that the option names, if it does."""
        named = self.given.get("backup_server")
        return self.uid(client.backup_servers, named) if named else None

    def wanted(self, *names):
        """What the options of these names say, where they say something."""
        return {name: self.given[name] for name in names if self.given[name] is not None}

    def settle(self, things, name, wanted, *, seen, make, change, ending=None):
        """Bring one thing to what is wanted of it, and end the module.

        Args:
            things: a collection of the client.
            name: of the thing.
            wanted: what is to be, by the names of the options.
            seen: says of an entity what it is, by the same names.
            make: makes one, and answers the entity.
            change: is given what is to be otherwise, and answers the entity.
            ending: parameters for removing one.
        """
        try:
            found = things.get(name)
        except sdk.NotFoundError:
            found = None
        if self.given["state"] == "absent":
            self._remove(things, name, found, ending or {})
            return
        before = {} if found is None else _only(seen(found), wanted)
        other = {key: value for key, value in wanted.items() if before.get(key) != value}
        changed = found is None or bool(other)
        if changed and not self.module.check_mode:
            found = make() if found is None else change(other)
        self.end(found, before, wanted, name, changed=changed)

    def end(self, entity, before, after, name, *, changed, **more):
        """End with what was found or made, and with what is otherwise."""
        self.module.exit_json(
            changed=changed,
            resource=shown(entity) if entity is not None else {},
            diff={"before_header": name, "after_header": name, "before": before, "after": after},
            **more,
        )

    def _remove(self, things, name, found, ending):
        if found is not None and not self.module.check_mode:
            things.delete(name, **ending)
        before = {} if found is None else {"name": name}
        self.end(None, before, {}, name, changed=found is not None)


def shown(entity):
    """An entity as a result: by the API's names, and without secrets."""
    whole = to_object(entity).items()
    return {name: value for name, value in whole if value is not None and name not in HIDDEN}


def networks(texts):
    """Networks as the API shows them: with the length of their prefix, IPv4 as such, sorted.

    Raises ValueError where one is none.
    """
    around = (ipaddress.ip_network(text.strip(), strict=False) for text in texts)
    return sorted(address_ranges.network(str(each)) for each in around)


def host(text):
    """A host as the API shows it; what is none stays as it is, for the manager to refuse."""
    return _usual(hostport.typed_host, text)


def service(text):
    """A host and port as the API shows them; what is none stays, for the manager to refuse."""
    return _usual(hostport.typed, text)


def _usual(form, text):
    try:
        return form(text) if text else text
    except hostport.InvalidHostError:
        return text


def _only(said, wanted):
    return {name: said.get(name) for name in wanted}
