//! Handshakes fail because of the name in the ClientHello: `server_name/*` and `server_name_at_address/*`.
//!
//! What it infers: the name is looked at, on any address or at the target's only, and what is then done.
//! Evidence: the 2x2 of {the target's name, an innocuous name of the same length} x {the target's address, controls'
//! addresses}. The target's combination failed in the same way in every trial; the innocuous name passes at the same
//! control addresses where the target's fails (`server_name`), or the target's name passes at the controls and the
//! innocuous one at the target's address (`server_name_at_address`). Any byte of the server's counts as passed.
//! What else could explain it: a server that is down or slow for every name (then the innocuous name fails too: no
//! finding); a certificate that is wrong for everybody, or a genuine alert of the real server (at the target's address
//! alone they name nothing); loss (equal trials, all failing); a server that treats its own name so (doubt).
//! References: facts 2.3; OONI ts-024; the TSPU's SNI-I, SNI-II and SNI-IV (IMC 2022).

use std::net::SocketAddr;

use crate::analysis::evidence::{Evidence, endpoints, is_interrupted};
use crate::analysis::rules::Finding;
use crate::model::check::{Climb, Variation};
use crate::model::failure::Failure;
use crate::model::observation::{Observation, Operation, Step, TlsFacts};
use crate::model::report::Confidence;
use crate::model::technique::{Interference, Technique, Trigger};

/// Trials that must all have failed, and contrasts that must all have worked, for a confirmed finding.
const TRIALS: usize = 3;

/// One finding for each server name that was contrasted.
pub fn infer(evidence: &Evidence) -> Vec<Finding> {
    evidence
        .all_climbs()
        .filter(|(_, observation)| observation.check.contrast.is_none())
        .filter_map(|(climb, observation)| {
            let name = climb.server_name.as_deref()?;
            let manner = Manner::of(observation)?;
            cells(evidence, climb, observation, name, manner)
        })
        .collect()
}

/// How a handshake ended otherwise than it should.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Manner {
    Silence,
    Reset,
    Close,
    Alert(u8),
    Impostor,
}

impl Manner {
    /// `None` if the handshake was not reached, worked, or ended in a way no censor is known for.
    fn of(observation: &Observation) -> Option<Self> {
        let step = handshake(observation)?;
        let failure = step.failure.as_ref()?;
        let tls = step.tls.as_deref();
        if let Some(alert) = tls.and_then(|tls| tls.alert) {
            return Some(Self::Alert(alert));
        }
        match failure {
            Failure::GenericTimeout | Failure::TimedOut => Some(Self::Silence),
            Failure::ConnectionReset => Some(Self::Reset),
            Failure::Eof => Some(Self::Close),
            Failure::SslUnknownAuthority | Failure::SslInvalidHostname => Some(Self::Impostor),
            _ => tls
                .is_some_and(|tls| tls.clear_text.is_some())
                .then_some(Self::Impostor),
        }
    }

    const fn interference(self) -> Interference {
        match self {
            Self::Silence => Interference::Drop,
            Self::Reset => Interference::Reset,
            Self::Close => Interference::Close,
            Self::Alert(_) => Interference::Alert,
            Self::Impostor => Interference::Intercept,
        }
    }
}

