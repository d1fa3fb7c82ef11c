"""Asks a server what stands on standard input, and prints the answer in hexadecimal."""

import socket
import sys

PATIENCE = 10
LIMIT = 100_000

protocol, port = sys.argv[1], int(sys.argv[2])
message = sys.stdin.buffer.read()


def ask_over_tcp():
    with socket.create_connection(("127.0.0.1", port), PATIENCE) as connection:
        connection.sendall(message)
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        while chunk := connection.recv(LIMIT):
            answer += chunk
        return answer


def ask_over_udp():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams:
        datagrams.settimeout(PATIENCE)
        datagrams.sendto(message, ("127.0.0.1", port))
        return datagrams.recv(LIMIT)


print({"tcp": ask_over_tcp, "udp": ask_over_udp}[protocol]().hex())
