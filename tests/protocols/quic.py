"""QUIC by aioquic.

PYTHONPATH=FOLDER python3 quic.py serve CERTIFICATE KEY ALPN RETRY VERSIONS: says the port it listens at, and ends with its
standard input. VERSIONS are hexadecimal, RETRY is yes or no.
PYTHONPATH=FOLDER python3 quic.py hello NAME: says a client's first datagram, in hexadecimal digits.
"""

import asyncio
import sys
import time

from aioquic.asyncio import serve
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import QuicConnection


async def listen(certificate, key, alpn, retry, versions):
    configuration = QuicConfiguration(
        is_client=False,
        alpn_protocols=[alpn],
        supported_versions=[int(version, 16) for version in versions.split(",")],
    )
    configuration.load_cert_chain(certificate, key)
    server = await serve("127.0.0.1", 0, configuration=configuration, retry=retry == "yes")
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
