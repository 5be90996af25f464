//! The app's own first message and its answer, on a stream that stands: one loop for every protocol.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

use crate::measure::checks::Context;
use crate::measure::checks::tls::{MAX_FIRST, clear_text};
use crate::measure::limits::Limits;
use crate::measure::places::Place;
use crate::measure::tee::{Passed, Tee};
use crate::measure::trace::Stopped;
use crate::model::catalog::Protocol;
use crate::model::check::{Climb, Payload};
use crate::model::failure::Failure;
use crate::model::observation::{ExchangeFacts, Operation, Stage, Step};
use crate::wire::handshake::{Anything, Handshake, Progress, Told};
use crate::wire::{custom, max, stun, text};

pub mod datagrams;
pub mod heads;
pub mod messages;
pub mod telegram;
pub mod websocket;
pub mod whatsapp;

/// One reading. What a protocol keeps of it, it bounds itself.
const READING: usize = 4 << 10;

/// What is said of an answer that is not the one a researcher's definitions describe.
pub const NOT_EXPECTED: &str = "the answer is not what the definitions expect";

/// What is known so far; shared with whoever tells the facts, so that a deadline costs nothing of it.
#[derive(Default)]
pub struct Seen {
    told: Told,
    /// What carries the protocol got so far.
    carried: Stage,
    /// Status of the answer to an upgrade.
    http_status: Option<u16>,
}

/// What STUN is asked, over either transport.
pub fn ask_of(climb: &Climb) -> stun::Ask {
    match (climb.protocol, climb.payload) {
        (_, Payload::WithoutCookie) => stun::Ask::Classic,
        (Protocol::Turn | Protocol::TurnTcp, _) => stun::Ask::Allocate,
        _ => stun::Ask::Binding,
    }
}

/// How a protocol's messages travel, and who reads them.
struct Talk {
    /// They travel inside a WebSocket.
    is_in_websocket: bool,
    /// Nothing if the upgrade is all that is wanted.
    handshake: Option<Box<dyn Handshake + Send>>,
    /// What is said of an answer that is not the protocol.
    not_ours: &'static str,
}

impl Talk {
    /// The one place where a protocol gets its messages; `None` for those that are not spoken.
    fn of(context: &Context, climb: &Climb) -> Option<Self> {
        let whatsapp = |is_in_websocket| Self {
            is_in_websocket,
            handshake: Some(Box::new(whatsapp::initiator(context, climb))),
            not_ours: "the answer is not WhatsApp's",
        };
        let talk = match climb.protocol {
            Protocol::MtprotoAbridged
            | Protocol::MtprotoIntermediate
            | Protocol::MtprotoObfuscated
            | Protocol::MtprotoHttp
            | Protocol::MtprotoWebsocket => Some(Self {
                is_in_websocket: climb.protocol == Protocol::MtprotoWebsocket,
                handshake: Some(telegram::client(context, climb)?),
                not_ours: "the answer is not Telegram's",
            }),
            Protocol::MaxBinary | Protocol::MaxWebsocket => Some(Self {
                is_in_websocket: climb.protocol == Protocol::MaxWebsocket,
                handshake: Some(Box::new(max::Client::new(random(context)))),
                not_ours: "the answer is not MAX's",
            }),
            Protocol::WhatsappNoise => Some(whatsapp(false)),
            Protocol::WhatsappWebsocket => Some(whatsapp(true)),
            Protocol::Websocket => Some(Self {
                is_in_websocket: true,
                handshake: None,
                not_ours: "the answer is not a WebSocket's",
            }),
            Protocol::StunTcp | Protocol::TurnTcp => {
                let ask = ask_of(climb);
                Some(Self {
                    is_in_websocket: false,
                    handshake: Some(Box::new(stun::Client::new(ask, random(context)))),
                    not_ours: "the answer is not STUN's",
                })
            }
            Protocol::CustomTcp | Protocol::CustomTls => {
                let own = climb.custom.as_deref().cloned().unwrap_or_default();
                Some(Self {
                    is_in_websocket: false,
                    handshake: Some(Box::new(custom::Client::new(&own))),
                    not_ours: NOT_EXPECTED,
                })
            }
            _ => None,
        };
        match climb.payload {
            Payload::Random => talk.map(|talk| talk.with_noise(context)),
            Payload::Own | Payload::WithoutCookie => talk,
        }
    }
}

impl Talk {
    /// Random bytes, as many as the protocol's own first message has and of its kinds.
    fn with_noise(self, context: &Context) -> Self {
        let own = self.handshake.map_or(Vec::new(), |mut own| own.send());
        Self {
            is_in_websocket: false,
            handshake: Some(Box::new(Anything::new(noise(context, &own)))),
            not_ours: "nothing came back",
        }
    }
}

