"""Telethon's own transports and TL types on one end of a pipe: `serve` answers a client, `ask` asks a server."""
import asyncio
import os
import struct
import sys
import time

from telethon.crypto import AESModeCTR
from telethon.extensions import BinaryReader
from telethon.network.connection import tcpabridged, tcpfull, tcpintermediate
from telethon.network.connection.tcpobfuscated import ObfuscatedIO
from telethon.tl.functions import ReqPqMultiRequest
from telethon.tl.types import ResPQ

CODECS = {
    "abridged": tcpabridged.AbridgedPacketCodec,
    "intermediate": tcpintermediate.IntermediatePacketCodec,
    "padded": tcpintermediate.RandomizedIntermediatePacketCodec,
    "full": tcpfull.FullPacketCodec,
}


def plain(body, remainder):
    """An unencrypted message whose id leaves this remainder."""
    return struct.pack("<qqi", 0, (int(time.time()) << 32) | remainder, len(body)) + body


async def packet(codec, stream):
    """The one packet of these bytes, which it must fill."""
    reader = asyncio.StreamReader()
    reader.feed_data(stream)
    reader.feed_eof()
    payload = await codec.read_packet(reader)
    assert not await reader.read(), "bytes behind the packet"
    return payload


def opened(payload):
    """The TL object of an unencrypted message."""
    with BinaryReader(payload) as reader:
        assert reader.read_long() == 0
        number, length = reader.read_long(), reader.read_int()
        # Padding of other lengths than Telethon's own stays behind the body; the length tells.
        body = reader.read(length)
    with BinaryReader(body) as reader:
        value = reader.tgread_object()
        assert not reader.read(), "bytes behind the object"
    return number, value


def take():
    return bytes.fromhex(sys.stdin.readline())


def give(data):
    print(bytes(data).hex(), flush=True)


async def serve(codec, obfuscated):
    hello = take()
    if obfuscated:
        header, rest = hello[:64], hello[64:]
        turned = header[55:7:-1]
        decrypt = AESModeCTR(header[8:40], header[40:56])
        encrypt = AESModeCTR(turned[:32], turned[32:48])
        assert decrypt.encrypt(header)[56:60] == codec.obfuscate_tag
        hello = decrypt.encrypt(rest)
    elif codec.tag:
        assert hello.startswith(codec.tag)
        hello = hello[len(codec.tag):]
    number, request = opened(await packet(codec, hello))
    assert isinstance(request, ReqPqMultiRequest), request
    assert number % 4 == 0 and abs((number >> 32) - time.time()) < 3600, number
    answer = ResPQ(request.nonce, int.from_bytes(os.urandom(16), "big", signed=True), b"\x17\xed\x48\x94\x1a\x08\xf9\x81",
                   [-3414540481677951611, 847625836280919973])
    stream = codec.encode_packet(plain(bytes(answer), 1))
    give(encrypt.encrypt(stream) if obfuscated else stream)


async def ask(codec, obfuscated):
    nonce = int.from_bytes(os.urandom(16), "big", signed=True)
    stream = codec.encode_packet(plain(bytes(ReqPqMultiRequest(nonce)), 0))
    if obfuscated:
        header, encrypt, decrypt = ObfuscatedIO.init_header(codec)
        give(bytes(header) + encrypt.encrypt(stream))
    else:
        give((codec.tag or b"") + stream)
    answer = take()
    number, value = opened(await packet(codec, decrypt.encrypt(answer) if obfuscated else answer))
    assert isinstance(value, ResPQ) and value.nonce == nonce and number % 4 == 1
    print(" ".join(f"{seen & (1 << 64) - 1:016x}" for seen in value.server_public_key_fingerprints), flush=True)


MODE, NAME, DRESS = sys.argv[1:]
asyncio.run({"serve": serve, "ask": ask}[MODE](CODECS[NAME](None), DRESS == "obfuscated"))
