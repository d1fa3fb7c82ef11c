import select

from article import accept, listen, parse_command_line, receive

arguments = parse_command_line()
server = listen(arguments.host, arguments.port)
connections = {}
poll = select.poll()
poll.register(server, select.POLLIN)

while True:
    for fd, _ in poll.poll():
        if fd == server.fileno():
            connection = accept(server)
            connections[connection.fileno()] = connection
            poll.register(connection, select.POLLIN)
        elif reply := receive(connections[fd]):
            connections[fd].send(reply)
        else:
            poll.unregister(fd)
            connections.pop(fd).close()
