//! One query to one resolver: what came back, and what it amounts to.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustls::crypto::SecureRandom;

use crate::measure::bogon;
use crate::measure::checks::Context;
use crate::measure::classify::rcode_failure;
use crate::measure::trace::Stopped;
use crate::model::catalog::{Resolver, ResolverRole, Transport};
use crate::model::check::RecordType;
use crate::model::failure::Failure;
use crate::model::line::Line;
use crate::model::observation::{DnsFacts, DnsReply, IcmpError, Operation, TcpFacts};
use crate::wire::dns::Question;

pub mod doh;
pub mod stream;
pub mod udp;

/// Asks one resolver one question.
pub async fn run(
    context: &Context,
    resolver: &str,
    name: &str,
    record: RecordType,
    chaos: bool,
) -> Result<(), Stopped> {
    let room = &context.room;
    let Some(resolver) = room.resolvers.get(resolver) else {
        context
            .trace
            .not_run("the definitions have no resolver of this id");
        return Ok(());
    };
    if let Some(reason) = refusal(&room.line, resolver) {
        context.trace.not_run(reason);
        return Ok(());
    }
    // RFC 8484, 4.1: the id is zero where HTTP may cache.
    let id = match resolver.transport {
        Transport::Doh => 0,
        _ => random_id(room.trust.provider.secure_random),
    };
    let question = Question {
        id,
        name: name.to_owned(),
        record,
        chaos,
    };
    let Some(inquiry) = Inquiry::new(context, question) else {
        context
            .trace
            .not_run("this name cannot stand in a DNS query");
        return Ok(());
    };
    // Each in a box of its own: hundreds of UDP queries listen at once, and none needs the room of a TLS handshake.
    match resolver.transport {
        Transport::Udp => Box::pin(udp::ask(context, resolver, &inquiry)).await,
        Transport::Tcp => Box::pin(stream::ask_tcp(context, resolver, &inquiry)).await,
        Transport::Dot => Box::pin(stream::ask_dot(context, resolver, &inquiry)).await,
        Transport::Doh => Box::pin(doh::ask(context, resolver, &inquiry)).await,
    }
}

/// Why this resolver is not asked here, if it is not. The system's own may be anywhere: the machine is told to use it.
fn refusal(line: &Line, resolver: &Resolver) -> Option<String> {
    let address = resolver.address.ip();
    match resolver.role {
        ResolverRole::System => None,
        ResolverRole::Decoy => bogon::decoy_refusal(line, address),
        ResolverRole::Public | ResolverRole::National => bogon::refusal(line, address),
    }
}

fn random_id(random: &dyn SecureRandom) -> u16 {
    let mut bytes = [0; 2];
    // Without randomness the id is guessable, and the reply is then no worse than any unauthenticated one.
    let _ = random.fill(&mut bytes);
    u16::from_be_bytes(bytes)
}

/// One question on its way: the bytes, and everything that came back.
pub struct Inquiry {
    /// The query as bytes.
    pub message: Vec<u8>,
    question: Question,
    heard: Arc<Mutex<Heard>>,
}

#[derive(Default)]
struct Heard {
    facts: DnsFacts,
    icmp: Vec<IcmpError>,
}

/// What one message amounts to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Worth {
    /// Ours, well formed and whole.
    Answer,
    /// Ours, but cut: the rest is to be had over TCP.
    Truncated,
    /// Not ours, or no DNS message.
    Other,
}

impl Inquiry {
    /// `None` if the name cannot be asked. The facts go into the Resolve step of the context's trace.
    pub fn new(context: &Context, question: Question) -> Option<Self> {
        let message = question.encode()?;
        let heard: Arc<Mutex<Heard>> = Arc::default();
        let (sampled, room) = (Arc::clone(&heard), Arc::clone(&context.room));
        context.trace.sample(move |step| {
            if step.operation != Operation::Resolve {
                return;
            }
            let heard = lock(&sampled);
            let mut facts = heard.facts.clone();
            let told = facts.replies.iter().flat_map(DnsReply::addresses);
            let told: Vec<String> = told.map(str::to_owned).collect();
            facts.bogons = bogons(&room.line, &told);
            facts.bogons.sort();
            facts.bogons.dedup();
            step.dns = Some(Box::new(facts));
            if !heard.icmp.is_empty() {
                let tcp = step
                    .tcp
                    .get_or_insert_with(|| Box::new(TcpFacts::default()));
                tcp.icmp.clone_from(&heard.icmp);
            }
        });
        Some(Self {
            message,
            question,
            heard,
        })
    }

