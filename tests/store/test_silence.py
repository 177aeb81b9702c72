"""A process that falls silent in the middle of a transaction keeps nobody out for long."""

import threading
import time

import pytest
import sqlalchemy as sa

from satisfice.store.database.engine import Database
from satisfice.store.database.url import resolve


@pytest.fixture(params=["postgres", pytest.param("mariadb", marks=pytest.mark.slow)])
def server_url(request: pytest.FixtureRequest) -> str:
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


def test_what_a_silent_transaction_has_locked_is_free_again(server_url):
    sleeper, other = Database(resolve(server_url), idle_s=1.0), Database(resolve(server_url))
    with other.write() as connection:
        connection.execute(sa.text("CREATE TABLE counts (n INTEGER)"))
        connection.execute(sa.text("INSERT INTO counts VALUES (0)"))
    asleep, sleeps = threading.Event(), [3.0]

    def add_slowly() -> None:
        with sleeper.write() as connection:
            connection.execute(sa.text("UPDATE counts SET n = n + 1"))
            asleep.set()
            time.sleep(sleeps.pop() if sleeps else 0.0)  # the first time as if stopped
            connection.execute(sa.text("UPDATE counts SET n = n + 10"))

    thread = threading.Thread(target=lambda: sleeper.retrying(add_slowly))
    thread.start()
    assert asleep.wait(300)
    with other.write() as connection:  # waits until the server has given the silent one up
        connection.execute(sa.text("UPDATE counts SET n = n + 100"))
        assert connection.execute(sa.text("SELECT n FROM counts")).scalar() == 100
    thread.join(300)
    with other.read() as connection:
        assert connection.execute(sa.text("SELECT n FROM counts")).scalar() == 111
    assert not sleeps
    sleeper.close()
    other.close()
