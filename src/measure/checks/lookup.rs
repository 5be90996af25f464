//! The system's own view of a name, as applications get it.

use std::io;
use std::net::{IpAddr, ToSocketAddrs};
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::measure::checks::Context;
use crate::measure::checks::dns::bogons;
use crate::measure::classify::lookup_failure;
use crate::measure::files;
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
    let Ok(place) = Arc::clone(&room.lookups).acquire_owned().await else {
        return Ok(());
    };
    // This permit goes to the thread: one that was given up on still runs.
    let Ok(permit) = Arc::clone(&room.lookup_threads).acquire_owned().await else {
        return Ok(());
    };
    let name = name.to_owned();
    let asking = async {
        let (sender, receiver) = oneshot::channel();
        // A thread of its own and not the runtime's pool, which would keep the program from ending.
        thread::Builder::new().stack_size(STACK).spawn(move || {
            let found = resolved(&name).map_err(|error| {
                // The C library keeps it to itself, and says that the name cannot be resolved.
                if files::are_used_up() {
                    io::Error::from_raw_os_error(libc::EMFILE)
                } else {
                    error
                }
            });
            let _ = sender.send(found);
            drop(permit);
        })?;
        let outcome = receiver.await.map_err(|_| Failure::DnsTemporaryFailure)?;
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
    let patient = async {
        let mut asking = pin!(asking);
        if let Ok(outcome) = timeout(limits.patience_lookup, asking.as_mut()).await {
            return outcome;
        }
        drop(place);
        asking.await
    };
    context
        .trace
        .step(Operation::Resolve, limits.lookup, patient)
        .await
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