/// Says the first message and reads until the verdict is known, then lets go of the stream: nothing more is sent.
pub async fn run<S>(
    context: &Context,
    place: &Place,
    stream: S,
    climb: &Climb,
) -> Result<(), Stopped>
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    let limits = &context.room.limits;
    let Some(talk) = Talk::of(context, climb) else {
        context
            .trace
            .not_run(format!("nothing is said in {}", climb.protocol.word()));
        return Ok(());
    };
    let stream = Tee::new(stream);
    let passed = stream.passed();
    let seen = Arc::new(Mutex::new(Seen::default()));
    context
        .trace
        .sample(sampler(&passed, &seen, most_kept(climb)));
    place.take().await;
    // Boxed: the buffers of a WebSocket are large, and most climbs have none.
    let talking = Box::pin(converse(stream, talk, climb, limits, &seen));
    let patient = place.patiently(limits.patience_talk, || passed.received(), talking);
    context
        .trace
        .step(Operation::Exchange, limits.exchange, patient)
        .await
}

async fn converse<S>(
    stream: Tee<S>,
    talk: Talk,
    climb: &Climb,
    limits: &Limits,
    seen: &Mutex<Seen>,
) -> Result<(), Failure>
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    let not_ours = talk.not_ours;
    if talk.is_in_websocket {
        let upgraded = websocket::upgrade(stream, climb, limits, seen, not_ours).await?;
        match (upgraded, talk.handshake) {
            (Some(messages), Some(handshake)) => {
                shake(messages, handshake, limits, seen, not_ours).await
            }
            _ => Ok(()),
        }
    } else if let Some(handshake) = talk.handshake {
        shake(stream, handshake, limits, seen, not_ours).await
    } else {
        Ok(())
    }
}

/// Sends what there is to send and hands over what comes, until the handshake has seen enough.
async fn shake<S>(
    mut stream: S,
    mut handshake: Box<dyn Handshake + Send>,
    limits: &Limits,
    seen: &Mutex<Seen>,
    not_ours: &'static str,
) -> Result<(), Failure>
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    let mut buffer = vec![0; READING];
    loop {
        let message = handshake.send();
        if !message.is_empty() {
            stream.write_all(&message).await?;
            stream.flush().await?;
        }
        let quiet = handshake.ends_in_silence().then_some(limits.exchange_quiet);
        let length = match read(&mut stream, &mut buffer, quiet).await {
            Err(error) if messages::is_broken_rule(&error) => {
                return Err(Failure::Unknown(not_ours.to_owned()));
            }
            read => read?,
        };
        let bytes = buffer.get(..length).unwrap_or_default();
        let progress = if bytes.is_empty() {
            handshake.end()
        } else {
            handshake.receive(bytes)
        };
        lock(seen).told = handshake.told();
        match progress {
            Progress::More if bytes.is_empty() => return Err(Failure::Eof),
            Progress::More => {}
            Progress::Done if handshake.is_answered() => return Ok(()),
            Progress::Done => return Err(Failure::Unknown(not_ours.to_owned())),
            Progress::Failed(_) => {
                // Somebody else's text may come in pieces, and what it says is evidence.
                let rest = read_on(&mut stream, &mut buffer, limits.exchange_text);
                drop(timeout(limits.patience_talk, rest).await);
                return Err(Failure::Unknown(not_ours.to_owned()));
            }
        }
    }
}

/// One reading. Nothing: the peer closed, or was `quiet` for so long, where that ends its answer.
async fn read<S: AsyncRead + Unpin>(
    stream: &mut S,
    buffer: &mut [u8],
    quiet: Option<Duration>,
) -> std::io::Result<usize> {
    let reading = stream.read(buffer);
    match quiet {
        Some(quiet) => timeout(quiet, reading).await.unwrap_or(Ok(0)),
        None => reading.await,
    }
}

/// Reads so much more, or to the end; the stream itself keeps what is told of it.
async fn read_on<S: AsyncRead + Unpin>(stream: &mut S, buffer: &mut [u8], most: usize) {
    let mut read = 0;
    while read < most {
        match stream.read(buffer).await {
            Ok(length) if length > 0 => read += length,
            _ => return,
        }
    }
}

/// How much is told of an answer's beginning: of STUN's the head alone, since an own address may stand behind it.
pub const fn most_kept(climb: &Climb) -> usize {
    match climb.protocol {
        Protocol::Stun
        | Protocol::Turn
        | Protocol::Commnat
        | Protocol::StunTcp
        | Protocol::TurnTcp => stun::HEADER,
        _ => MAX_FIRST,
    }
}

