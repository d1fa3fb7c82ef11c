"""What the Python programs share: the command line, and the lines that servers print."""

import argparse
import socket


def parse_command_line(*flags):
    parser = argparse.ArgumentParser()
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8001)
    for flag in flags:
        parser.add_argument(flag, action="store_true")
    return parser.parse_args()


def family_of(host):
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def listen(host, port):
    server = socket.socket(family_of(host), socket.SOCK_STREAM)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind((host, port))
    server.listen()
    server.setblocking(False)
    name = f"[{host}]" if ":" in host else host
    print(f"Server start at: {name}:{server.getsockname()[1]}")
    return server


def accept(server):
    connection, address = server.accept()
    print(f"Connected by {address}")
    connection.setblocking(False)
    return connection


def receive(connection):
    """The reply to what was received, or nothing at the end."""
    data = connection.recv(1024)
    if not data:
        return b""
    print(f'received "{data}" from {connection.getpeername()}')
    return f"Server received {data}".encode()
