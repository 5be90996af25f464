//! What is done to a resolver by one of its transports while another of them answers: `resolver/{drop,refuse,unreachable,reset,
//! close,alert,intercept}`.
//!
//! What it infers: the resolver's protocol (Do53, DoT, DoH) is itself interfered with, at its address or wherever it leads.
//! Evidence: the same failed in the same way in each of three trials, while the same operator answered a control name by another
//! transport: where connections fail, at the very same address. Where the handshake failed: the cells around its server name, as for targets.
//! What else could explain it: a line that loses much (then chance would do it too: no finding), or that is cut again and again
//! (over UDP silence counts only where another resolver is answered beside each repetition); an operator that is down, or whose road is
//! (then nothing of it, or of its address, answers: no finding); a firewall that lets only usual ports pass, or an operator that gave up a transport (doubt);
//! a box that does so to everybody (then a quarter of the controls meet it too: no finding, unless innocuous names pass at them);
//! a genuine alert or a bad certificate of its own (they name nothing without the cells).
//! References: facts 2.1 `dns.doh_block`, `dns.dot_block`; net4people/bbs#81.

use std::collections::{BTreeMap, BTreeSet};

use crate::analysis::chance::{self, Questions, Silence};
use crate::analysis::everybody::Everybody;
use crate::analysis::evidence::is_interrupted;
use crate::analysis::innocuous::Chance;
use crate::analysis::matrix::{Matrix, TRIALS};
use crate::analysis::resolvers::Hijack;
use crate::analysis::rules::server_name;
use crate::model::catalog::{Catalog, Resolver, ResolverRole, Transport};
use crate::model::check::{Ask, Role, Variation};
use crate::model::failure::Failure;
use crate::model::observation::{Observation, Operation};
use crate::model::report::{Confidence, TechniqueReport};
use crate::model::technique::{Interference, Technique, Trigger};

/// Operators that must refuse alike before a refusal is more than a server that was stopped.
const OPERATORS: usize = 3;

/// What is done to this resolver by this transport, if anything is.
pub fn infer(
    catalog: &Catalog,
    resolver: &Resolver,
    everybody: &Everybody,
    hijacked: &BTreeMap<String, Hijack>,
    observations: &[Observation],
) -> Option<TechniqueReport> {
    if resolver.role != ResolverRole::Public {
        return None;
    }
    let failed = observations.iter().find(|it| {
        is_control_query(it, &resolver.id) && it.check.trial == 1 && it.check.contrast.is_none()
    })?;
    failed.failure().filter(|_| !is_interrupted(failed))?;
    let read = read(catalog, everybody, observations, resolver, failed)?;
    // Where nothing at all is heard of an address, its road may be down, and others of the operator's tell nothing.
    let is_road = !failed.reached(Operation::TcpConnect)
        && matches!(read.interference, Interference::Drop | Interference::Refuse);
    let is_beside = |other: &Resolver| {
        !hijacked.contains_key(&other.id)
            && (!is_road || other.address.ip() == resolver.address.ip())
    };
    let alive = answered_otherwise(catalog, resolver, observations, is_beside)?;
    // A server that was stopped refuses; several operators do not stop the same at once.
    let is_alone = operators_refused(catalog, resolver, observations) < OPERATORS;
    if read.interference == Interference::Refuse && is_alone {
        return None;
    }
    let technique = Technique::new(Trigger::Resolver, read.interference);
    let mut evidence: Vec<String> = read.trials.iter().map(|it| it.id.clone()).collect();
    evidence.push(alive.1.id.clone());
    evidence.extend(read.cells);
    let is_somebody = read.interference == Interference::Intercept;
    let whose = is_somebody.then_some(server_name::WHOSE_BOX);
    let doubts: Vec<&str> = read.doubt.into_iter().chain(whose).collect();
    Some(TechniqueReport {
        id: technique.id(),
        trigger: technique.trigger,
        interference: technique.interference,
        confidence: if read.doubt.is_none() {
            Confidence::Confirmed
        } else {
            Confidence::Likely
        },
        services: Vec::new(),
        endpoints: Vec::new(),
        evidence,
        doubt: (!doubts.is_empty()).then(|| doubts.join(". ")),
        seen: format!(
            "{} by {} {}, in {} of {} trials, while it answers by {}",
            resolver.name,
            resolver.transport.word(),
            words(read.interference),
            read.trials.len(),
            read.trials.len(),
            alive.0.transport.word()
        ),
    })
}

