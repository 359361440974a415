"""Refusals: what is it called in the audit log that somebody was not let in? Pure.

Several rooms write these down; how often it was, besides what stands there, is `sums`.
"""

from collections.abc import Mapping

from cloudgate.manager.audit.events import WARNING, Event
from cloudgate.manager.registries.refused_callers import GUESSES, OUTSIDERS

LOG_ON = Event("LogOn", "{name} has logged on")
LOG_ON_TENANT = Event("LogOnCloudTenant", "{name} has logged on to the portal")
OWN_PASSWORD = Event(
    "ChangeOwnCloudTenantPassword", "Cloud Connect tenant {name} has changed its own password"
)
OWN_CERTIFICATE = Event(
    "IssueOwnCloudTenantCertificate",
    "{name} [tenant ID: {owner}] has got a certificate [{id}] by its password",
)
"""These say of who was let in, too."""
GUESS = Event(GUESSES, "Wrong passwords of {name} were tried at a gateway", WARNING)
OUTSIDER = Event(OUTSIDERS, "{name} came to a gateway from outside of its networks", WARNING)
DENIED = Event("DenyAccess", "Access denied: {name}", WARNING)
REFUSED_TOKEN = Event("RefuseApiToken", "An API token was refused: {name}", WARNING)
REFUSED_SERVER = Event(
    "RefuseManagedServer", "The machine that speaks as {name} was refused", WARNING
)
REFUSED_JOIN = Event("RefuseJoin", "A machine that wanted to join was refused: {name}", WARNING)
UNKNOWN_HOST = Event(
    "RefuseUnknownHost", "A machine without a good credential spoke: {name}", WARNING
)
OBJECT_TYPES: Mapping[Event, str] = {
    LOG_ON: "LogonSession",
    LOG_ON_TENANT: "CloudTenant",
    OWN_PASSWORD: "CloudTenant",
    OWN_CERTIFICATE: "CloudTenant",
    GUESS: "CloudTenant",
    OUTSIDER: "CloudTenant",
    DENIED: "Route",
    REFUSED_TOKEN: "ApiToken",
    REFUSED_SERVER: "ManagedServer",
    REFUSED_JOIN: "ManagedServer",
    UNKNOWN_HOST: "ManagedServer",
}
"""Of what each is a refusal."""
BY_OPERATION: Mapping[str, Event] = {each.operation: each for each in OBJECT_TYPES}