    /// The query was sent, for the first time or again.
    pub fn sent(&self) {
        lock(&self.heard).facts.sent += 1;
    }

    /// ICMP errors came.
    pub fn refused(&self, errors: Vec<IcmpError>) {
        lock(&self.heard).icmp.extend(errors);
    }

    /// The DoH server's status.
    pub fn http_status(&self, status: u16) {
        lock(&self.heard).facts.http_status = Some(status);
    }

    /// A message came.
    pub fn heard(&self, bytes: &[u8], t: f64) -> Worth {
        let reply = self.question.decode(bytes, t);
        let worth = match &reply {
            reply if !reply.id_matches || reply.malformed.is_some() => Worth::Other,
            reply if reply.truncated => Worth::Truncated,
            _ => Worth::Answer,
        };
        lock(&self.heard).facts.replies.push(reply);
        worth
    }

    /// Bytes came that were not even said to be DNS.
    pub fn heard_nonsense(&self, bytes: &[u8], t: f64, why: String) {
        let mut reply = self.question.decode(bytes, t);
        reply.malformed = Some(why);
        lock(&self.heard).facts.replies.push(reply);
    }

    /// How many replies came.
    pub fn count(&self) -> u64 {
        u64::try_from(lock(&self.heard).facts.replies.len()).unwrap_or(u64::MAX)
    }

    /// What everything heard amounts to; `otherwise` is what ended the waiting if nothing acceptable came.
    pub fn outcome(&self, line: &Line, otherwise: Option<Failure>) -> Result<(), Failure> {
        let heard = lock(&self.heard);
        let facts = &heard.facts;
        // One that was cut and holds nothing says nothing, whatever became of the question over TCP.
        let is_cut = |reply: &DnsReply| {
            reply.truncated && reply.answers.is_empty() && rcode_failure(reply.rcode).is_none()
        };
        if let Some(reply) = facts.accepted().filter(|reply| !is_cut(reply)) {
            return judged(line, reply, self.question.record).map_or(Ok(()), Err);
        }
        Err(match otherwise {
            Some(failure) => failure,
            None if facts.replies.is_empty() => Failure::GenericTimeout,
            None if facts
                .replies
                .iter()
                .all(|reply| !reply.id_matches && reply.malformed.is_none()) =>
            {
                Failure::DnsWrongQueryId
            }
            None => Failure::DnsServerMisbehaving,
        })
    }
}

/// What is wrong with an accepted reply, if anything is.
pub fn judged(line: &Line, reply: &DnsReply, record: RecordType) -> Option<Failure> {
    if let Some(failure) = rcode_failure(reply.rcode) {
        return Some(failure);
    }
    let mut asked = reply
        .answers
        .iter()
        .filter(|answer| answer.record == record.word())
        .peekable();
    if asked.peek().is_none() {
        return Some(Failure::DnsNoAnswer);
    }
    let addresses: Vec<String> = asked.map(|answer| answer.value.clone()).collect();
    let is_false = record != RecordType::Txt && bogons(line, &addresses).len() == addresses.len();
    is_false.then_some(Failure::DnsBogon)
}

/// Those addresses that cannot be true on this line.
pub fn bogons(line: &Line, addresses: &[String]) -> Vec<String> {
    let is_bogon = |text: &&String| {
        let address = text.parse::<IpAddr>();
        address.is_ok_and(|address| bogon::is_bogon_here(line, address))
    };
    addresses.iter().filter(is_bogon).cloned().collect()
}

fn lock(heard: &Mutex<Heard>) -> MutexGuard<'_, Heard> {
    heard.lock().unwrap_or_else(PoisonError::into_inner)
}
