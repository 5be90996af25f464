//! Protocols over UDP: one request, sent again if nobody answers, and after an answer a short train that shows what is lost.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::time::{Instant, sleep_until, timeout_at};

use crate::measure::checks::Context;
use crate::measure::checks::exchange::{NOT_EXPECTED, ask_of, lock_any, most_kept, noise, random};
use crate::measure::datagram::{self, Listener, Schedule};
use crate::measure::socket;
use crate::measure::trace::Stopped;
use crate::model::catalog::Protocol;
use crate::model::check::{Climb, Payload};
use crate::model::failure::Failure;
use crate::model::observation::{ExchangeFacts, IcmpError, Operation, Stage};
use crate::wire::handshake::Told;
use crate::wire::reading::Reading;
use crate::wire::{custom, reflector, stun, text};

/// Bytes of a datagram that are read and told.
const MAX_DATAGRAM: usize = 2 << 10;
/// The train: enough to see a tenth of the packets lost now and then, too few to load anybody.
const TRAIN: usize = 10;
/// Between two of the train, as in a call.
const PACE: Duration = Duration::from_millis(20);
/// Round trips that the last of the train waits for.
const LAST_WAIT: Duration = Duration::from_millis(400);

/// One question and whoever reads its answer.
enum Client {
    Stun(stun::Client),
    Reflector(reflector::Client),
    /// What the definitions send and expect.
    Custom(Vec<u8>, Box<custom::Pattern>),
    /// Bytes that mean nothing: any answer is one.
    Noise(Vec<u8>),
}

impl Client {
    fn new(context: &Context, climb: &Climb) -> Self {
        match (climb.protocol, climb.payload) {
            (Protocol::CustomUdp, payload) => {
                let own = climb.custom.as_deref().cloned().unwrap_or_default();
                if payload == Payload::Random {
                    return Self::Noise(noise(context, &own.send.0));
                }
                let pattern = Box::new(custom::Pattern::new(&own));
                Self::Custom(own.send.0, pattern)
            }
            (_, Payload::Random) => Self::Noise(random::<20>(context).to_vec()),
            (Protocol::TelegramReflector, _) => {
                Self::Reflector(reflector::Client::new(random(context), random(context)))
            }
            // Apple's own protocol is not published: what is sent is a question that its neighbours know.
            _ => Self::Stun(stun::Client::new(ask_of(climb), random(context))),
        }
    }

    fn hello(&self) -> Vec<u8> {
        match self {
            Self::Stun(client) => client.hello(),
            Self::Reflector(client) => client.hello(),
            Self::Custom(bytes, _) | Self::Noise(bytes) => bytes.clone(),
        }
    }

    /// Reads a datagram; what it says of our address is let go of at once.
    fn read(&mut self, datagram: &[u8]) -> Reading {
        match self {
            Self::Stun(client) => client.read(datagram),
            Self::Reflector(client) => client.take(datagram),
            Self::Custom(_, pattern) => Reading::Done(pattern.read(datagram)),
            Self::Noise(_) => Reading::Done(Told::new(Stage::Answered)),
        }
    }

    /// What is said of an answer that is not the protocol.
    const fn not_ours(&self) -> &'static str {
        match self {
            Self::Custom(..) => NOT_EXPECTED,
            _ => NOT_OURS,
        }
    }

    /// The address that the answer says we have.
    fn mapped(&self) -> Option<SocketAddr> {
        match self {
            Self::Stun(client) => client.mapped().first().copied(),
            Self::Reflector(client) => client.mapped().first().copied(),
            Self::Custom(..) | Self::Noise(_) => None,
        }
    }
}

/// Asks, and measures a train where it was answered.
pub async fn run(context: &Context, climb: &Climb) -> Result<(), Stopped> {
    let room = &context.room;
    let limits = &room.limits;
    let place = room.climbs.at(climb.address.ip()).await;
    let facts: Arc<Mutex<ExchangeFacts>> = Arc::default();
    let sampled = Arc::clone(&facts);
    context.trace.sample(move |step| {
        if step.operation == Operation::Exchange {
            step.exchange = Some(Box::new(lock_any(&sampled).clone()));
        }
    });
    let schedule = Schedule {
        resend: limits.datagram_resend.clone(),
        give_up: limits.datagram_give_up,
        listen: Duration::ZERO,
        most: 8,
    };
    let asking = async {
        let socket = socket::udp(climb.address)?;
        let mut ear = Ear {
            client: Client::new(context, climb),
            began: Instant::now(),
            facts: &facts,
            most_kept: most_kept(climb),
            outcome: None,
        };
        let hello = ear.client.hello();
        let ended = datagram::exchange(&socket, &hello, &schedule, &room.line, &mut ear).await;
        match ear.outcome {
            Some(true) => {}
            Some(false) => return Err(Failure::Unknown(ear.client.not_ours().to_owned())),
            None => return Err(ended.err().map_or(Failure::GenericTimeout, Failure::from)),
        }
        note_mapping(&facts, &room.line, ear.client.mapped());
        // Answers that nobody can tell apart would measure nothing.
        if climb.payload == Payload::Own && !climb.protocol.is_custom() {
            // What the train loses is a fact beside the answer, and no failure.
            drop(train(context, climb, &socket, &facts).await);
        }
        Ok(())
    };
    let patient = place.patiently(
        limits.patience_connect,
        || lock_any(&facts).received_bytes,
        asking,
    );
    context
        .trace
        .step(Operation::Exchange, limits.exchange, patient)
        .await
}