/// What the trials show.
struct Read<'a> {
    interference: Interference,
    trials: Vec<&'a Observation>,
    cells: Vec<String>,
    doubt: Option<&'static str>,
}

fn read<'a>(
    catalog: &Catalog,
    everybody: &Everybody,
    observations: &'a [Observation],
    resolver: &Resolver,
    failed: &'a Observation,
) -> Option<Read<'a>> {
    if failed.steps.last()?.operation == Operation::TlsHandshake {
        return read_handshake(everybody, observations, failed);
    }
    let operation = failed.steps.last()?.operation;
    // Whoever let the handshake pass and then stalls is slow, or its large answers do not fit this line.
    let shook_hands = failed.reached(Operation::TlsHandshake);
    if operation == Operation::Resolve && shook_hands {
        return None;
    }
    let again = observations.iter().filter(|it| {
        let is_repetition = it.check.contrast.as_ref().is_some_and(|contrast| {
            contrast.of == failed.check.id && contrast.varies == Variation::Nothing
        });
        let is_question = is_control_query(it, &resolver.id) && it.check.trial > 1;
        (is_repetition || is_question) && !it.is_not_run() && !is_interrupted(it)
    });
    let trials: Vec<&Observation> = std::iter::once(failed).chain(again).collect();
    let interference = manner(failed, operation)?;
    let agree = trials
        .iter()
        .all(|trial| manner(trial, operation) == Some(interference));
    // What was asked beside the trials: where that fails too, it is the line that failed for a while.
    let beside: Vec<&Observation> = observations
        .iter()
        .filter(|it| {
            it.check.contrast.as_ref().is_some_and(|contrast| {
                contrast.of == failed.check.id && contrast.varies == Variation::Address
            })
        })
        .filter(|it| !it.is_not_run())
        .collect();
    // Datagrams leave no trace of a line that is cut again and again: silence counts beside something that was answered.
    let is_untold = interference == Interference::Drop
        && resolver.transport == Transport::Udp
        && beside.len() + 1 < TRIALS;
    let is_line = is_untold || beside.iter().any(|it| !it.is_success());
    if !agree || trials.len() < TRIALS || is_line || everybody.meets(interference) {
        return None;
    }
    if interference == Interference::Drop && is_chance(catalog, resolver, observations, &trials) {
        return None;
    }
    let doubt = if interference == Interference::Unreachable {
        "The router's owner is not known"
    } else {
        "A firewall of this network that lets only usual ports pass does the same, and so does an operator that gave this \
         transport up"
    };
    Some(Read {
        interference,
        trials,
        cells: Vec::new(),
        doubt: Some(doubt),
    })
}

/// Whether a line that loses as much as this one would leave so many datagrams unanswered by itself.
fn is_chance(
    catalog: &Catalog,
    resolver: &Resolver,
    observations: &[Observation],
    trials: &[&Observation],
) -> bool {
    if resolver.transport != Transport::Udp {
        return false;
    }
    let alike = catalog.resolvers.iter().filter(|other| {
        other.transport == resolver.transport && other.role == ResolverRole::Public
    });
    let loss = Questions::of(catalog, observations.iter(), |_| true).loss();
    chance::judge(loss, trials, alike.count()) == Silence::Chance
}

