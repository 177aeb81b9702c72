"""What a visitor must know to read, and to write."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Self

from satisfice.addresses import is_loopback
from satisfice.errors import InputError
from satisfice.tokens import same


@dataclass(frozen=True, kw_only=True)
class Rights:
    """What one request may do."""

    read: bool
    write: bool


@dataclass(frozen=True, kw_only=True)
class Tokens:
    """The tokens that are asked for; without one nobody is asked.

    Who knows the second one may read as well.
    """

    read: str | None = field(default=None, repr=False)
    write: str | None = field(default=None, repr=False)

    @classmethod
    def checked(cls, host: str, read: str | None, write: str | None, *, allow_writes: bool) -> Self:
        """The tokens of a server that listens there.

        Raises:
            InputError: Anybody whom the network lets through could read, or whoever reads could write.
        """
        read, write = read or None, write or None
        if not is_loopback(host):
            if read is None:
                raise InputError(f"a token is needed to listen on {host}", hint="pass token=...")
            if allow_writes and write is None:
                raise InputError(
                    f"writing on {host} needs a token of its own",
                    hint="set SATISFICE_WRITE_TOKEN, or leave --allow-writes out",
                )
        if allow_writes and read is not None and write is not None and same(read, write):
            raise InputError(
                "the token for writing is the one for reading", hint="set SATISFICE_WRITE_TOKEN to another"
            )
        return cls(read=read, write=write if allow_writes else None)

    @property
    def any(self) -> bool:
        """Whether anybody is asked for anything."""
        return self.read is not None or self.write is not None

    def rights(self, sent: str | None) -> Rights:
        """What a request with that token may do."""
        # Both are compared whatever the first gives: the time that it takes tells nothing.
        reads = self.read is not None and sent is not None and same(sent, self.read)
        writes = self.write is not None and sent is not None and same(sent, self.write)
        may_write = writes or (self.write is None and (reads or self.read is None))
        return Rights(read=self.read is None or reads or writes, write=may_write)