/// What the cells of one name say.
fn cells(
    evidence: &Evidence,
    climb: &Climb,
    failed: &Observation,
    name: &str,
    manner: Manner,
) -> Option<Finding> {
    let trials = trials(evidence, climb, failed);
    if trials.iter().any(|trial| Manner::of(trial) != Some(manner)) {
        return None;
    }
    let here = evidence.contrasts(&failed.check.id, Variation::ServerName);
    let passed_here = here
        .iter()
        .filter(|(_, o)| passed(o, failed, manner))
        .count();
    let columns = columns(evidence, failed, manner);
    let hit: Vec<&Column> = columns.iter().filter(|column| column.is_hit).collect();
    let free = columns.len() - hit.len();
    let mut ids: Vec<String> = trials.iter().map(|trial| trial.id.clone()).collect();
    let (trigger, confidence, doubt) = if !hit.is_empty() && free == 0 {
        let enough = trials.len() >= TRIALS && hit.len() >= TRIALS;
        ids.extend(hit.iter().flat_map(|column| column.evidence.clone()));
        (
            Trigger::ServerName,
            by(enough),
            doubt_of_name(enough, passed_here, here.len()),
        )
    } else if hit.is_empty() && free > 0 && passed_here > 0 && passed_here == here.len() {
        // At its own address a server may well send this alert, or this certificate, for its own name.
        if matches!(manner, Manner::Alert(_) | Manner::Impostor) {
            return None;
        }
        ids.extend(
            columns
                .iter()
                .flat_map(|column| column.evidence.clone())
                .take(2),
        );
        ids.extend(here.iter().map(|(_, observation)| observation.id.clone()));
        let doubt = "The server itself may treat this name so; only another vantage can tell";
        (
            Trigger::ServerNameAtAddress,
            Confidence::Likely,
            Some(doubt.to_owned()),
        )
    } else {
        return None;
    };
    Some(Finding {
        technique: Technique::new(trigger, manner.interference()),
        confidence,
        endpoints: endpoints(evidence.target)
            .filter(|endpoint| {
                let own = endpoint.server_name.as_deref().or(endpoint.host.as_deref());
                endpoint.protocol.is_tls() && own == Some(name)
            })
            .map(|endpoint| endpoint.id.clone())
            .collect(),
        evidence: ids,
        doubt,
        seen: seen(
            name,
            climb,
            failed,
            manner,
            trials.len(),
            &columns,
            (passed_here, here.len()),
        ),
    })
}

/// The failing combination: the check itself and its repetitions.
fn trials<'a>(
    evidence: &Evidence<'a>,
    climb: &Climb,
    failed: &Observation,
) -> Vec<&'a Observation> {
    evidence
        .all_climbs()
        .filter(|(other, _)| *other == climb)
        .map(|(_, observation)| observation)
        .filter(|observation| !observation.is_not_run() && !is_interrupted(observation))
        .filter(|observation| {
            observation.id == failed.id
                || observation
                    .check
                    .contrast
                    .as_ref()
                    .is_some_and(|contrast| contrast.of == failed.check.id)
        })
        .collect()
}

/// One control address: what it does with the target's name, beside an innocuous one.
struct Column {
    is_hit: bool,
    evidence: Vec<String>,
}

/// Controls at which the innocuous name passed, and the target's was tried too.
fn columns(evidence: &Evidence, failed: &Observation, manner: Manner) -> Vec<Column> {
    let neutral = evidence.contrasts(&failed.check.id, Variation::Both);
    let beside = |address: SocketAddr, trial: u32| {
        neutral
            .iter()
            .find(|(climb, observation)| {
                climb.address == address && observation.check.trial == trial
            })
            .map(|(_, observation)| *observation)
    };
    evidence
        .contrasts(&failed.check.id, Variation::Address)
        .into_iter()
        .filter_map(|(climb, named)| {
            let innocuous = beside(climb.address, named.check.trial)?;
            if !passed(innocuous, failed, manner) {
                return None;
            }
            let is_hit = Manner::of(named) == Some(manner) && !passed(named, failed, manner);
            let is_free = passed(named, failed, manner);
            (is_hit || is_free).then(|| Column {
                is_hit,
                evidence: vec![named.id.clone(), innocuous.id.clone()],
            })
        })
        .collect()
}

/// Whether a contrast got what the failed handshake did not get.
fn passed(observation: &Observation, failed: &Observation, manner: Manner) -> bool {
    let Some(tls) = handshake(observation).and_then(|step| step.tls.as_deref()) else {
        return false;
    };
    let failed = handshake(failed).and_then(|step| step.tls.as_deref());
    match manner {
        Manner::Alert(number) => tls.received_bytes > 0 && tls.alert != Some(number),
        Manner::Impostor => {
            !tls.chain.is_empty() && failed.is_some_and(|failed| !is_same_impostor(tls, failed))
        }
        // A server that answers a little and stalls for every name is slow, not censored.
        Manner::Silence | Manner::Reset | Manner::Close => {
            !tls.chain.is_empty()
                || tls.alert.is_some()
                || tls.received_bytes
                    > failed.map_or(0, |failed| failed.received_bytes) + ENOUGH_BYTES
                || (failed.is_none_or(|failed| failed.received_bytes == 0)
                    && tls.received_bytes > 0)
        }
    }
}

