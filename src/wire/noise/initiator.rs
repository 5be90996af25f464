//! The side that asks: message 1 goes out, and the ServerHello is taken apart as far as it proves itself.

use crate::model::observation::Stage;
use crate::wire::handshake::{Handshake, Progress, Told};
use crate::wire::noise::symmetric::Symmetric;
use crate::wire::noise::{
    CLIENT_HELLO, EPHEMERAL, FirstFrame, HEADER, PAYLOAD, SERVER_HELLO, STATIC, certificates,
    frame, keys,
};
use crate::wire::protobuf::{Message, bytes_of};

/// A static key under its tag.
const SEALED_KEY: usize = 32 + 16;

/// One conversation.
pub struct Initiator {
    ephemeral: [u8; 32],
    root: Option<[u8; 32]>,
    now: u64,
    is_sent: bool,
    frame: FirstFrame,
    progress: Progress,
    told: Told,
}

impl Initiator {
    /// `ephemeral` is a new random key for each conversation; `root` vouches for the server; `now` is in seconds since 1970.
    pub fn new(ephemeral: [u8; 32], root: Option<[u8; 32]>, now: u64) -> Self {
        Self {
            ephemeral,
            root,
            now,
            is_sent: false,
            frame: FirstFrame::default(),
            progress: Progress::More,
            told: Told::default(),
        }
    }

    fn read(&mut self) -> Progress {
        let Some(hello) = ServerHello::read(self.frame.body()) else {
            return Progress::Failed("a frame without a ServerHello");
        };
        self.told.stage = Stage::Parsed;
        let Some((static_key, chain)) = self.open(&hello) else {
            return Progress::Failed("a ServerHello for another ClientHello");
        };
        self.told.stage = Stage::Bound;
        let trouble = match self.root {
            Some(root) => certificates::verify(&chain, &root, &static_key, self.now)
                .map_err(certificates::Trouble::words),
            None => Err("no root key is named"),
        };
        match trouble {
            Ok(()) => self.told.stage = Stage::Authentic,
            Err(words) => self.say("chain", words),
        }
        Progress::Done
    }

    /// Only who holds the private keys of this very handshake can have sealed what opens here.
    fn open(&self, hello: &ServerHello<'_>) -> Option<([u8; 32], Vec<u8>)> {
        let mut state = Symmetric::new(&HEADER);
        state.mix_hash(&keys::public_of(&self.ephemeral));
        state.mix_hash(hello.ephemeral);
        state.mix_key(&keys::shared(&self.ephemeral, hello.ephemeral)?);
        let static_key: [u8; 32] = state.open(hello.static_key)?.try_into().ok()?;
        state.mix_key(&keys::shared(&self.ephemeral, &static_key)?);
        let chain = state.open(hello.payload)?;
        Some((static_key, chain))
    }

    fn say(&mut self, name: &str, words: &str) {
        self.told.says.push((name.to_owned(), words.to_owned()));
    }
}

impl Handshake for Initiator {
    fn send(&mut self) -> Vec<u8> {
        if self.is_sent {
            return Vec::new();
        }
        self.is_sent = true;
        let hello = Message::default()
            .bytes(EPHEMERAL, &keys::public_of(&self.ephemeral))
            .finish();
        let message = Message::default().bytes(CLIENT_HELLO, &hello).finish();
        [HEADER.as_slice(), &frame(&message)].concat()
    }

    fn receive(&mut self, bytes: &[u8]) -> Progress {
        if self.progress != Progress::More || bytes.is_empty() {
            return self.progress;
        }
        self.told.stage = self.told.stage.max(Stage::Answered);
        self.progress = match self.frame.take(bytes) {
            Progress::Done => self.read(),
            other => other,
        };
        if let Progress::Failed(words) = self.progress {
            self.say("answer", words);
        }
        self.progress
    }

    fn told(&self) -> Told {
        self.told.clone()
    }
}

/// What the server says first. Fields that came later (extended keys, padding) are passed over.
struct ServerHello<'m> {
    ephemeral: &'m [u8; 32],
    static_key: &'m [u8; SEALED_KEY],
    payload: &'m [u8],
}

impl<'m> ServerHello<'m> {
    fn read(message: &'m [u8]) -> Option<Self> {
        let hello = bytes_of(message, SERVER_HELLO)?;
        Some(Self {
            ephemeral: bytes_of(hello, EPHEMERAL)?.try_into().ok()?,
            static_key: bytes_of(hello, STATIC)?.try_into().ok()?,
            payload: bytes_of(hello, PAYLOAD)?,
        })
    }
}
