"""Tables: what is kept, as SQLAlchemy maps it? Each module says in `__all__` which rows it has."""

# ruff: noqa: F403  a new row is then said in one file
from cloudgate.manager.storage.tables.accounts import *
from cloudgate.manager.storage.tables.base import *
from cloudgate.manager.storage.tables.certificates import *
from cloudgate.manager.storage.tables.cloud import *
from cloudgate.manager.storage.tables.infrastructure import *
from cloudgate.manager.storage.tables.notifications import *
from cloudgate.manager.storage.tables.records import *
from cloudgate.manager.storage.tables.usage import *
