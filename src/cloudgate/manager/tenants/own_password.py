"""Own password: how does a tenant, or one of its users, change its password by itself?"""

from sqlalchemy import select

from cloudgate.errors import AccessDeniedError, InvalidRequestError, NotAuthenticatedError
from cloudgate.manager.core.unit_of_work import UnitOfWork
from cloudgate.manager.storage.tables import CloudTenant, Subtenant
from cloudgate.manager.tenants import passwords, rules
from cloudgate.manager.tenants.rotation import rotate_password
from cloudgate.network import address_ranges
from cloudgate.trust.password_hashes import matches

LEAST_CHARACTERS = 12
"""Of a password that somebody chose (OWASP ASVS 4.0, 2.1.1)."""


def login_of(who: passwords.Owner) -> str:
    r"""As somebody logs in at a gateway: ``TENANT``, or ``TENANT\USER``."""
    return who.name if isinstance(who, CloudTenant) else f"{who.tenant.name}\\{who.name}"


def authenticate(work: UnitOfWork, name: str, password: str) -> passwords.Owner:
    r"""Who has that name and password, on whichever site. ``TENANT\USER`` means a tenant's user.

    A password that was replaced does not do, however long it is good at gateways yet: it may have
    been replaced because others know it.

    Raises:
        NotAuthenticatedError: nobody, or who has may not come in: disabled, or the lease is over.
    """
    candidates = _named(work, name)
    if not candidates:
        matches(None, password)  # takes as long as for somebody who is there
    for who in candidates:
        if who.password_hash and matches(who.password_hash, password) and _is_let_in(work, who):
            return who
    raise NotAuthenticatedError("The tenant's name or password is wrong, or it may not log on.")


def _named(work: UnitOfWork, name: str) -> list[passwords.Owner]:
    whose, has_user, user = name.replace("/", "\\").partition("\\")
    tenants = select(CloudTenant).where(CloudTenant.login == rules.login(whose))
    if not has_user:
        return list(work.session.scalars(tenants))
    ids = select(CloudTenant.id).where(CloudTenant.login == rules.login(whose))
    users = select(Subtenant).where(
        Subtenant.tenant_id.in_(ids), Subtenant.login == rules.login(user)
    )
    return list(work.session.scalars(users))


def _is_let_in(work: UnitOfWork, who: passwords.Owner) -> bool:
    tenant = who if isinstance(who, CloudTenant) else who.tenant
    has_lease = tenant.expires_at is None or tenant.expires_at > work.now
    return who.enabled and tenant.enabled and has_lease


def change_own_password(
    work: UnitOfWork, who: passwords.Owner, password: str, *, old_for_seconds: int | None = None
) -> None:
    """Have the password that somebody chose; the old one is good beside it, a day unless told.

    Raises:
        AccessDeniedError: the provider does not let this tenant, or not from there.
        InvalidRequestError: it is too short, or the one of now, or the time is too long.
    """
    tenant = who if isinstance(who, CloudTenant) else who.tenant
    if not tenant.may_change_password:
        raise AccessDeniedError(
            f"The provider does not let {tenant.name} change passwords by itself. Ask the provider"
            " for a new one."
        )
    for each in (tenant, who):
        networks = None if each.networks is None else tuple(each.networks)
        if not address_ranges.contains(networks, work.address):
            raise AccessDeniedError(
                f"{login_of(who)} may not come from {work.address}. Change the password from a"
                " network that it may come from."
            )
    if len(password) < LEAST_CHARACTERS:
        raise InvalidRequestError(
            f"Password: it has {len(password)} characters, and one that is chosen has at least"
            f" {LEAST_CHARACTERS}."
        )
    rotate_password(work, who, password, old_for_seconds=old_for_seconds, by_itself=True)
