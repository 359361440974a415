"""Recovery: how does the administrator come in who has lost all that he could show?

By whoever has the manager's machine, and by nobody over a network.
"""

from sqlalchemy import delete, select

from cloudgate.manager.core.unit_of_work import Manager
from cloudgate.manager.sessions import second_factor
from cloudgate.manager.sessions.accounts import ADMINISTRATOR
from cloudgate.manager.sessions.administration import (
    NewAccount,
    add_role,
    create_account,
    roles_of,
    set_password,
)
from cloudgate.manager.sessions.roles import Role
from cloudgate.manager.storage.tables import Account, ApiToken
from cloudgate.trust.password_hashes import hash_password


def let_administrator_in(manager: Manager, password: str) -> None:
    """Have the account `admin` come in by this password and nothing else, as portal administrator.

    It is made where it is gone; its sessions and API tokens end. The audit log has each step.
    """
    role, password_hash = Role.PORTAL_ADMINISTRATOR, hash_password(password)
    with manager.changing() as work:
        account = work.session.scalar(select(Account).where(Account.name == ADMINISTRATOR))
        if account is None:
            new = NewAccount(name=ADMINISTRATOR, kind="User", role_ids=[role.id])
            account = create_account(work, new)
        if role not in roles_of(account):
            add_role(work, account, role)
        if account.factor is not None or account.passkeys:
            second_factor.reset(work, account)
        work.session.execute(delete(ApiToken).where(ApiToken.account_id == account.id))
        set_password(work, account, password_hash)
