"""What does the API say of repositories, and what may be done to them?

Adding, editing and removing are extensions: in the original, repositories come from elsewhere.
"""

from cloudgate.api.call import Answer, Call
from cloudgate.api.links import Place, up_to_backup_server
from cloudgate.errors import InvalidRequestError
from cloudgate.manager.identifiers import parse
from cloudgate.manager.repositories import operations
from cloudgate.manager.repositories.operations import RepositoryChange
from cloudgate.manager.storage import tables
from cloudgate.wire.resources.base import EntityRef, EntityReferences
from cloudgate.wire.resources.infrastructure import (
    CreateRepositorySpec,
    Repositories,
    Repository,
)

TYPE = operations.TYPE


def _place(root: str, repository: tables.Repository) -> Place:
    return Place(root, "/repositories", TYPE, repository.id, repository.name)


def _reference(root: str, repository: tables.Repository) -> EntityRef:
    place = _place(root, repository)
    return place.reference(up_to_backup_server(root, repository.backup_server), place.to_entity())


def _entity(root: str, repository: tables.Repository) -> Repository:
    place = _place(root, repository)
    return Repository(
        href=place.entity_href,
        type=place.type,
        links=(
            up_to_backup_server(root, repository.backup_server),
            place.to_reference(),
            place.edit(),
            place.delete(),
        ),
        name=place.name,
        uid=place.uid,
        kind=repository.kind,
        description=repository.description,
        endpoint=repository.endpoint,
        address=repository.address,
    )


def get_repositories(call: Call) -> Answer:
    """All repositories."""
    with call.reading() as work:
        found = operations.list_repositories(work)
    if call.wants_entity:
        entities = tuple(_entity(call.root, repository) for repository in found)
        return Answer(resource=Repositories(repositories=entities))
    references = tuple(_reference(call.root, repository) for repository in found)
    return Answer(resource=EntityReferences(refs=references))


def get_repository(call: Call) -> Answer:
    """One repository."""
    with call.reading() as work:
        repository = operations.get_repository(work, call.identifier(TYPE))
    form = _entity if call.wants_entity else _reference
    return Answer(resource=form(call.root, repository))


def _change(body: CreateRepositorySpec | Repository) -> RepositoryChange:
    return RepositoryChange(
        name=body.name,
        description=body.description,
        kind=body.kind,
        endpoint=body.endpoint,
        address=body.address,
    )


def post_repository(call: Call, spec: CreateRepositorySpec) -> Answer:
    """Add a repository."""
    with call.changing() as work:
        repository = operations.create_repository(work, _change(spec), spec.backup_server_uid)
        work.session.refresh(repository)
    place = _place(call.root, repository)
    return Answer(
        status=201,
        resource=_entity(call.root, repository),
        headers={"Location": place.href},
    )


def put_repository(call: Call, body: Repository | CreateRepositorySpec) -> Answer:
    """Change a repository: by its entity, or by the spec that it was made with."""
    with call.changing() as work:
        repository = operations.get_repository(work, call.identifier(TYPE))
        if isinstance(body, CreateRepositorySpec) and body.backup_server_uid:
            site = parse(body.backup_server_uid, "BackupServer")
            if site != repository.backup_server_id:
                raise InvalidRequestError(
                    "BackupServerUid: a repository cannot be moved to another backup server."
                )
        operations.edit_repository(work, repository, _change(body))
    return Answer(status=204)


def delete_repository(call: Call) -> Answer:
    """Remove a repository."""
    with call.changing() as work:
        repository = operations.get_repository(work, call.identifier(TYPE))
        operations.delete_repository(work, repository)
    return Answer(status=204)
