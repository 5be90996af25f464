//! The system's own view of a name, as applications get it.

use std::io;
use std::net::{IpAddr, ToSocketAddrs};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use tokio::sync::oneshot::error::RecvError;
use tokio::sync::{OwnedSemaphorePermit, oneshot};
use tokio::time::timeout;

use crate::measure::checks::Context;
use crate::measure::checks::dns::bogons;
use crate::measure::classify::lookup_failure;
use crate::measure::trace::Stopped;
use crate::model::failure::Failure;
use crate::model::observation::{DnsAnswer, DnsFacts, DnsReply, Operation};

/// Stack of a lookup's thread: name service modules of the C library need far less.
const STACK: usize = 512 << 10;
/// Addresses kept of one answer.
const MAX_ADDRESSES: usize = 64;

/// Asks `getaddrinfo`.
pub async fn run(context: &Context, name: &str) -> Result<(), Stopped> {
    let room = &context.room;
    let limits = &room.limits;
    let addresses: Arc<Mutex<Option<Reply>>> = Arc::default();
    let (sampled, line_of) = (Arc::clone(&addresses), Arc::clone(room));
    let owner = name.to_owned();
    context.trace.sample(move |step| {
        let reply = sampled.lock().unwrap_or_else(PoisonError::into_inner);
        let mut facts = DnsFacts {
            sent: 1,
            ..DnsFacts::default()
        };
        facts
            .replies
            .extend(reply.as_ref().map(|reply| reply.told(&owner)));
        facts.bogons = bogons(&line_of.line, &facts.addresses());
        step.dns = Some(Box::new(facts));
    });
    let threads = Arc::clone(&room.lookup_threads).acquire_owned().await;
    let places = Arc::clone(&room.lookups).acquire_owned().await;
    let (Ok(thread), Ok(place)) = (threads, places) else {
        return Ok(());
    };
    let name = name.to_owned();
    let asking = async {
        let (sender, receiver) = oneshot::channel();
        // A thread of its own and not the runtime's pool, which would keep the program from ending.
        thread::Builder::new().stack_size(STACK).spawn(move || {
            let _ = sender.send(resolved(&name));
            // One that was given up on still runs.
            drop(thread);
        })?;
        let outcome = heard(receiver, place, limits.patience_lookup).await;
        let outcome = outcome.map_err(|_| Failure::DnsTemporaryFailure)?;
        let now = context.trace.elapsed();
        let (found, failure) = match outcome {
            Ok(found) => (found, None),
            Err(error) => (Vec::new(), Some(lookup_failure(&error))),
        };
        // Only what a resolver says is a reply; a failure may come from this machine alone.
        let is_said = matches!(
            failure,
            None | Some(Failure::DnsNxdomain | Failure::DnsNoAnswer)
        );
        let reply = is_said.then(|| Reply {
            t: now,
            found: found.clone(),
            failure: failure.clone(),
        });
        *addresses.lock().unwrap_or_else(PoisonError::into_inner) = reply;
        match failure {
            Some(failure) => Err(failure),
            None if found.is_empty() => Err(Failure::DnsNoAnswer),
            None => {
                let texts: Vec<String> = found.iter().map(IpAddr::to_string).collect();
                let is_false = bogons(&room.line, &texts).len() == texts.len();
                if is_false {
                    Err(Failure::DnsBogon)
                } else {
                    Ok(())
                }
            }
        }
    };
    context
        .trace
        .step(Operation::Resolve, limits.lookup, asking)
        .await
}

/// Waits for what a thread says; one that says nothing for long gives its place to the next lookup.
async fn heard<T>(
    mut receiver: oneshot::Receiver<T>,
    place: OwnedSemaphorePermit,
    patience: Duration,
) -> Result<T, RecvError> {
    if let Ok(outcome) = timeout(patience, &mut receiver).await {
        return outcome;
    }
    drop(place);
    receiver.await
}

/// What the system said, and when.
struct Reply {
    t: f64,
    found: Vec<IpAddr>,
    failure: Option<Failure>,
}

impl Reply {
    fn told(&self, owner: &str) -> DnsReply {
        let answer = |address: &IpAddr| DnsAnswer {
            name: owner.to_owned(),
            record: if address.is_ipv4() { "A" } else { "AAAA" }.to_owned(),
            ttl: 0,
            value: address.to_string(),
        };
        DnsReply {
            t: self.t,
            bytes: 0,
            id_matches: true,
            malformed: None,
            rcode: if self.failure == Some(Failure::DnsNxdomain) {
                3
            } else {
                0
            },
            authoritative: false,
            recursion_available: true,
            authentic: false,
            truncated: false,
            answers: self.found.iter().map(answer).collect(),
            soa: None,
        }
    }
}

fn resolved(name: &str) -> io::Result<Vec<IpAddr>> {
    let mut found: Vec<IpAddr> = Vec::new();
    for address in (name, 0).to_socket_addrs()?.take(MAX_ADDRESSES) {
        if !found.contains(&address.ip()) {
            found.push(address.ip());
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use tokio::sync::Semaphore;

    use super::*;

    #[tokio::test]
    async fn a_silent_lookup_gives_its_place_to_the_next() {
        let places = Arc::new(Semaphore::new(1));
        let place = Arc::clone(&places).acquire_owned().await.unwrap();
        let (_thread, receiver) = oneshot::channel::<()>();
        let silent = heard(receiver, place, Duration::from_millis(1));
        tokio::select! {
            _ = silent => unreachable!("its thread says nothing"),
            next = timeout(Duration::from_secs(9), places.acquire()) => assert!(next.is_ok()),
        }
    }
}