/// Adds to the step what was seen, however it ended.
fn sampler(
    passed: &Arc<Passed>,
    seen: &Arc<Mutex<Seen>>,
    most: usize,
) -> impl Fn(&mut Step) + Send + use<> + 'static {
    let (passed, seen) = (Arc::clone(passed), Arc::clone(seen));
    move |step| {
        if step.operation != Operation::Exchange {
            return;
        }
        let seen = lock(&seen);
        let head = if step.failure.is_some() {
            passed.head()
        } else {
            Vec::new()
        };
        let first = head.get(..most).unwrap_or(&head);
        step.exchange = Some(Box::new(ExchangeFacts {
            sent_bytes: passed.sent(),
            received_bytes: passed.received(),
            first_received: (!first.is_empty()).then(|| text::hex(first)),
            clear_text: clear_text(&head),
            stage: seen.told.stage.max(seen.carried),
            http_status: seen.http_status,
            says: seen.told.says.clone(),
            ..ExchangeFacts::default()
        }));
    }
}

/// Bytes that nobody can know, in the place of these and each of the same kind.
pub fn noise(context: &Context, own: &[u8]) -> Vec<u8> {
    let mut random = vec![0; own.len()];
    let source = context.room.trust.provider.secure_random;
    source
        .fill(&mut random)
        .expect("the system has random bytes");
    scrambled(own, &random)
}

/// Each byte replaced by another of its kind, which the random one chooses. Servers look at a first byte or at lines before they know
/// any protocol: nginx takes 0x80 and more for the beginning of TLS and hangs up without a word, answers most others with an
/// error, and waits for the end of a line of letters. What such a server does to all bytes of a kind must not look as if
/// it were done to an app's.
fn scrambled(own: &[u8], random: &[u8]) -> Vec<u8> {
    own.iter()
        .zip(random)
        .map(|(own, random)| {
            let kind = kind_of(*own);
            let others = (0..=u8::MAX).filter(|it| kind_of(*it) == kind && it != own);
            let others: Vec<u8> = others.collect();
            let chosen = others.get(usize::from(*random) % others.len().max(1));
            chosen.copied().unwrap_or(*own)
        })
        .collect()
}

/// Kinds of bytes. What frames text, what a TLS record begins with, and the type of SSL 2's first message, which OpenSSL looks for
/// after a first byte of 0x80 or more, is one of its own each.
#[derive(PartialEq, Eq)]
enum Kind {
    Itself(u8),
    Upper,
    Lower,
    Digit,
    Mark,
    Control,
    High,
}

const fn kind_of(byte: u8) -> Kind {
    match byte {
        0x01 | b'\t' | b'\n' | b'\r' | b' ' | 0x14..=0x17 => Kind::Itself(byte),
        b'A'..=b'Z' => Kind::Upper,
        b'a'..=b'z' => Kind::Lower,
        b'0'..=b'9' => Kind::Digit,
        0x80.. => Kind::High,
        _ if byte.is_ascii_graphic() => Kind::Mark,
        _ => Kind::Control,
    }
}

/// New random bytes.
pub fn random<const LENGTH: usize>(context: &Context) -> [u8; LENGTH] {
    let mut bytes = [0; LENGTH];
    let source = context.room.trust.provider.secure_random;
    source
        .fill(&mut bytes)
        .expect("the system has random bytes");
    bytes
}

/// A lock that a panic elsewhere does not take away.
pub fn lock_any<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn lock(seen: &Mutex<Seen>) -> std::sync::MutexGuard<'_, Seen> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn noise_is_of_the_same_kinds_and_another_at_every_byte_that_frames_nothing() {
        let own = b"\xef\x0a\0\xff PING 42\r\n{\"x\":1}\x16\x03\x01";
        for random in 0..=u8::MAX {
            let noise = scrambled(own, &vec![random; own.len()]);
            for (own, noise) in own.iter().zip(&noise) {
                assert!(kind_of(*own) == kind_of(*noise), "{own} {noise}");
                let is_kept = matches!(kind_of(*own), Kind::Itself(_));
                assert_eq!(own == noise, is_kept, "{own} {noise}");
            }
        }
        let all: Vec<u8> = (0..=u8::MAX).collect();
        let firsts = all.iter().map(|random| scrambled(&[0xef], &[*random])[0]);
        assert_eq!(firsts.collect::<BTreeSet<u8>>().len(), 127);
    }
}
