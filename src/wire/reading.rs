//! Protocols of one question and one answer: what either half makes of the bytes that come.

use crate::model::observation::Stage;
use crate::wire::handshake::{Progress, Told};

/// What the bytes so far are to a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reading {
    /// Nothing yet: the answer goes on, or has not begun.
    NeedMore,
    /// The answer.
    Done(Told),
    /// No answer of this protocol, and why not.
    Failed(&'static str),
}

/// What a server does after the bytes so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// Waits.
    NeedMore,
    /// Sends this.
    Answer(Vec<u8>),
    /// Leaves the client to others: it speaks something else.
    NotOurs,
}

/// What was made of the bytes so far, and whether that is the end of it.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    told: Told,
    over: Option<Progress>,
}

impl Outcome {
    /// How it ended, if it did.
    pub fn over(&self) -> Option<Progress> {
        self.over
    }

    /// What is known so far.
    pub fn told(&self) -> Told {
        self.told.clone()
    }

    /// Bytes came, and were read so.
    pub fn note(&mut self, bytes: &[u8], reading: Reading) -> Progress {
        if !bytes.is_empty() {
            self.told.stage = self.told.stage.max(Stage::Answered);
        }
        let progress = match reading {
            Reading::NeedMore => return Progress::More,
            Reading::Done(told) => {
                self.told = told;
                Progress::Done
            }
            Reading::Failed(why) => {
                self.told.says.push(("answer".to_owned(), why.to_owned()));
                Progress::Failed(why)
            }
        };
        self.over = Some(progress);
        progress
    }
}

/// Telling one thing after another.
impl Told {
    /// An answer that proves itself so far, and says nothing yet.
    pub fn new(stage: Stage) -> Self {
        Self {
            stage,
            says: Vec::new(),
        }
    }

    /// The same, saying one thing more.
    #[must_use]
    pub fn saying(mut self, name: &str, value: impl Into<String>) -> Self {
        self.says.push((name.to_owned(), value.into()));
        self
    }

    /// The first thing said under a name.
    pub fn said(&self, name: &str) -> Option<&str> {
        let mut says = self.says.iter();
        says.find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }
}
