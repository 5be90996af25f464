//! A protocol of the definitions without a socket: their bytes out, and whether what comes is what they expect.
//!
//! An answer is right as soon as the bytes so far hold everything that is expected, and no byte after them changes that: so
//! the verdict never depends on the pieces in which an answer comes.

pub mod sample;

use regex::bytes::{Regex, RegexBuilder};
use regex_syntax::ParserBuilder;
use regex_syntax::hir::Look;
use thiserror::Error;

use crate::model::custom::Custom;
use crate::model::observation::Stage;
use crate::wire::handshake::{Handshake, Progress, Told};

/// An answer is looked at so far, in bytes.
pub const MAX_ANSWER: usize = 64 << 10;
/// Up to here every reading is searched anew; beyond, only every so many bytes, lest a peer that sends single bytes keeps us
/// searching.
const SEARCHED_ANEW: usize = 4 << 10;
/// A compiled expression, in bytes: what one line needs is far below, and searching costs its size for every byte.
const MAX_COMPILED: usize = 64 << 10;

/// What is wrong with a regular expression of the definitions.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Refused {
    /// It cannot be read.
    #[error("is not valid: {0}")]
    Invalid(String),
    /// It asks what comes after the bytes it has.
    #[error("looks for an end, and more may always come")]
    SeeksEnd,
    /// Searching for it would cost too much.
    #[error("is too large")]
    TooLarge,
}

/// A regular expression of the definitions.
///
/// # Errors
/// What is wrong with it.
pub fn compile(text: &str) -> Result<Regex, Refused> {
    let mut parser = ParserBuilder::new().unicode(false).utf8(false).build();
    let parsed = parser.parse(text).map_err(|error| {
        Refused::Invalid(match error {
            regex_syntax::Error::Parse(error) => error.kind().to_string(),
            regex_syntax::Error::Translate(error) => error.kind().to_string(),
            _ => "it cannot be read".to_owned(),
        })
    })?;
    let mut looks = parsed.properties().look_set().iter();
    if looks.any(|look| !matches!(look, Look::Start | Look::StartLF)) {
        return Err(Refused::SeeksEnd);
    }
    RegexBuilder::new(text)
        .unicode(false)
        .size_limit(MAX_COMPILED)
        .build()
        .map_err(|_| Refused::TooLarge)
}

/// What must come back.
pub struct Pattern {
    custom: Custom,
    regex: Option<Regex>,
}

impl Pattern {
    /// An expression that does not compile, which no definitions get past their checks, is found in nothing.
    pub fn new(custom: &Custom) -> Self {
        Self {
            custom: custom.clone(),
            regex: custom.regex.as_deref().and_then(|it| compile(it).ok()),
        }
    }

    /// The expectations that these bytes do not meet.
    fn unmet(&self, answer: &[u8]) -> Vec<&'static str> {
        let Custom {
            prefix, contains, ..
        } = &self.custom;
        let is_found = |sought: &[u8]| {
            sought.is_empty() || answer.windows(sought.len()).any(|part| part == sought)
        };
        let is_matched = self.custom.regex.is_none()
            || self.regex.as_ref().is_some_and(|it| it.is_match(answer));
        [
            ("prefix", answer.starts_with(&prefix.0)),
            ("contains", is_found(&contains.0)),
            ("regex", is_matched),
        ]
        .into_iter()
        .filter_map(|(name, is_met)| (!is_met).then_some(name))
        .collect()
    }

    /// Whether nothing that may still come makes these bytes begin as they should.
    fn is_hopeless(&self, answer: &[u8]) -> bool {
        let prefix = &self.custom.prefix.0;
        let common = prefix.len().min(answer.len());
        prefix.get(..common) != answer.get(..common)
    }

    /// What a whole answer shows.
    pub fn read(&self, answer: &[u8]) -> Told {
        let unmet = self.unmet(answer);
        if unmet.is_empty() {
            Told::new(Stage::Bound)
        } else {
            Told::new(Stage::Answered).saying("unmet", unmet.join(", "))
        }
    }
}

