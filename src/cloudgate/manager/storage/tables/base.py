"""Base: what have all tables in common?"""

from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import (
    JSON,
    BigInteger,
    Integer,
    MetaData,
    Text,
)
from sqlalchemy.orm import DeclarativeBase

from cloudgate.manager.storage.types import UtcDateTime

__all__ = ("Base",)

REVISION = BigInteger().with_variant(Integer, "sqlite")


LIST = JSON(none_as_null=True)


class Base(DeclarativeBase):
    """All tables."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(column_0_label)s",
            "uq": "uq_%(table_name)s_%(column_0_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map: ClassVar = {
        datetime: UtcDateTime,
        str: Text,
        dict[str, Any]: JSON(none_as_null=True),
    }
