import queue
import selectors

from article import accept, listen, parse_command_line, receive

READ, WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE

arguments = parse_command_line()
server = listen(arguments.host, arguments.port)
selector = selectors.DefaultSelector()
selector.register(server, READ)


def read(connection, replies):
    if reply := receive(connection):
        replies.put(reply)
        selector.modify(connection, READ | WRITE, replies)
    else:
        selector.unregister(connection)
        connection.close()


def write(connection, replies):
    try:
        connection.send(replies.get_nowait())
    except queue.Empty:
        selector.modify(connection, READ, replies)


while True:
    for key, mask in selector.select():
        if key.fileobj is server:
            selector.register(accept(server), READ, queue.Queue())
        elif mask & WRITE:
            write(key.fileobj, key.data)
        else:
            read(key.fileobj, key.data)
