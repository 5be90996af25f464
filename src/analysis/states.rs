//! What each control showed, before anything is made of it for the whole line.

use crate::analysis::evidence::is_proof;
use crate::model::catalog::{Control, Protocol};
use crate::model::check::Ask;
use crate::model::failure::Failure;
use crate::model::line::is_of_the_web;
use crate::model::observation::{Observation, Operation};

/// What a control showed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It answered as it should, at one address at least.
    Works,
    /// Something answered that is not the control.
    SomebodyElse,
    /// Nothing answered.
    Silent,
    /// It was not measured.
    NotMeasured,
}

/// What all observations of a control show together: the best of them.
pub fn state(control: &Control, observations: &[Observation]) -> State {
    let mut best = State::NotMeasured;
    for observation in observations {
        if !observation.check.endpoints.contains(&control.endpoint.id) {
            continue;
        }
        match state_of(control, observation) {
            State::Works => return State::Works,
            State::SomebodyElse => best = State::SomebodyElse,
            State::Silent if best == State::NotMeasured => best = State::Silent,
            _ => {}
        }
    }
    if best == State::NotMeasured && was_asked(control, observations) {
        return State::Silent;
    }
    best
}

/// Whether the control's name was asked for and nobody gave an address: then the missing climb is itself a sign. With an
/// address and no climb, the run ended in between.
fn was_asked(control: &Control, observations: &[Observation]) -> bool {
    let mut asked = observations.iter().filter(|observation| {
        !observation.is_not_run()
            && observation.failure() != Some(&Failure::Interrupted)
            && match &observation.check.ask {
                Ask::Lookup { name } | Ask::Query { name, .. } => {
                    Some(name.as_str()) == control.endpoint.host.as_deref()
                }
                Ask::Climb(_) => false,
            }
    });
    let mut any = false;
    asked.all(|observation| {
        any = true;
        !observation.is_success()
    }) && any
}

fn state_of(control: &Control, observation: &Observation) -> State {
    if observation.is_not_run() || observation.failure() == Some(&Failure::Interrupted) {
        return State::NotMeasured;
    }
    let http = observation
        .step(Operation::HttpRoundTrip)
        .and_then(|step| step.http.as_deref());
    // An answer that broke off is nobody's yet.
    if let Some(http) = http.filter(|_| observation.failure().is_none()) {
        // A proven server may answer what it likes; in clear the whole answer must be the expected one.
        let honest = is_proof(observation) || control.endpoint.expect.is_met(http);
        // A box that sends everybody in clear to the same host's TLS is no portal, and no sign of the control either.
        let own = control.endpoint.host.as_deref();
        let is_upgrade = http.redirect_host().as_deref() == own
            && http
                .header("location")
                .is_some_and(|to| to.starts_with("https://"));
        if !honest && is_upgrade {
            return State::NotMeasured;
        }
        return if honest {
            State::Works
        } else {
            State::SomebodyElse
        };
    }
    let tls = observation
        .step(Operation::TlsHandshake)
        .and_then(|step| step.tls.as_deref());
    // The control's own certificate out of its time: its operator's fault or this machine's clock, and no word on the line.
    if observation.failure() == Some(&Failure::SslInvalidCertificate) {
        return State::NotMeasured;
    }
    // A handshake that ran out of time after the chain says nothing of whose chain it is.
    let is_unfinished = matches!(
        observation.failure(),
        None | Some(Failure::GenericTimeout | Failure::TimedOut)
    );
    if tls.is_some_and(|tls| !tls.chain.is_empty() || tls.clear_text.is_some()) && !is_unfinished {
        return State::SomebodyElse;
    }
    if observation.is_success()
        && !matches!(control.endpoint.protocol, Protocol::Http | Protocol::Https)
    {
        return State::Works;
    }
    State::Silent
}

/// Whether all that was said to a control over TCP was acknowledged, and not a byte of an answer came.
pub fn is_heard_only(control: &Control, observations: &[Observation]) -> bool {
    let mut own = observations
        .iter()
        .filter(|it| it.check.endpoints.contains(&control.endpoint.id))
        .filter_map(|it| it.steps.last())
        .filter(|step| step.operation != Operation::Resolve)
        .peekable();
    own.peek().is_some()
        && own.all(|step| {
            let is_late = matches!(
                step.failure,
                Some(Failure::GenericTimeout | Failure::TimedOut)
            );
            let tcp = step.tcp.as_deref();
            is_late
                && tcp.is_some_and(|tcp| {
                    tcp.bytes_acked.is_some_and(|it| it > 0)
                        && tcp.unacked == Some(0)
                        && tcp.bytes_received == Some(0)
                })
        })
}

/// Whether TLS is answered nowhere, while small answers come and what is said in TLS is acknowledged somewhere: lines do so that
/// large packets do not pass. A list of what may pass has something in it, and swallows what is said to others.
pub fn answers_stay_out(states: &[(&Control, State)], observations: &[Observation]) -> bool {
    let mut over_tls = states.iter().filter(|(control, _)| {
        control.endpoint.protocol.is_tls() && !control.endpoint.protocol.is_udp()
    });
    let mut is_heard = false;
    let none_works = over_tls.all(|(control, state)| {
        is_heard |= is_heard_only(control, observations);
        *state != State::Works
    });
    none_works && is_heard
}

/// Whether more controls worked than stayed silent, those over UDP aside, which is shut on many honest networks.
pub fn most_work(states: &[(&Control, State)]) -> bool {
    let count = |wanted: State| {
        let over_tcp = states
            .iter()
            .filter(|(control, _)| !control.endpoint.protocol.is_udp());
        over_tcp.filter(|(_, state)| *state == wanted).count()
    };
    count(State::Works) > count(State::Silent)
}

/// Whether every control on a port that the web does not use stayed silent: firewalls of companies and hotels.
pub fn shuts_odd_ports(states: &[(&Control, State)]) -> bool {
    let mut odd = states
        .iter()
        .filter(|(control, _)| {
            let endpoint = &control.endpoint;
            !endpoint.protocol.is_udp() && !is_of_the_web(endpoint.port)
        })
        .peekable();
    odd.peek().is_some() && odd.all(|(_, state)| *state == State::Silent)
}
