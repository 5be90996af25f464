//! A QUIC handshake, with everything that came over UDP beside it; or the question which versions are spoken.
//!
//! quinn's state machine over a socket of ours: a closed port, a prohibition, garbage and silence are then four things.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustls::pki_types::ServerName;

use crate::measure::checks::Context;
use crate::measure::checks::exchange::random;
use crate::measure::checks::quic::datagrams::Datagrams;
use crate::measure::checks::tls::{self, Wish};
use crate::measure::places::Place;
use crate::measure::trace::Stopped;
use crate::measure::trust::Recorder;
use crate::model::check::{Climb, Hello};
use crate::model::failure::Failure;
use crate::model::observation::{Operation, QuicFacts, Step, TlsFacts};
use crate::wire::quic::{V1, greased};

pub mod datagrams;
pub mod handshake;

/// What is known so far; shared with whoever tells the facts, so that a deadline costs nothing of it.
#[derive(Default)]
pub struct Seen {
    /// What passed over UDP.
    pub facts: QuicFacts,
    /// Length of the first datagram.
    pub first_sent: u32,
    /// The handshake finished.
    pub is_finished: bool,
    /// Selected ALPN identifier.
    pub alpn: Option<String>,
    /// Number of the fatal alert received.
    pub alert: Option<u8>,
}

/// Shakes hands, or asks for the versions, and lets go of the connection.
pub async fn run(context: &Context, climb: &Climb) -> Result<(), Stopped> {
    let place = &context.room.climbs.at(climb.address.ip()).await;
    if climb.hello == Hello::Greased {
        return ask(context, place, climb).await;
    }
    let Some(wish) = Wish::of(climb) else {
        context
            .trace
            .not_run("the server name cannot stand in a certificate");
        return Ok(());
    };
    let recorder = Arc::new(tls::recorder(context, &wish));
    let seen = begin(context, V1, Some(&recorder));
    // quinn's state is large: on the heap it is moved no more.
    let shaking = Box::pin(async {
        let datagrams = Datagrams::new(context, climb.address, &seen)?;
        let config = tls::config(context, &wish, &recorder)?;
        let name = match wish.server_name() {
            Some(ServerName::DnsName(name)) => name.as_ref().to_owned(),
            _ => climb.address.ip().to_string(),
        };
        handshake::run(datagrams, config, climb.address, &name, &seen).await?;
        match recorder.judged().and_then(|judged| judged.failure()) {
            Some(failure) => Err(failure),
            None => Ok(()),
        }
    });
    step(context, place, &seen, shaking).await
}

/// Asks with a version that nobody speaks: whoever speaks QUIC names his own.
async fn ask(context: &Context, place: &Place, climb: &Climb) -> Result<(), Stopped> {
    let question = greased(random(context));
    let version = question
        .get(1..5)
        .and_then(|bytes| bytes.first_chunk())
        .map_or(0, |bytes| u32::from_be_bytes(*bytes));
    let seen = begin(context, version, None);
    let asking = async {
        let datagrams = Datagrams::new(context, climb.address, &seen)?;
        datagrams.ask(&question).await
    };
    step(context, place, &seen, asking).await
}

async fn step(
    context: &Context,
    place: &Place,
    seen: &Mutex<Seen>,
    talking: impl Future<Output = Result<(), Failure>>,
) -> Result<(), Stopped> {
    let limits = &context.room.limits;
    place.take().await;
    let heard = || lock(seen).facts.received_bytes;
    let patient = place.patiently(limits.patience_talk, heard, talking);
    context
        .trace
        .step(Operation::QuicHandshake, limits.quic, patient)
        .await
}

/// Adds to the step what was seen, however it ends; where a certificate was due, what it says too.
fn begin(context: &Context, version: u32, recorder: Option<&Arc<Recorder>>) -> Arc<Mutex<Seen>> {
    let seen = Arc::new(Mutex::new(Seen {
        facts: QuicFacts {
            version: format!("{version:08x}"),
            ..QuicFacts::default()
        },
        ..Seen::default()
    }));
    let (shared, recorder) = (Arc::clone(&seen), recorder.cloned());
    context.trace.sample(move |step| {
        if step.operation == Operation::QuicHandshake {
            tell(step, &lock(&shared), recorder.as_deref());
        }
    });
    seen
}

fn tell(step: &mut Step, seen: &Seen, recorder: Option<&Recorder>) {
    step.quic = Some(Box::new(seen.facts.clone()));
    let Some(recorder) = recorder else {
        return;
    };
    let mut facts = TlsFacts {
        client_hello_bytes: seen.first_sent,
        received_bytes: seen.facts.received_bytes,
        version: seen.is_finished.then(|| "TLS1.3".to_owned()),
        alpn: seen.alpn.clone(),
        alert: seen.alert,
        ..TlsFacts::default()
    };
    if let Some(judged) = recorder.judged() {
        facts.valid_now = Some(judged.valid_now);
        facts.name_matches = judged.name_matches;
        facts.trusted_by = judged.trusted_by;
        facts.chain = judged.chain;
    }
    step.tls = Some(Box::new(facts));
}

/// A panic of ours elsewhere must not cost the facts.
pub fn lock(seen: &Mutex<Seen>) -> MutexGuard<'_, Seen> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}
