"""Own password: how does a tenant, or one of its users, change its password by itself?"""

from sqlalchemy import select

from cloudgate.errors import AccessDeniedError, InvalidRequestError, NotAuthenticatedError
from cloudgate.manager.core.unit_of_work import UnitOfWork
from cloudgate.manager.storage.tables import CloudTenant, Subtenant
from cloudgate.manager.tenants import passwords, rules
from cloudgate.manager.tenants.rotation import rotate_password
from cloudgate.network import address_ranges
from cloudgate.trust.password_hashes import matches
from cloudgate.values import login_names

LEAST_CHARACTERS = 12
"""Of a password that somebody chose (OWASP ASVS 4.0, 2.1.1)."""


def login_of(who: passwords.Owner) -> str:
    r"""As somebody logs in at a gateway: ``TENANT``, or ``TENANT\USER``."""
    return who.name if isinstance(who, CloudTenant) else f"{who.tenant.name}\\{who.name}"


def guessed(name: str) -> str:
    r"""Whose password is guessed at by that name, the same however it is written.

    No account is called so.
    """
    whose, user = login_names.read(name)
    found = whose if user is None else f"{whose}\\{user}"
    return f"tenant\n{rules.login(found)}"


def authenticate(work: UnitOfWork, name: str, password: str) -> passwords.Owner:
    r"""Who has that name and password, on whichever site. ``TENANT\USER`` means a tenant's user.

    A password that was replaced does not do, however long it is good at gateways yet: it may have
    been replaced because others know it.

    Raises:
        NotAuthenticatedError: nobody, or who has may not come in: disabled, or the lease is over.
    """
    found = passwords.first_right(
        work,
        owners_named(work, name),
        password,
        lambda who: matches(who.password_hash, password) and is_let_in(work, who),
    )
    if found is None:
        raise NotAuthenticatedError("The tenant's name or password is wrong, or it may not log on.")
    return found


def owners_named(work: UnitOfWork, name: str) -> list[passwords.Owner]:
    r"""Who logs in by that name, on whichever site: ``TENANT``, or ``TENANT\USER``."""
    whose, user = login_names.read(name)
    tenants = select(CloudTenant).where(CloudTenant.login == rules.login(whose))
    if user is None:
        return list(work.session.scalars(tenants))
    ids = select(CloudTenant.id).where(CloudTenant.login == rules.login(whose))
    users = select(Subtenant).where(
        Subtenant.tenant_id.in_(ids), Subtenant.login == rules.login(user)
    )
    return list(work.session.scalars(users))


def tenant_meant(work: UnitOfWork, name: str) -> CloudTenant | None:
    """The tenant that a name is of, or of a user of; None where there is none, or several are."""
    login = rules.login(login_names.read(name).tenant)
    found = work.session.scalars(select(CloudTenant).where(CloudTenant.login == login)).all()
    return found[0] if len(found) == 1 else None


def as_it_is(work: UnitOfWork, proven: passwords.Owner) -> passwords.Owner:
    """Who has proved a password, as of now.

    Raises:
        NotAuthenticatedError: it has another one meanwhile, may not come in any more, or was
            removed.
    """
    found: passwords.Owner | None
    if isinstance(proven, CloudTenant):
        found = work.session.get(CloudTenant, proven.id)
    else:
        found = work.session.get(Subtenant, proven.id)
    if found is None or found.password_hash != proven.password_hash:
        raise NotAuthenticatedError("The password has been changed meanwhile.")
    if not is_let_in(work, found):
        raise NotAuthenticatedError("The tenant may not come in any more.")
    return found


def is_let_in(work: UnitOfWork, who: passwords.Owner) -> bool:
    """Whether somebody may come in now: enabled, and within the lease."""
    tenant = who if isinstance(who, CloudTenant) else who.tenant
    has_lease = tenant.expires_at is None or tenant.expires_at > work.now
    return who.enabled and tenant.enabled and has_lease


def check_origin(work: UnitOfWork, who: passwords.Owner, *others: passwords.Owner) -> None:
    """See that somebody asks from where its tenant, and `others`, may come from.

    Raises:
        AccessDeniedError: it does not.
    """
    tenant = who if isinstance(who, CloudTenant) else who.tenant
    for each in (tenant, *others):
        networks = None if each.networks is None else tuple(each.networks)
        if not address_ranges.contains(networks, work.address):
            raise AccessDeniedError(
                f"{login_of(who)} may not come from {work.address}. Ask from a network that it may"
                " come from."
            )


def own_replacement(
    old_hash: str, chosen: str | None, old_for_seconds: int | None
) -> passwords.Replacement:
    """What `change_own_password` takes. One that is too short costs nothing; it refuses that."""
    return passwords.replacement(
        old_hash, chosen or "", old_for_seconds, least_characters=LEAST_CHARACTERS
    )


def change_own_password(
    work: UnitOfWork,
    who: passwords.Owner,
    new: passwords.Replacement,
    *,
    by_tenant: bool = False,
) -> None:
    """Have the password that somebody chose; the old one is good beside it for a time.

    `by_tenant`: whether it is the tenant that wants it of its user, wherever that may come from.

    Raises:
        AccessDeniedError: the provider does not let this tenant, or not from there.
        InvalidRequestError: it is too short, or the one of now, or the time is too long.
        UnavailableError: it was to replace another one than that of now; again it may.
    """
    tenant = who if isinstance(who, CloudTenant) else who.tenant
    if not tenant.may_change_password:
        raise AccessDeniedError(
            f"The provider does not let {tenant.name} change passwords by itself. Ask the provider"
            " for a new one."
        )
    check_origin(work, who, *(() if by_tenant else (who,)))
    if new.characters < LEAST_CHARACTERS:
        raise InvalidRequestError(
            f"Password: it has {new.characters} characters, and one that is chosen has at least"
            f" {LEAST_CHARACTERS}."
        )
    rotate_password(work, who, new, by_itself=True)
