"""An echo server on Python's selectors, with callbacks in key.data.

    python3 bench/peers/python_selectors_echo.py 8001
"""

import selectors
import socket
import sys

BUFFER_BYTES = 256 * 1024

selector = selectors.DefaultSelector()


def accept(listener):
    try:
        while True:
            connection, _ = listener.accept()
            connection.setblocking(False)
            selector.register(connection, selectors.EVENT_READ, echo)
    except BlockingIOError:
        pass


def hang_up(connection):
    selector.unregister(connection)
    connection.close()


def send(connection, data):
    """Returns what was not taken, or None if the peer is gone."""
    try:
        return data[connection.send(data):]
    except BlockingIOError:
        return data
    except OSError:
        hang_up(connection)
        return None


def echo(connection):
    try:
        data = connection.recv(BUFFER_BYTES)
    except BlockingIOError:
        return
    except OSError:
        data = b""
    if not data:
        return hang_up(connection)
    rest = send(connection, data)
    if rest:
        flush_later(connection, rest)


def flush_later(connection, rest):
    def flush(connection):
        left = send(connection, rest)
        if left:
            flush_later(connection, left)
        elif left is not None:
            selector.modify(connection, selectors.EVENT_READ, echo)

    selector.modify(connection, selectors.EVENT_WRITE, flush)


def main():
    listener = socket.create_server(("127.0.0.1", int(sys.argv[1])), backlog=4096)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    listener.setblocking(False)
    selector.register(listener, selectors.EVENT_READ, accept)
    while True:
        for key, _ in selector.select():
            key.data(key.fileobj)


main()
