"""A WebSocket server over TLS whose messages lead to a TCP port and back.

PYTHONPATH=FOLDER python3 websocket_server.py CERTIFICATE KEY PORT, where FOLDER holds `websockets`. It says the port it
listens at, then a line for each request, and ends with its standard input.
"""

import asyncio
import contextlib
import http
import ssl
import sys

from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed


async def relay(socket, port):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)

    async def back():
        # Pieces of 100 bytes: a frame inside may span messages.
        while piece := await reader.read(100):
            await socket.send(piece)

    backward = asyncio.create_task(back())
    # Whoever measures goes without a farewell.
    with contextlib.suppress(ConnectionClosed):
        async for message in socket:
            writer.write(message)
            await writer.drain()
    backward.cancel()
    writer.close()


def judge(connection, request):
    print(request.path, request.headers.get("Origin"), flush=True)
    if request.path == "/forbidden":
        return connection.respond(http.HTTPStatus.FORBIDDEN, "not for you\n")
    return None


async def main(certificate, key, port):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    handler = lambda socket: relay(socket, int(port))
    async with serve(handler, "127.0.0.1", 0, ssl=context, process_request=judge) as server:
        print(server.sockets[0].getsockname()[1], flush=True)
        await asyncio.to_thread(sys.stdin.read)


asyncio.run(main(*sys.argv[1:]))
