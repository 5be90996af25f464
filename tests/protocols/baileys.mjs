// Shakes hands with a server at 127.0.0.1 the way Baileys does, and says what it made of the answer.
// node baileys.mjs FOLDER PORT ROOT_KEY, where FOLDER holds Baileys' node_modules.
import net from 'node:net';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

const [folder, port, root] = process.argv.slice(2);
const load = (file) => import(pathToFileURL(path.join(folder, 'node_modules/baileys', file)));
const { makeNoiseHandler } = await load('lib/Utils/noise-handler.js');
const { Curve } = await load('lib/Utils/crypto.js');
const { NOISE_WA_HEADER, WA_CERT_DETAILS } = await load('lib/Defaults/index.js');
const { proto } = await load('WAProto/index.js');

const { default: libsignal } = await import(pathToFileURL(path.join(folder, 'node_modules/libsignal/index.js')));

// Baileys trusts WhatsApp's own key; here the server has another.
WA_CERT_DETAILS.PUBLIC_KEY = Buffer.from(root, 'hex');

// Baileys takes a signature for good unless libsignal throws, and libsignal answers `false`: so libsignal is asked here.
let chain;
const decode = proto.CertChain.decode;
proto.CertChain.decode = (bytes) => (chain = decode.call(proto.CertChain, bytes));
const isSigned = (key, { details, signature }) =>
    libsignal.curve.verifySignature(Buffer.concat([Buffer.from([5]), key]), Buffer.from(details), Buffer.from(signature));
const trouble = () => {
    const { key } = proto.CertChain.NoiseCertificate.Details.decode(chain.intermediate.details);
    if (!isSigned(WA_CERT_DETAILS.PUBLIC_KEY, chain.intermediate)) return 'intermediate';
    return isSigned(key, chain.leaf) ? undefined : 'leaf';
};

const quiet = { level: 'silent', child: () => quiet, trace() {}, debug() {}, info() {}, warn() {}, error() {} };
const keyPair = Curve.generateKeyPair();
const noise = makeNoiseHandler({ keyPair, NOISE_HEADER: NOISE_WA_HEADER, logger: quiet });
const hello = proto.HandshakeMessage.encode({ clientHello: { ephemeral: keyPair.public } }).finish();
const message = Buffer.from(noise.encodeFrame(hello));
const socket = net.connect(Number(port), '127.0.0.1', () => socket.write(message));

const end = (words) => {
    console.log(words);
    socket.destroy();
    process.exit(0);
};
socket.setTimeout(10_000, () => end('silence'));
socket.on('error', (error) => end(`error ${error.code}`));
socket.on('close', () => end('closed'));
socket.on('data', (bytes) =>
    noise.decodeFrame(bytes, (frame) => {
        try {
            noise.processHandshake(proto.HandshakeMessage.decode(frame), Curve.generateKeyPair());
            if (trouble()) end(`refused ${trouble()}`);
            end(`authentic ${message.subarray(0, 11).toString('hex')} ${message.length}`);
        } catch (error) {
            end(`refused ${error.message}`);
        }
    }),
);
