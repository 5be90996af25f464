"""QUIC by aioquic.

PYTHONPATH=FOLDER python3 quic.py serve CERTIFICATE KEY ALPN RETRY VERSIONS: says the port it listens at, and ends with its
standard input. VERSIONS are hexadecimal, RETRY is yes or no. A request by HTTP/3 is answered with what it asked for.
PYTHONPATH=FOLDER python3 quic.py get PORT NAME PATH: says how a request by HTTP/3 was answered: status, content-type and body.
PYTHONPATH=FOLDER python3 quic.py hello NAME: says a client's first datagram, in hexadecimal digits.
"""

import asyncio
import ssl
import sys
import time

from aioquic.asyncio import QuicConnectionProtocol, connect, serve
from aioquic.h3.connection import H3Connection
from aioquic.h3.events import DataReceived, HeadersReceived
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import QuicConnection


class Http(QuicConnectionProtocol):
    """Answers a request with its own head: headers that the static table has, and some that are in Huffman's code alone."""

    http = None

    def quic_event_received(self, event):
        if self.http is None:
            self.http = H3Connection(self._quic)
        for event in self.http.handle_event(event):
            if isinstance(event, HeadersReceived):
                self.answer(event.stream_id, event.headers)

    def answer(self, stream, asked):
        body = b"".join(name + b": " + value + b"\n" for name, value in asked)
        headers = [
            (b":status", b"418"),
            (b"server", b"aioquic, with a text that is long enough for a code"),
            (b"content-type", b"text/plain"),
            (b"content-length", str(len(body)).encode()),
            (b"x-not-in-the-table", b"~" * 200),
            (b"via", b"3.0 somebody"),
        ]
        self.http.send_headers(stream, [(b":status", b"103"), (b"link", b"</style.css>; rel=preload")])
        self.http.send_headers(stream, headers)
        self.http.send_data(stream, body, end_stream=False)
        self.http.send_headers(stream, [(b"x-checksum", b"none")], end_stream=True)
        self.transmit()


async def listen(certificate, key, alpn, retry, versions):
    configuration = QuicConfiguration(
        is_client=False,
        alpn_protocols=[alpn],
        supported_versions=[int(version, 16) for version in versions.split(",")],
    )
    configuration.load_cert_chain(certificate, key)
    server = await serve(
        "127.0.0.1",
        0,
        configuration=configuration,
        retry=retry == "yes",
        create_protocol=Http if alpn == "h3" else QuicConnectionProtocol,
    )
    print(server._transport.get_extra_info("sockname")[1], flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    server.close()


class Client(QuicConnectionProtocol):
    """Reads one answer."""

    http = None

    def ask(self, name, path):
        self.http = H3Connection(self._quic)
        self.head, self.body, self.over = {}, b"", asyncio.get_running_loop().create_future()
        asked = {":method": "GET", ":scheme": "https", ":authority": name, ":path": path}
        # A name and a value that the static table does not have are written in Huffman's code.
        asked |= {"accept": "*/*", "x-own": "a value of nobody else's"}
        headers = [(key.encode(), value.encode()) for key, value in asked.items()]
        self.http.send_headers(self._quic.get_next_available_stream_id(), headers, end_stream=True)
        self.transmit()
        return self.over

    def quic_event_received(self, event):
        for event in self.http.handle_event(event) if self.http else []:
            if isinstance(event, HeadersReceived):
                self.head = dict(event.headers)
            if isinstance(event, DataReceived):
                self.body += event.data
            if event.stream_ended:
                self.over.set_result(None)


async def get(port, name, path):
    configuration = QuicConfiguration(alpn_protocols=["h3"], server_name=name, verify_mode=ssl.CERT_NONE)
    async with connect("127.0.0.1", int(port), configuration=configuration, create_protocol=Client) as client:
        await asyncio.wait_for(client.ask(name, path), 10)
        print(client.head[b":status"].decode(), client.head[b"content-type"].decode(), client.body.decode())


def hello(name):
    client = QuicConnection(configuration=QuicConfiguration(server_name=name, alpn_protocols=["h3"]))
    client.connect(("192.0.2.1", 443), now=time.monotonic())
    datagram, _ = client.datagrams_to_send(now=time.monotonic())[0]
    print(datagram.hex(), flush=True)


match sys.argv[1:]:
    case ["serve", *rest]:
        asyncio.run(listen(*rest))
    case ["get", *rest]:
        asyncio.run(get(*rest))
    case ["hello", name]:
        hello(name)
