import select

from article import accept, listen, parse_command_line, receive

arguments = parse_command_line("--edge")
mode = select.EPOLLET if arguments.edge else 0
server = listen(arguments.host, arguments.port)
connections = {}
epoll = select.epoll()
epoll.register(server, select.EPOLLIN | mode)


def accept_all():
    while True:
        connection = accept(server)
        connections[connection.fileno()] = connection
        epoll.register(connection, select.EPOLLIN | mode)


def converse(fd):
    while reply := receive(connections[fd]):
        connections[fd].send(reply)
    epoll.unregister(fd)
    connections.pop(fd).close()


while True:
    for fd, _ in epoll.poll():
        try:
            accept_all() if fd == server.fileno() else converse(fd)
        except BlockingIOError:
            pass
