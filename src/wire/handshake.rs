//! The first exchange of an app's own protocol without a socket: bytes out, bytes in, and how far the answer proves itself.

use crate::model::observation::Stage;

/// A conversation of few messages. Whoever carries the bytes asks what to send, hands over what came, and stops when told.
pub trait Handshake {
    /// What is to be sent now: asked once at the beginning and again after every reading. Empty: nothing.
    fn send(&mut self) -> Vec<u8>;

    /// Takes what came, in whatever pieces. Once it is over, further bytes change nothing.
    fn receive(&mut self, bytes: &[u8]) -> Progress;

    /// What is known so far.
    fn told(&self) -> Told;

    /// The peer closed, or fell silent: what that makes of what came. `More`: nothing.
    fn end(&mut self) -> Progress {
        Progress::More
    }

    /// Whether silence from now on is the end of the answer, where nothing else tells it.
    fn ends_in_silence(&self) -> bool {
        false
    }

    /// Whether what came answers us, once it is whole: a message of the protocol that answers somebody else's question proves
    /// nobody here.
    fn is_answered(&self) -> bool {
        self.told().stage >= Stage::Bound
    }
}

/// Bytes that mean nothing, for contrast: any answer is one.
pub struct Anything {
    bytes: Vec<u8>,
    told: Told,
}

impl Anything {
    /// Sends these bytes.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self {
            bytes: bytes.into(),
            told: Told::default(),
        }
    }
}

impl Handshake for Anything {
    fn send(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.bytes)
    }

    fn receive(&mut self, bytes: &[u8]) -> Progress {
        if !bytes.is_empty() {
            self.told.stage = Stage::Answered;
        }
        Progress::Done
    }

    fn told(&self) -> Told {
        self.told.clone()
    }

    fn is_answered(&self) -> bool {
        true
    }
}

/// Whether the conversation goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// More bytes have to come.
    More,
    /// Everything that was wanted is known.
    Done,
    /// The peer does not speak the protocol; in fixed words.
    Failed(&'static str),
}

/// What an answer showed so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// How far it proves itself.
    pub stage: Stage,
    /// What it says, by name; bounded, and safe to show.
    pub says: Vec<(String, String)>,
}