/// More than the failed handshake got, beyond what segmentation explains.
const ENOUGH_BYTES: u64 = 64;

/// Whether the same stranger answered, by who issued the leaf; in clear text, by its beginning.
fn is_same_impostor(one: &TlsFacts, other: &TlsFacts) -> bool {
    match (one.chain.first(), other.chain.first()) {
        (Some(one), Some(other)) => one.sha256 == other.sha256 || one.issuer == other.issuer,
        (None, None) => one.clear_text == other.clear_text,
        _ => false,
    }
}

fn handshake(observation: &Observation) -> Option<&Step> {
    observation.step(Operation::TlsHandshake)
}

const fn by(enough: bool) -> Confidence {
    if enough {
        Confidence::Confirmed
    } else {
        Confidence::Likely
    }
}

fn doubt_of_name(enough: bool, passed_here: usize, tried_here: usize) -> Option<String> {
    if !enough {
        return Some("Fewer than three trials or controls: chance is not excluded".to_owned());
    }
    (tried_here > 0 && passed_here == 0).then(|| {
        "At the target's own address an innocuous name fails too: the address may be filtered as well, or the censor remembers"
            .to_owned()
    })
}

fn seen(
    name: &str,
    climb: &Climb,
    failed: &Observation,
    manner: Manner,
    trials: usize,
    columns: &[Column],
    (passed_here, tried_here): (usize, usize),
) -> String {
    let what = match manner {
        Manner::Silence => silence(failed),
        Manner::Reset => format!("the connection is reset {}", delay(failed)),
        Manner::Close => "the connection is closed without a word".to_owned(),
        Manner::Alert(number) => format!("alert {number} comes"),
        Manner::Impostor => "somebody else's certificate comes".to_owned(),
    };
    let hit = columns.iter().filter(|column| column.is_hit).count();
    format!(
        "With {name} in the ClientHello {what}, in {trials} of {trials} trials at {}; with an innocuous name of the same \
         length {passed_here} of {tried_here} got an answer there. At controls' addresses {name} met the same in {hit} of {} \
         trials, the innocuous name never",
        climb.address.ip(),
        columns.len()
    )
}

/// Never acknowledged, acknowledged and unanswered, or cut in the middle: three different boxes.
fn silence(failed: &Observation) -> String {
    let step = handshake(failed);
    let received = step
        .and_then(|step| step.tls.as_deref())
        .map_or(0, |tls| tls.received_bytes);
    let unacked = step
        .and_then(|step| step.tcp.as_deref())
        .and_then(|tcp| tcp.unacked);
    match (received, unacked) {
        (0, Some(1..)) => "it is never acknowledged".to_owned(),
        (0, _) => "it is acknowledged and never answered".to_owned(),
        (bytes, _) => format!("the answer stalls after {bytes} bytes"),
    }
}

/// On the spot is a box near by; after a round trip it is the server's answer that was rewritten.
fn delay(failed: &Observation) -> String {
    let rtt = failed
        .step(Operation::TcpConnect)
        .map_or(0.0, |step| step.t - step.t0);
    let waited = handshake(failed).map_or(0.0, |step| step.t - step.t0);
    if waited < 0.8 * rtt {
        format!(
            "on the spot ({:.0} ms, round trip {:.0} ms)",
            waited * 1e3,
            rtt * 1e3
        )
    } else {
        format!(
            "after a round trip ({:.0} ms, round trip {:.0} ms)",
            waited * 1e3,
            rtt * 1e3
        )
    }
}
