"""Echo, UDP echo and fan-out on asyncio's protocols, on its own loop or on uvloop.

    python3 bench/peers/python_asyncio.py echo 8001 [uvloop]
"""

import asyncio
import socket
import sys


class Echo(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.transport.write(data)

    def pause_writing(self):
        self.transport.pause_reading()

    def resume_writing(self):
        self.transport.resume_reading()


class FanOut(asyncio.Protocol):
    transports = set()

    def connection_made(self, transport):
        self.transport = transport
        self.transports.add(transport)

    def data_received(self, data):
        for transport in self.transports:
            if transport is not self.transport:
                transport.write(data)

    def connection_lost(self, error):
        self.transports.discard(self.transport)


class Datagram(asyncio.DatagramProtocol):
    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, data, address):
        self.transport.sendto(data, address)


async def serve(mode, port):
    loop = asyncio.get_running_loop()
    if mode == "datagram":
        transport, _ = await loop.create_datagram_endpoint(
            Datagram, ("127.0.0.1", port)
        )
        queue = transport.get_extra_info("socket")
        queue.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 * 1024 * 1024)
    else:
        protocol = Echo if mode == "echo" else FanOut
        await loop.create_server(protocol, "127.0.0.1", port, backlog=4096)
    await loop.create_future()


def main():
    mode, port, *loop = sys.argv[1:]
    if loop == ["uvloop"]:
        import uvloop

        uvloop.install()
    asyncio.run(serve(mode, int(port)))


main()
