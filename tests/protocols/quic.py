"""QUIC by aioquic.

PYTHONPATH=FOLDER python3 quic.py serve CERTIFICATE KEY ALPN RETRY VERSIONS: says the port it listens at, and ends with its
standard input. VERSIONS are hexadecimal, RETRY is yes or no. A request by HTTP/3 is answered with what it asked for.
PYTHONPATH=FOLDER python3 quic.py hello NAME: says a client's first datagram, in hexadecimal digits.
"""

import asyncio
import sys
import time

from aioquic.asyncio import QuicConnectionProtocol, serve
from aioquic.h3.connection import H3Connection
from aioquic.h3.events import HeadersReceived
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


def hello(name):
    client = QuicConnection(configuration=QuicConfiguration(server_name=name, alpn_protocols=["h3"]))
    client.connect(("192.0.2.1", 443), now=time.monotonic())
    datagram, _ = client.datagrams_to_send(now=time.monotonic())[0]
    print(datagram.hex(), flush=True)


match sys.argv[1:]:
    case ["serve", *rest]:
        asyncio.run(listen(*rest))
    case ["hello", name]:
        hello(name)
