"""Query pages: how is one page of what is found read, in a constant number of statements?"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, Generic, NamedTuple, TypeVar
from uuid import UUID

from sqlalchemy import Column, ColumnElement, Select, func, select
from sqlalchemy.orm import Session
from sqlalchemy.sql.visitors import iterate

from cloudgate.errors import InvalidRequestError
from cloudgate.manager.core.unit_of_work import UnitOfWork
from cloudgate.manager.queries.fields import Fields
from cloudgate.manager.queries.filter import Condition
from cloudgate.manager.storage.tables import BackupServer
from cloudgate.manager.storage.tenant_rows import Named
from cloudgate.values.numbers import whole

DEFAULT_PAGE_SIZE = 100
LARGEST_PAGE = 10_000
LAST_PAGE = 2**31 - 1

Row = TypeVar("Row")


def mapped(session: Session, wanted: Select[Any]) -> Sequence[Any]:
    """The things that are `wanted`, as SQLAlchemy maps them."""
    return session.scalars(wanted).unique().all()


@dataclass(frozen=True)
class Source(Generic[Row]):
    """Where the things of one kind come from."""

    fields: Fields
    rows: Select[Any]
    """All of them, with what is loaded along."""
    key: Any
    """The column that tells them apart, and so settles their order."""
    is_for_all: bool = True
    """Whether all who may ask see the same."""
    is_whole_table: bool = False
    """Whether each row of the key's table is one, and `rows` narrows nothing down."""
    read: Callable[[Session, Select[Any]], Sequence[Row]] = mapped
    """Reads a page of `rows`."""


@dataclass(frozen=True, kw_only=True)
class Query:
    """What is asked for."""

    condition: Condition | None = None
    sort_by: str | None = None
    descending: bool = False
    page: int = 1
    """Counted from 1."""
    page_size: int = DEFAULT_PAGE_SIZE


@dataclass(frozen=True)
class Page(Generic[Row]):
    """A part of what was found."""

    rows: Sequence[Row]
    number: int
    size: int
    pages: int
    """How many there are; 1 when nothing was found."""


def read_page(work: UnitOfWork, source: Source[Row], query: Query) -> Page[Row]:
    """The page of a query.

    Raises:
        InvalidRequestError: the filter or the order names what is not there.
    """
    condition = source.fields.compiled(query.condition)
    chosen = source.rows.where(condition)

    def count() -> int:
        found = chosen.with_only_columns(source.key, maintain_column_froms=True).order_by(None)
        return work.session.scalar(select(func.count()).select_from(found.subquery())) or 0

    asked = source, query.condition
    total = work.query_counts.total(asked, work.changes, count) if source.is_for_all else count()
    order = [source.key]
    if query.sort_by is not None:
        field = source.fields.get(query.sort_by, "sort")
        order.insert(0, field.sort_key.desc() if query.descending else field.sort_key.asc())
    before = (query.page - 1) * query.page_size
    if before and source.is_whole_table and _are_of_its_table(source.key, condition, *order):
        # By an index alone: else each row of the pages before is read, with what is joined to it.
        keys = select(source.key).where(condition).order_by(*order)
        chosen, before = source.rows.where(source.key.in_(_page(keys, query, before))), 0
    rows = source.read(work.session, _page(chosen.order_by(*order), query, before))
    pages = max(1, -(-total // query.page_size))
    return Page(rows, query.page, query.page_size, pages)


def _page(ordered: Select[Any], query: Query, before: int) -> Select[Any]:
    return ordered.limit(query.page_size).offset(before)


def _are_of_its_table(key: Any, *expressions: ColumnElement[Any]) -> bool:
    columns = (each for one in expressions for each in iterate(one) if isinstance(each, Column))
    return all(each.table is key.class_.__table__ for each in columns)


class NamedRow(NamedTuple):
    """As much of a thing as its reference shows."""

    id: UUID
    name: str
    backup_server: Named


def read_names(work: UnitOfWork, source: Source[Any], query: Query) -> Page[NamedRow]:
    """The page of a query, by what things are called alone: to map them takes ten times as long.

    Raises:
        InvalidRequestError: the filter or the order names what is not there.
    """
    return read_page(work, replace(source, read=_namer(source.key.class_)), query)


@cache
def _namer(table: Any) -> Callable[[Session, Select[Any]], Sequence[NamedRow]]:
    columns = (table.id, table.name, table.backup_server_id)

    def read(session: Session, wanted: Select[Any]) -> Sequence[NamedRow]:
        only = wanted.with_only_columns(*columns, maintain_column_froms=True)
        rows = session.execute(only).all()
        ids = {site_id for _id, _name, site_id in rows}
        sites = select(BackupServer.id, BackupServer.name).where(BackupServer.id.in_(ids))
        known = {each.id: Named(each.id, each.name) for each in session.execute(sites)}
        return [NamedRow(identifier, name, known[site]) for identifier, name, site in rows]

    return read


def number(text: str | None, name: str, default: int, largest: int) -> int:
    """A parameter that is a number from 1 on.

    Raises:
        InvalidRequestError: it is something else.
    """
    if text is None or not text.strip():
        return default
    found = whole(text.strip(), 1, largest)
    if found is None:
        raise InvalidRequestError(
            f"{name}: found {text[:100]!r}, expected a whole number from 1 to {largest}."
        )
    return found