fn read_handshake<'a>(
    everybody: &Everybody,
    observations: &'a [Observation],
    failed: &'a Observation,
) -> Option<Read<'a>> {
    let contrasts = observations.iter().filter(|it| {
        let contrast = it.check.contrast.as_ref();
        contrast.is_some_and(|it| it.of == failed.check.id)
    });
    let matrix = Matrix::of(contrasts, failed)?;
    if matrix.trials.len() < TRIALS {
        return None;
    }
    let reading = server_name::read(&matrix);
    let is_certain = reading
        .as_ref()
        .is_some_and(|it| it.confidence == Confidence::Confirmed);
    let beside = matrix.row(Variation::Both);
    if reading.is_none() && (matrix.manner.may_be_genuine() || !beside.all()) {
        return None;
    }
    let share = everybody.handshakes(matrix.manner.interference());
    let chance = everybody.innocuous.chance_of_little(share, matrix.manner);
    // Who is cut off whatever is said to him is cut off each time; and where chance is left, pieces that come and go show it.
    let is_doubted = reading.is_none() || matches!(chance, Chance::Left(_));
    if chance == Chance::Enough || is_doubted && server_name::is_mixed(&matrix) {
        return None;
    }
    let here = matrix.cells(Variation::ServerName);
    let columns = matrix.columns.iter().flat_map(|it| it.evidence.clone());
    let cells = here.iter().map(|it| it.id.clone()).chain(columns).collect();
    let doubt = match chance {
        Chance::Left(doubt) => Some(doubt),
        _ if is_certain => None,
        _ => Some(
            "The operator itself may treat this transport so, which only another vantage can settle",
        ),
    };
    Some(Read {
        interference: matrix.manner.interference(),
        trials: matrix.trials,
        cells,
        doubt,
    })
}

/// How a question without a handshake to blame failed.
fn manner(observation: &Observation, operation: Operation) -> Option<Interference> {
    let step = observation.steps.last()?;
    if step.operation != operation {
        return None;
    }
    let failure = step.failure.as_ref()?;
    let icmp = step.tcp.as_deref().map(|tcp| tcp.icmp.as_slice());
    let icmp = icmp.unwrap_or_default();
    if icmp.iter().any(|error| error.offender_is_own) {
        return None;
    }
    if icmp
        .iter()
        .any(|error| matches!((error.kind, error.code), (3, 9 | 10 | 13) | (1, 1 | 5 | 6)))
    {
        return Some(Interference::Unreachable);
    }
    let said_something = step
        .dns
        .as_deref()
        .is_some_and(|dns| !dns.replies.is_empty());
    match failure {
        _ if said_something || !icmp.is_empty() => None,
        Failure::GenericTimeout | Failure::TimedOut => Some(Interference::Drop),
        Failure::ConnectionRefused => Some(Interference::Refuse),
        Failure::ConnectionReset => Some(Interference::Reset),
        Failure::Eof => Some(Interference::Close),
        _ => None,
    }
}

/// Operators whose same transport was refused.
fn operators_refused(
    catalog: &Catalog,
    resolver: &Resolver,
    observations: &[Observation],
) -> usize {
    let alike = catalog.resolvers.iter().filter(|other| {
        other.transport == resolver.transport && other.role == ResolverRole::Public
    });
    let refused = alike.filter(|other| {
        observations.iter().any(|it| {
            is_control_query(it, &other.id) && it.failure() == Some(&Failure::ConnectionRefused)
        })
    });
    let operators: BTreeSet<&str> = refused.map(|it| it.operator.as_str()).collect();
    operators.len()
}

/// Another transport by which the same operator answered a control name.
fn answered_otherwise<'a>(
    catalog: &'a Catalog,
    resolver: &Resolver,
    observations: &'a [Observation],
    is_beside: impl Fn(&Resolver) -> bool,
) -> Option<(&'a Resolver, &'a Observation)> {
    let others = catalog.resolvers.iter().filter(|other| {
        other.operator == resolver.operator
            && is_beside(other)
            && other.role == ResolverRole::Public
            && other.transport != resolver.transport
    });
    let mut answers = others.filter_map(|other| {
        let mut asked = observations.iter();
        let answer = asked.find(|it| is_control_query(it, &other.id) && it.is_success())?;
        Some((other, answer))
    });
    answers.next()
}

fn is_control_query(observation: &Observation, id: &str) -> bool {
    observation.check.role == Role::Control
        && matches!(&observation.check.ask, Ask::Query { resolver, .. } if resolver == id)
}

const fn words(interference: Interference) -> &'static str {
    match interference {
        Interference::Drop => "gets no reply",
        Interference::Refuse => "is refused",
        Interference::Unreachable => "is prohibited by a router on the path",
        Interference::Reset => "is reset",
        Interference::Close => "is closed without an answer",
        Interference::Alert => "ends with a TLS alert",
        _ => "gets an answer from another server",
    }
}
