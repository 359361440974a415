"""Tokens: what does the API say of tokens for programs, and who may make one? Extensions."""

from cloudgate.api.access import EVERYBODY
from cloudgate.api.handlers.forms import Forms
from cloudgate.api.http.call import Answer, Call
from cloudgate.api.http.links import ResourceLocation
from cloudgate.api.http.router import DONE, Route, Routes, adds, shows_either
from cloudgate.manager.sessions import tokens
from cloudgate.manager.sessions.tokens import TYPE, NewToken, OwnTokens
from cloudgate.manager.storage import tables
from cloudgate.wire.resources.base import EntityRef, EntityReferences
from cloudgate.wire.resources.tokens import ApiToken, ApiTokens, CreateApiTokenSpec

PATH = "/security/tokens"
ROUTES = Routes(EVERYBODY)


def _place(root: str, token: tables.ApiToken) -> ResourceLocation:
    return ResourceLocation(root, PATH, TYPE, token.id, token.name)


def _reference(root: str, token: tables.ApiToken) -> EntityRef:
    place = _place(root, token)
    return place.reference(place.to_entity())


def _entity(root: str, token: tables.ApiToken, secret: str | None = None) -> ApiToken:
    place = _place(root, token)
    return ApiToken(
        href=place.entity_href,
        type=place.type,
        links=(place.to_reference(), place.delete()),
        name=place.name,
        uid=place.uid,
        account=token.account.name,
        role=tokens.role_name(token.role_id),
        creation_time=token.created_at,
        expiration_time=token.ends_at,
        last_use_time=token.used_at,
        secret=secret,
    )


FORMS = Forms(_reference, _entity, lambda found: ApiTokens(api_tokens=found))


def _whose(call: Call) -> OwnTokens | None:
    """Which tokens who is asking may see and revoke; None for everybody's."""
    if call.administers:
        return None
    shown = call.session.id if call.by_token else None
    return OwnTokens(account_id=call.session.account_id, shown=shown)


@ROUTES.add(Route(verb="GET", path=PATH, answers=shows_either(EntityReferences, ApiTokens)))
def get_tokens(call: Call) -> Answer:
    """The own API tokens; everybody's for administrators."""
    with call.reading() as work:
        return FORMS.all(call, tokens.list_tokens(work, _whose(call)))


@ROUTES.add(Route(verb="GET", path=f"{PATH}/{{id}}", answers=shows_either(EntityRef, ApiToken)))
def get_token(call: Call) -> Answer:
    """One API token."""
    with call.reading() as work:
        return FORMS.one(call, tokens.get_token(work, call.identifier(TYPE), _whose(call)))


@ROUTES.add(
    Route(
        verb="POST",
        path=PATH,
        answers=adds(ApiToken),
        bodies=(CreateApiTokenSpec,),
        by_token=False,
    )
)
def post_token(call: Call, spec: CreateApiTokenSpec) -> Answer:
    """Make an API token for oneself; its secret is shown this once."""
    new = NewToken(name=spec.name or "", role=spec.role or "", days=spec.valid_days)
    with call.changing() as work:
        made, secret = tokens.create_token(work, call.session.account_id, new)
        entity = _entity(call.root, made, secret)
    headers = {"Location": f"{call.root}{PATH}/{made.id}"}
    return Answer(status=201, resource=entity, headers=headers)


@ROUTES.add(Route(verb="DELETE", path=f"{PATH}/{{id}}", answers=DONE))
def delete_token(call: Call) -> Answer:
    """Revoke an API token: it is refused from now on."""
    with call.changing() as work:
        tokens.revoke_token(work, tokens.get_token(work, call.identifier(TYPE), _whose(call)))
    return Answer(status=204)