const NOT_OURS: &str = "the answer is not the protocol's";

/// Whether the other side sees us at an address of our own, which is never told.
fn note_mapping(
    facts: &Mutex<ExchangeFacts>,
    line: &crate::model::line::Line,
    mapped: Option<SocketAddr>,
) {
    let Some(mapped) = mapped else { return };
    let words = if line.own.iter().any(|net| net.addr() == mapped.ip()) {
        "our own address"
    } else {
        "another address than our own (NAT)"
    };
    lock_any(facts)
        .says
        .push(("mapped".to_owned(), words.to_owned()));
}

struct Ear<'a> {
    client: Client,
    began: Instant,
    facts: &'a Mutex<ExchangeFacts>,
    /// Bytes that are told of what came first.
    most_kept: usize,
    /// Whether an answer was the protocol's.
    outcome: Option<bool>,
}

impl Listener for Ear<'_> {
    fn sent(&mut self) {
        let mut facts = lock_any(self.facts);
        facts.datagrams = Some(facts.datagrams.unwrap_or(0) + 1);
        facts.sent_bytes += length(&self.client.hello());
        // The last sending may be what is answered: a round trip is then told too short, never too long.
        self.began = Instant::now();
    }

    fn heard(&mut self, bytes: &[u8]) -> bool {
        let reading = self.client.read(bytes);
        let mut facts = lock_any(self.facts);
        facts.received_bytes += length(bytes);
        facts.stage = facts.stage.max(Stage::Answered);
        let kept = bytes.get(..self.most_kept).unwrap_or(bytes);
        facts.first_received.get_or_insert_with(|| text::hex(kept));
        let is_answer = match reading {
            Reading::Done(told) => {
                let is_answer =
                    told.stage >= Stage::Bound || matches!(self.client, Client::Noise(_));
                facts.stage = facts.stage.max(told.stage);
                facts.says = told.says;
                is_answer
            }
            Reading::NeedMore | Reading::Failed(_) => false,
        };
        if is_answer {
            facts.first_received = None;
            facts.round_trips.push(seconds(self.began.elapsed()));
        }
        self.outcome = Some(is_answer || self.outcome == Some(true));
        is_answer
    }

    fn refused(&mut self, errors: Vec<IcmpError>) {
        lock_any(self.facts).icmp.extend(errors);
    }
}

/// Requests at the pace of a call, each with an id of its own; their round trips tell loss and jitter.
async fn train(
    context: &Context,
    climb: &Climb,
    socket: &UdpSocket,
    facts: &Mutex<ExchangeFacts>,
) -> io::Result<()> {
    let start = Instant::now();
    let mut waiting: Vec<(Client, Instant)> = Vec::with_capacity(TRAIN);
    let mut buffer = [0; MAX_DATAGRAM];
    for number in 0..=TRAIN {
        let is_last = number == TRAIN;
        let until = if is_last {
            Instant::now() + LAST_WAIT
        } else {
            let due = start + PACE * u32::try_from(number).unwrap_or(0);
            sleep_until(due).await;
            let client = Client::new(context, climb);
            let hello = client.hello();
            socket.send(&hello).await?;
            let mut told = lock_any(facts);
            told.datagrams = Some(told.datagrams.unwrap_or(0) + 1);
            told.sent_bytes += length(&hello);
            drop(told);
            waiting.push((client, Instant::now()));
            due + PACE
        };
        while !waiting.is_empty() {
            let Ok(received) = timeout_at(until, socket.recv(&mut buffer)).await else {
                break;
            };
            let bytes = buffer.get(..received?).unwrap_or_default();
            let answered = waiting.iter_mut().position(|(client, _)| {
                matches!(client.read(bytes), Reading::Done(told) if told.stage >= Stage::Bound)
            });
            if let Some(answered) = answered {
                let (_, sent) = waiting.swap_remove(answered);
                let mut told = lock_any(facts);
                told.received_bytes += length(bytes);
                told.round_trips.push(seconds(sent.elapsed()));
            }
        }
    }
    Ok(())
}

fn length(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

/// To the microsecond, like every time of a report.
fn seconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e6
}
