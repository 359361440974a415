"""Session routes: which calls begin? The root, logon sessions, tasks, the cloud part."""

from cloudgate.api.handlers import sessions, tasks
from cloudgate.api.http.router import DONE, Outcome, Parameter, Proof, Route, shows
from cloudgate.wire.resources.sessions import (
    CloudConnectService,
    EnterpriseManager,
    LoginSpec,
    LogonSession,
    LogonSessions,
    Task,
    Tasks,
)

TASK_ID = "^task-[0-9]+$"
LOGGED_ON = Outcome(
    status=201, kinds=(LogonSession,), headers=(sessions.HEADER, "Location", "Set-Cookie")
)
LOGON = Proof(
    check=sessions.check_logon,
    account=lambda call: sessions.user_name(call.authorization),
    note=sessions.note_failed_logon,
)
VERSION = Parameter(
    name="v", description="Version of the API; all are the same here.", values=sessions.ACCEPTED
)

ROUTES = [
    Route(
        verb="GET",
        path="/",
        handler=sessions.get_root,
        answers=shows(EnterpriseManager),
        needs_session=False,
    ),
    Route(
        verb="GET",
        path="/schema",
        handler=sessions.get_schema,
        answers=Outcome(document="application/xml"),
        needs_session=False,
    ),
    Route(
        verb="POST",
        path="/sessionMngr",
        handler=sessions.post_session,
        query=(VERSION,),
        proof=LOGON,
        bodies=(LoginSpec,),
        body_optional=True,
        answers=LOGGED_ON,
        needs_session=False,
    ),
    Route(
        verb="GET",
        path="/logonSessions",
        handler=sessions.get_sessions,
        answers=shows(LogonSessions),
    ),
    Route(
        verb="GET",
        path="/logonSessions/{id}",
        handler=sessions.get_session,
        answers=shows(LogonSession),
    ),
    Route(verb="DELETE", path="/logonSessions/{id}", handler=sessions.delete_session, answers=DONE),
    Route(verb="GET", path="/tasks", handler=tasks.get_tasks, answers=shows(Tasks)),
    Route(
        verb="GET",
        path="/tasks/{id}",
        handler=tasks.get_task,
        identifier=TASK_ID,
        answers=shows(Task),
    ),
    Route(
        verb="DELETE",
        path="/tasks/{id}",
        handler=tasks.delete_task,
        identifier=TASK_ID,
        answers=DONE,
    ),
    Route(
        verb="GET", path="/cloud", handler=sessions.get_cloud, answers=shows(CloudConnectService)
    ),
]
