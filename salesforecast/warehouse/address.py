"""Addresses of warehouses, read so that no password is ever shown."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

from salesforecast.errors import BadValue, StoreError

_SECRETS = ("password", "sslpassword")
_HAS_SECRET = re.compile(r"//[^/@]*:[^/]*@|[?&](?:ssl)?password=")


def resolve(address: str) -> str:
    """Return the address behind `env:NAME`, or one that is given as it is.

    Notebooks, pages and run records keep the addresses they are given, so one with a password is refused. Raises
    `BadValue` for that, without repeating it, and `StoreError` for a variable that is not set.

    >>> resolve("postgresql://ann:s3cret@db/sales")
    Traceback (most recent call last):
    salesforecast.errors.BadValue: The address has a password, which notebooks and run records would keep. ...
    """
    if address.startswith("env:"):
        name = address.removeprefix("env:")
        if not os.environ.get(name):
            raise StoreError(f"The environment variable {name} is not set. Set it to the address of the store.")
        return os.environ[name]
    if _HAS_SECRET.search(address):
        raise BadValue(
            "The address has a password, which notebooks and run records would keep. Put it into PGPASSWORD or "
            "~/.pgpass, or the whole address into an environment variable NAME and give env:NAME."
        )
    return address


@dataclass(frozen=True)
class Address:
    """Where a PostgreSQL store is. `options` are those of libpq (host, port, user, sslmode, …), as psycopg takes them.

    >>> address = Address.of("postgresql://ann:s3cret@db/sales?schema=crm&sslmode=require")
    >>> address, address.schema
    (Address('postgresql://ann:***@db/sales?schema=crm&sslmode=require'), 'crm')
    """

    label: str
    schema: str
    options: dict[str, str] = field(repr=False)

    def __repr__(self) -> str:
        return f"Address({self.label!r})"

    @classmethod
    def of(cls, text: str) -> Address:
        """Read an address; raises `BadValue` for one that cannot be read, without repeating it."""
        parts = urlsplit(re.sub(r"^postgres(ql)?(\+\w+)?:(/(?!/))?", _scheme, text))
        # A password with an unwritten / ? or # would become part of the database's name, and be shown.
        if "@" in parts.path + parts.query or parts.fragment:
            raise BadValue("The address cannot be read: in a password write / as %2F, ? as %3F, # as %23 and @ as %40.")
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        try:
            given = {
                "host": parts.hostname, "port": parts.port and str(parts.port),
                "user": unquote(parts.username or ""), "password": unquote(parts.password or ""),
                "dbname": unquote(parts.path.lstrip("/")),
            }  # fmt: skip
        except ValueError:
            raise BadValue(
                "The address cannot be read: its port is no number. Write postgresql://user@host:5432/db"
            ) from None
        options = {name: value for name, value in given.items() if value}
        options |= {name: value for name, value in query.items() if name != "schema"}
        return cls(masked(parts.geturl()), query.get("schema", "public"), options)

    def without_secrets(self, message: str) -> str:
        """Return the first line of a message with every secret of the address masked."""
        line = message.strip().splitlines()[0] if message.strip() else ""
        for name in _SECRETS:
            secret = self.options.get(name)
            line = line.replace(secret, "***") if secret else line
        return line


def masked(address: str) -> str:
    """Return an address with *** for every secret in it.

    >>> masked("mysql://ann:s3cret@db/sales"), masked("postgresql:///sales?user=ann&password=s3cret")
    ('mysql://ann:***@db/sales', 'postgresql:///sales?user=ann&password=***')
    """
    parts = urlsplit(address)
    user, at, host = parts.netloc.rpartition("@")
    name, colon, _ = user.partition(":")
    query = parse_qsl(parts.query, keep_blank_values=True)
    shown = urlencode([(key, "***" if key in _SECRETS else value) for key, value in query], safe="*/:")
    return f"{parts.scheme}://{name}{colon}{'***' if colon else ''}{at}{host}{parts.path}{'?' if shown else ''}{shown}"


def _scheme(found: re.Match[str]) -> str:
    """Return the scheme; the command line's paths write `://` as `:/`."""
    return "postgresql://" if found[3] else "postgresql:"
