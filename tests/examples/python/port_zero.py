"""Sends datagrams from port 0, which only a raw socket can, to a port on this machine."""

import socket
import struct
import sys

COUNT = 50

with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_UDP) as raw:
    for port in sys.argv[1:]:
        message = b"answer me"
        header = struct.pack("!HHHH", 0, int(port), 8 + len(message), 0)
        for _ in range(COUNT):
            raw.sendto(header + message, ("127.0.0.1", 0))
