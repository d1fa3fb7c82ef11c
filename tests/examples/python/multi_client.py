import socket

from article import family_of, parse_command_line

MESSAGES = ["This is ", "the message. ", "It will be sent ", "in parts."]

arguments = parse_command_line()
family = family_of(arguments.host)
connections = [socket.socket(family, socket.SOCK_STREAM) for _ in range(2)]

print(f"connecting to {arguments.host} port {arguments.port}")
for connection in connections:
    connection.connect((arguments.host, arguments.port))

for index, message in enumerate(MESSAGES):
    data = message.encode()
    connection = connections[index % 2]
    print(f"{connection.getsockname()}: sending {data}")
    connection.sendall(data)
    reply = connection.recv(1024)
    print(f"{connection.getsockname()}: received {reply}")
