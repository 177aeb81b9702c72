"""The queue of a listening socket: whoever stands there has connected, and may have sent a request.

When the socket is closed the system resets these connections. So before it is closed no more may come, and
those that wait are taken. Only Linux can do this; elsewhere what waits at that moment is lost.
"""

from __future__ import annotations

import contextlib
import ctypes
import socket
import struct

_SO_ATTACH_FILTER = 26
_REFUSE_ALL = struct.pack(
    "HBBI", 0x06, 0, 0, 0
)  # one instruction of classic BPF: keep 0 bytes of each packet
_TCP_INFO_UNACKED = struct.Struct("24xI")  # of `struct tcp_info`; of a listening socket: its queue's length


def take_no_more(listening: socket.socket) -> None:
    """Let nobody connect any more: who tries goes on trying, until the socket is closed."""
    if not hasattr(socket, "TCP_INFO"):
        return
    program = ctypes.create_string_buffer(_REFUSE_ALL, len(_REFUSE_ALL))
    told = struct.pack("HP", 1, ctypes.addressof(program))  # struct sock_fprog
    with contextlib.suppress(OSError):
        listening.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, told)


def waiting(listening: socket.socket) -> int:
    """How many connections wait; 0 where the system does not tell."""
    number = getattr(socket, "TCP_INFO", None)
    if number is None:
        return 0
    with contextlib.suppress(OSError, struct.error):
        told = listening.getsockopt(socket.IPPROTO_TCP, number, _TCP_INFO_UNACKED.size)
        return int(_TCP_INFO_UNACKED.unpack(told)[0])
    return 0
