import select

from article import accept, listen, parse_command_line, receive

arguments = parse_command_line()
server = listen(arguments.host, arguments.port)
inputs = [server]

while True:
    readable, _, _ = select.select(inputs, [], [])
    for ready in readable:
        if ready is server:
            inputs.append(accept(server))
        elif reply := receive(ready):
            ready.send(reply)
        else:
            inputs.remove(ready)
            ready.close()
