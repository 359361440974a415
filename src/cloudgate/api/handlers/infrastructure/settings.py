"""Settings: what was the manager started with? An extension."""

from cloudgate.api.access import ADMINISTRATORS
from cloudgate.api.http.call import Answer, Call
from cloudgate.api.http.router import Route, Routes, shows
from cloudgate.wire.resources.cloud.live import ManagerSetting, ManagerSettings

ROUTES = Routes(ADMINISTRATORS)


@ROUTES.add(Route(verb="GET", path="/settings", answers=shows(ManagerSettings)))
def get_settings(call: Call) -> Answer:
    """All settings of the manager that answers, without secrets; those left out have no value."""
    shown = tuple(
        ManagerSetting(name=each.name, value=each.value) for each in call.manager.settings
    )
    return Answer(resource=ManagerSettings(manager_settings=shown))
