//! A QUIC handshake, with everything that came over UDP beside it, and a GET by HTTP/3 where it is spoken; or the question which
//! versions are spoken.
//!
//! quinn's state machine over a socket of ours: a closed port, a prohibition, garbage and silence are then four things.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustls::pki_types::ServerName;

use crate::measure::checks::exchange::random;
use crate::measure::checks::quic::datagrams::Datagrams;
use crate::measure::checks::quic::handshake::Talk;
use crate::measure::checks::tls::{self, Wish};
use crate::measure::checks::{Context, http};
use crate::measure::places::Place;
use crate::measure::trace::Stopped;
use crate::measure::trust::Recorder;
use crate::model::check::{Check, Climb, Hello, Role};
use crate::model::failure::Failure;
use crate::model::observation::{Operation, QuicFacts, Step, TlsFacts};
use crate::wire::http3;
use crate::wire::quic::{V1, greased};

pub mod datagrams;
pub mod handshake;
pub mod request;

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

/// Shakes hands and asks for the climb's path, or asks for the versions, and lets go of the connection.
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
    // As much as is read of an answer, so that it need not be asked for piece by piece.
    let body = u32::try_from(context.room.limits.http_body).unwrap_or(u32::MAX);
    let window = if is_asked(&context.check) { body } else { 0 };
    let shaking = Box::pin(async {
        let datagrams = Datagrams::new(context, climb.address, &seen)?;
        let config = tls::config(context, &wish, &recorder)?;
        let name = match wish.server_name() {
            Some(ServerName::DnsName(name)) => name.as_ref().to_owned(),
            _ => climb.address.ip().to_string(),
        };
        let shaken = handshake::run(datagrams, config, climb.address, &name, window, &seen);
        let mut talk = shaken.await?;
        match recorder.judged().and_then(|judged| judged.failure()) {
            Some(failure) => {
                talk.hang_up().await;
                Err(failure)
            }
            None => Ok(talk),
        }
    });
    let mut talk = step(context, place, &seen, shaking).await?;
    let speaks_http = lock(&seen).alpn.as_deref() == Some(http3::ALPN);
    if speaks_http && is_asked(&context.check) {
        return Box::pin(get(context, place, &seen, &mut talk, climb)).await;
    }
    talk.hang_up().await;
    Ok(())
}

/// Whether a request follows. Contrasts and controls end with the handshake: it is all that is compared.
fn is_asked(check: &Check) -> bool {
    check.role == Role::Target && check.contrast.is_none()
}

/// Asks for the climb's path; what came is told also when the rest did not.
async fn get(
    context: &Context,
    place: &Place,
    seen: &Arc<Mutex<Seen>>,
    talk: &mut Talk<'_>,
    climb: &Climb,
) -> Result<(), Stopped> {
    let limits = &context.room.limits;
    let Some(request) = http::request_over_quic(climb) else {
        context
            .trace
            .not_run("the path or host cannot stand in an HTTP request");
        talk.hang_up().await;
        return Ok(());
    };
    place.take().await;
    let page = http::sampled(context, climb);
    let shared = Arc::clone(seen);
    context.trace.sample(move |step| {
        if step.operation == Operation::HttpRoundTrip {
            step.quic = Some(Box::new(lock(&shared).facts.clone()));
        }
    });
    let heard = || lock(seen).facts.received_bytes;
    let asking = request::run(talk, &request, limits.http_head, &page, seen);
    let patient = place.patiently(limits.patience_talk, heard, asking);
    let trace = &context.trace;
    let asked = trace.step(Operation::HttpRoundTrip, limits.http, patient);
    let outcome = asked.await;
    talk.hang_up().await;
    outcome
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

async fn step<T>(
    context: &Context,
    place: &Place,
    seen: &Mutex<Seen>,
    talking: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Stopped> {
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
