"""A TCP relay in front of a database, which a test can cut."""

import contextlib
import socket
import threading


class Relay:
    """Listens on a port of this machine and passes bytes both ways, until it is cut.

    Args:
        path: Of the Unix socket behind it.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._sockets: list[socket.socket] = []
        self._flowing = threading.Event()
        self._flowing.set()
        self._listener = self._listen(0)
        self.port: int = self._listener.getsockname()[1]

    def cut(self, *, silently: bool) -> None:
        """Let nothing through any more.

        Args:
            silently: Hold what comes, as where packets are lost on the way; else break every connection
                and refuse new ones, as where the server is gone.
        """
        self._flowing.clear()
        if not silently:
            _close(self._listener)
            self._drop()

    def mend(self) -> None:
        """Let new connections through again. Those of before are broken by now."""
        self._drop()
        self._flowing.set()
        if self._listener.fileno() < 0:
            self._listener = self._listen(self.port)

    def close(self) -> None:
        """End it."""
        _close(self._listener)
        self._drop()
        self._flowing.set()

    def _listen(self, port: int) -> socket.socket:
        listener = socket.create_server(("127.0.0.1", port), backlog=64)
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()
        return listener

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):  # closed
            while True:
                client, _ = listener.accept()
                server = socket.socket(socket.AF_UNIX)
                server.connect(self._path)
                self._sockets += [client, server]
                for ends in ((client, server), (server, client)):
                    threading.Thread(target=self._pass_on, args=ends, daemon=True).start()

    def _pass_on(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):  # broken, from either side or by us
            while content := source.recv(65536):
                self._flowing.wait()
                sink.sendall(content)
        _close(sink)

    def _drop(self) -> None:
        broken, self._sockets = self._sockets, []
        for end in broken:
            _close(end)


def _close(end: socket.socket) -> None:
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)  # wakes the thread that waits for it
    end.close()