/// Who sends the definitions' bytes and reads the answer.
pub struct Client {
    send: Vec<u8>,
    pattern: Pattern,
    answer: Vec<u8>,
    /// Length of the answer when it was last searched.
    searched: usize,
    told: Told,
    over: Option<Progress>,
}

impl Client {
    /// Speaks so.
    pub fn new(custom: &Custom) -> Self {
        Self {
            send: custom.send.0.clone(),
            pattern: Pattern::new(custom),
            answer: Vec::new(),
            searched: 0,
            told: Told::default(),
            over: None,
        }
    }

    /// Notes what the answer shows so far; it is `over` if nothing more is waited for.
    fn look(&mut self, is_over: bool) -> Progress {
        self.searched = self.answer.len();
        let told = self.pattern.read(&self.answer);
        let progress = if told.stage == Stage::Bound {
            Progress::Done
        } else if is_over || self.pattern.is_hopeless(&self.answer) {
            Progress::Failed("not what the definitions expect")
        } else {
            return Progress::More;
        };
        self.told = told;
        self.over = Some(progress);
        progress
    }
}

impl Handshake for Client {
    fn send(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.send)
    }

    fn receive(&mut self, bytes: &[u8]) -> Progress {
        if let Some(over) = self.over {
            return over;
        }
        if bytes.is_empty() {
            return Progress::More;
        }
        self.told.stage = Stage::Answered;
        let room = MAX_ANSWER.saturating_sub(self.answer.len());
        self.answer
            .extend_from_slice(bytes.get(..room).unwrap_or(bytes));
        let length = self.answer.len();
        let is_full = length == MAX_ANSWER;
        if is_full || length <= SEARCHED_ANEW || length >= self.searched + SEARCHED_ANEW {
            self.look(is_full)
        } else {
            Progress::More
        }
    }

    fn told(&self) -> Told {
        self.told.clone()
    }

    fn end(&mut self) -> Progress {
        match self.over {
            Some(over) => over,
            None if self.answer.is_empty() => Progress::More,
            None => self.look(true),
        }
    }

    fn ends_in_silence(&self) -> bool {
        !self.answer.is_empty()
    }
}

/// What a server that the definitions describe says: everything they expect that can be made up.
pub fn honest_answer(custom: &Custom) -> Vec<u8> {
    let made_up = made_up(custom);
    let is_right = |answer: &&Vec<u8>| is_met(custom, answer);
    let right = made_up.iter().find(is_right).or(made_up.first());
    right.cloned().unwrap_or_default()
}

/// Whether these bytes are all that the definitions expect.
pub fn is_met(custom: &Custom, answer: &[u8]) -> bool {
    Pattern::new(custom).unmet(answer).is_empty()
}

