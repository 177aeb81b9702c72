"""Connections to database servers: what is agreed with the server when one is opened."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def lets_go(dialect: str, idle_s: float) -> Callable[[Any, Any], None]:
    """A listener to new connections: the server gives up transactions whose client has fallen silent.

    A process that is stopped, or whose machine sleeps, in the middle of a transaction would else keep
    everybody from what it has locked for as long as it sleeps. Awake again, it finds its connection gone, and
    repeats the transaction.

    Args:
        dialect: "postgresql", "mysql" or "mariadb".
        idle_s: Longest silence within a transaction, in seconds; at least one.
    """

    def listener(connection: Any, _record: Any) -> None:
        if dialect == "postgresql":
            statement = f"SET idle_in_transaction_session_timeout = {int(idle_s * 1000)}"
        elif "mariadb" in str(connection.get_server_info()).lower():
            statement = f"SET SESSION idle_write_transaction_timeout = {int(idle_s)}"
        else:  # MySQL has none
            return
        cursor = connection.cursor()
        cursor.execute(statement)
        cursor.close()
        connection.commit()

    return listener
