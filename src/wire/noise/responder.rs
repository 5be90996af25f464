//! The side that answers: a genuine ServerHello with a certificate chain, for the lab's honest servers.

use crate::model::observation::Stage;
use crate::wire::handshake::{Handshake, Progress, Told};
use crate::wire::noise::certificates::{self, Details};
use crate::wire::noise::symmetric::Symmetric;
use crate::wire::noise::{
    CLIENT_HELLO, EPHEMERAL, FirstFrame, HEADER, PAYLOAD, SERVER_HELLO, STATIC, frame, keys,
};
use crate::wire::protobuf::{Message, bytes_of};

/// Who a server is: its key and what vouches for it.
#[derive(Clone, Debug)]
pub struct Identity {
    static_key: [u8; 32],
    chain: Vec<u8>,
}

/// The private keys behind an identity.
#[derive(Clone, Debug)]
pub struct Secrets {
    /// Of whom the other side trusts.
    pub root: [u8; 32],
    /// Of whom the root signs.
    pub intermediate: [u8; 32],
    /// Of the server.
    pub leaf: [u8; 32],
}

impl Identity {
    /// Certified by the root and the intermediate, valid from and to these times (seconds since 1970).
    pub fn new(secrets: &Secrets, valid: (u64, u64), random: &[[u8; 64]; 2]) -> Self {
        let details = |serial, issuer_serial, private| Details {
            serial,
            issuer_serial,
            key: keys::public_of(private),
            not_before: valid.0,
            not_after: valid.1,
        };
        let intermediate = details(3, 0, &secrets.intermediate).certify(&secrets.root, &random[0]);
        let leaf = details(4, 3, &secrets.leaf).certify(&secrets.intermediate, &random[1]);
        Self::with_chain(secrets.leaf, certificates::chain(&leaf, &intermediate))
    }

    /// A server with this private key that shows this chain, right or wrong.
    pub const fn with_chain(static_key: [u8; 32], chain: Vec<u8>) -> Self {
        Self { static_key, chain }
    }
}

/// One conversation.
pub struct Responder<'i> {
    identity: &'i Identity,
    ephemeral: [u8; 32],
    header: Vec<u8>,
    frame: FirstFrame,
    progress: Progress,
    answer: Vec<u8>,
}

impl<'i> Responder<'i> {
    /// `ephemeral` is a new random key for each conversation.
    pub fn new(identity: &'i Identity, ephemeral: [u8; 32]) -> Self {
        Self {
            identity,
            ephemeral,
            header: Vec::with_capacity(HEADER.len()),
            frame: FirstFrame::default(),
            progress: Progress::More,
            answer: Vec::new(),
        }
    }

    fn read(&mut self) -> Progress {
        let asked = bytes_of(self.frame.body(), CLIENT_HELLO)
            .and_then(|hello| bytes_of(hello, EPHEMERAL)?.first_chunk::<32>().copied());
        match asked.and_then(|theirs| self.hello(&theirs)) {
            Some(answer) => {
                self.answer = answer;
                Progress::Done
            }
            None => Progress::Failed("a frame without a ClientHello"),
        }
    }

    fn hello(&self, theirs: &[u8; 32]) -> Option<Vec<u8>> {
        let ours = keys::public_of(&self.ephemeral);
        let mut state = Symmetric::new(&self.header);
        state.mix_hash(theirs);
        state.mix_hash(&ours);
        state.mix_key(&keys::shared(&self.ephemeral, theirs)?);
        let static_key = state.seal(&keys::public_of(&self.identity.static_key));
        state.mix_key(&keys::shared(&self.identity.static_key, theirs)?);
        let payload = state.seal(&self.identity.chain);
        let hello = Message::default()
            .bytes(EPHEMERAL, &ours)
            .bytes(STATIC, &static_key)
            .bytes(PAYLOAD, &payload)
            .finish();
        Some(frame(
            &Message::default().bytes(SERVER_HELLO, &hello).finish(),
        ))
    }
}

impl Handshake for Responder<'_> {
    fn send(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.answer)
    }

    fn receive(&mut self, bytes: &[u8]) -> Progress {
        if self.progress != Progress::More {
            return self.progress;
        }
        let missing = HEADER.len() - self.header.len();
        let (header, rest) = bytes.split_at(missing.min(bytes.len()));
        self.header.extend_from_slice(header);
        // Clients with an older dictionary say so in the last byte, and are served.
        let mut known = self.header.iter().zip(&HEADER[..3]);
        self.progress = if known.all(|(theirs, ours)| theirs == ours) {
            match self.frame.take(rest) {
                Progress::Done => self.read(),
                other => other,
            }
        } else {
            Progress::Failed("another header")
        };
        self.progress
    }

    fn told(&self) -> Told {
        let stage = match self.progress {
            Progress::Done => Stage::Bound,
            _ if self.header.is_empty() => Stage::Silent,
            _ => Stage::Answered,
        };
        Told {
            stage,
            says: Vec::new(),
        }
    }
}
