import selectors

import article

arguments = article.parse_command_line()
selector = selectors.DefaultSelector()


def accept(server, mask):
    connection = article.accept(server)
    selector.register(connection, selectors.EVENT_READ, read)


def read(connection, mask):
    if reply := article.receive(connection):
        connection.send(reply)
    else:
        selector.unregister(connection)
        connection.close()


server = article.listen(arguments.host, arguments.port)
selector.register(server, selectors.EVENT_READ, accept)

while True:
    for key, mask in selector.select():
        callback = key.data
        callback(key.fileobj, mask)