/// Answers that may be right, the plainest first.
fn made_up(custom: &Custom) -> Vec<Vec<u8>> {
    let Custom {
        prefix,
        contains,
        regex,
        ..
    } = custom;
    let (prefix, contains) = (prefix.0.as_slice(), contains.0.as_slice());
    let plain = match (prefix, contains) {
        ([], []) => b"ready\r\n".to_vec(),
        _ => [prefix, contains].concat(),
    };
    let sample = regex.as_deref().and_then(sample::sample);
    let sample = sample.unwrap_or_default();
    let sample = sample.as_slice();
    vec![
        plain,
        [prefix, sample, contains].concat(),
        [sample, contains].concat(),
        [prefix, contains, sample].concat(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::custom::Octets;

    fn custom(prefix: &[u8], contains: &[u8], regex: Option<&str>) -> Custom {
        Custom {
            send: Octets(b"PING\r\n".to_vec()),
            prefix: Octets(prefix.to_vec()),
            contains: Octets(contains.to_vec()),
            regex: regex.map(str::to_owned),
        }
    }

    /// The verdict on an answer that comes in these pieces and ends.
    fn verdict(custom: &Custom, pieces: &[&[u8]]) -> (Progress, Told) {
        let mut client = Client::new(custom);
        let mut progress = Progress::More;
        for piece in pieces {
            progress = client.receive(piece);
        }
        if progress == Progress::More {
            progress = client.end();
        }
        (progress, client.told())
    }

    #[test]
    fn the_message_is_sent_once_and_the_answer_is_read_in_pieces() {
        let mut client = Client::new(&custom(b"+PO", b"NG", Some("^\\+PONG\\r\\n")));
        assert_eq!(client.send(), b"PING\r\n");
        assert_eq!(client.send(), b"");
        assert!(!client.ends_in_silence());
        assert_eq!(client.receive(b"+P"), Progress::More);
        assert!(client.ends_in_silence());
        assert_eq!(client.receive(b"ONG"), Progress::More);
        assert_eq!(client.receive(b"\r\n"), Progress::Done);
        assert_eq!(client.told(), Told::new(Stage::Bound));
        assert_eq!(client.receive(b"more"), Progress::Done);
    }

    #[test]
    fn a_wrong_beginning_is_known_at_once_and_each_unmet_expectation_is_named() {
        let mut client = Client::new(&custom(b"+PONG", b"x", Some("[0-9]")));
        assert_eq!(client.receive(b"-"), client.end());
        assert_eq!(client.told().said("unmet"), Some("prefix, contains, regex"));
        let (progress, told) = verdict(&custom(b"+", b"x", None), &[b"+PONG"]);
        assert!(matches!(progress, Progress::Failed(_)));
        assert_eq!(told.stage, Stage::Answered);
        assert_eq!(told.said("unmet"), Some("contains"));
    }

    #[test]
    fn without_expectations_any_byte_is_right_and_none_is_not() {
        let (progress, told) = verdict(&Custom::default(), &[b"\0"]);
        assert_eq!((progress, told.stage), (Progress::Done, Stage::Bound));
        let (progress, told) = verdict(&Custom::default(), &[b""]);
        assert_eq!((progress, told.stage), (Progress::More, Stage::Silent));
    }

    #[test]
    fn an_answer_without_an_end_is_given_up() {
        let mut client = Client::new(&custom(b"", b"never", None));
        let mut read = 0;
        while client.receive(&[b'a'; 1000]) == Progress::More {
            read += 1000;
            assert!(read < MAX_ANSWER);
        }
        assert_eq!(client.answer.len(), MAX_ANSWER);
    }

    #[test]
    fn what_is_expected_past_the_first_pages_is_found() {
        let mut long = vec![b'a'; 9000];
        long.extend_from_slice(b"here");
        let pieces: Vec<&[u8]> = long.chunks(7).collect();
        assert_eq!(
            verdict(&custom(b"a", b"here", None), &pieces).0,
            Progress::Done
        );
    }

    #[test]
    fn expressions_read_bytes_and_never_an_end() {
        assert!(compile(r"^\x00.\xff").is_ok_and(|it| it.is_match(b"\0\x80\xff")));
        for (wrong, words) in [
            ("(", "unclosed group"),
            ("a$", "an end"),
            (r"a\z", "an end"),
            (r"\bword", "an end"),
            ("(?m)a$", "an end"),
            (r"\p{Greek}", "not valid"),
            ("((a{100}){100}){100}", "too large"),
        ] {
            let trouble = compile(wrong).expect_err(wrong).to_string();
            assert!(trouble.contains(words), "{wrong}: {trouble}");
        }
    }

    #[test]
    fn an_expression_that_does_not_compile_is_found_in_nothing() {
        let (progress, _) = verdict(&custom(b"", b"", Some("(")), &[b"("]);
        assert!(matches!(progress, Progress::Failed(_)));
    }

    #[test]
    fn an_honest_server_says_what_is_expected() {
        for custom in [custom(b"+PONG", b"x", None), custom(b"", b"", None)] {
            let answer = honest_answer(&custom);
            assert_eq!(verdict(&custom, &[&answer]).0, Progress::Done);
        }
    }
}
