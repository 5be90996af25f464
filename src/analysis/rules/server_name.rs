//! Handshakes fail because of the name in the ClientHello: `server_name/*` and `server_name_at_address/*`.
//!
//! What it infers: the name is looked at, on any address or at the target's only, and what is then done.
//! Evidence: the 2x2 of {the target's name, an innocuous name of the same length} x {the target's address, controls'
//! addresses}. The target's combination failed in the same way in every trial; the innocuous name passes at the same
//! control addresses where the target's fails (`server_name`), or the target's name passes at the controls and the
//! innocuous one at the target's address (`server_name_at_address`). Any byte of the server's counts as passed. The same
//! ClientHello in two writes, cut inside the name, passes a box that does not put them together and no server.
//! Where the target's addresses cannot be reached at all, its name at the controls speaks alone: layers are stacked.
//! What else could explain it: a server that is down or slow for every name (then the innocuous name fails too: no
//! finding); a proxy of everybody's that takes some connections (an innocuous name met the same stranger, or comes and goes: no
//! finding); a certificate that is wrong for everybody, or a genuine alert of the real server (at the target's address
//! alone they name nothing); loss (equal trials, all failing); a box or a balancer that fails at some handshakes of everybody
//! (a tenth of the innocuous names met it at controls: no finding; one: doubt, or no finding where little else was seen, or
//! other names of the target's come and go); servers that fail at some
//! (another shape, or another name of theirs, passes at times: no finding at their own addresses); a server that treats its own
//! name so (doubt, unless the name passes in two pieces).
//! References: facts 2.3; OONI ts-024; the TSPU's SNI-I, SNI-II and SNI-IV (IMC 2022).

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use crate::analysis::everybody::Share;
use crate::analysis::evidence::{Evidence, endpoints, is_interrupted};
use crate::analysis::innocuous::{Chance, Innocuous};
use crate::analysis::matrix::{Manner, Matrix, Passed, TRIALS, handshake};
use crate::analysis::rules::Finding;
use crate::analysis::words;
use crate::model::catalog::{Endpoint, Protocol};
use crate::model::check::{Climb, Variation, parent_of};
use crate::model::failure::Failure;
use crate::model::observation::{Observation, Operation};
use crate::model::report::Confidence;
use crate::model::technique::{Interference, Technique, Trigger};

/// One finding for each server name that was contrasted.
pub fn infer(evidence: &Evidence) -> Vec<Finding> {
    let strays = Strays::of(evidence);
    evidence
        .all_climbs()
        .filter(|(climb, _)| climb.protocol != Protocol::Quic)
        .filter(|(_, observation)| observation.check.contrast.is_none())
        .filter_map(|(climb, observation)| {
            let name = climb.server_name.as_deref()?;
            let matrix = matrix_of(evidence, observation)?;
            finding(evidence, &strays, climb, name, &matrix)
        })
        .collect()
}

/// The cells around one failed handshake of the target.
pub fn matrix_of<'a>(evidence: &Evidence<'a>, failed: &'a Observation) -> Option<Matrix<'a>> {
    Matrix::of(evidence.all_contrasts(&failed.check.id), failed)
}

/// What the cells of one name say.
fn finding(
    evidence: &Evidence,
    strays: &Strays,
    climb: &Climb,
    name: &str,
    matrix: &Matrix,
) -> Option<Finding> {
    let read = read(matrix)?;
    let doubt = match read.trigger {
        Trigger::ServerNameAtAddress => strays.at_home(evidence, climb.address, matrix),
        _ => strays.everywhere(evidence, matrix),
    };
    let (chance, confidence) = match doubt {
        Chance::Certain => (None, read.confidence),
        Chance::Left(words) => (Some(words), Confidence::Likely),
        Chance::Enough => return None,
    };
    let doubts: Vec<&str> = chance.into_iter().chain(read.doubts).collect();
    let mut ids: Vec<String> = matrix.trials.iter().map(|trial| trial.id.clone()).collect();
    let columns = matrix.columns.iter();
    ids.extend(columns.flat_map(|column| column.evidence.clone()).take(6));
    if read.trigger == Trigger::ServerNameAtAddress {
        let here = matrix.cells(Variation::ServerName);
        let split = matrix.cells(Variation::Split);
        ids.extend(here.iter().chain(&split).map(|it| it.id.clone()));
    }
    Some(Finding {
        technique: Technique::new(read.trigger, matrix.manner.interference()),
        confidence,
        endpoints: hit(evidence, name, matrix),
        evidence: ids,
        doubt: (!doubts.is_empty()).then(|| doubts.join(". ")),
        seen: seen(name, climb, matrix),
    })
}

/// Trials of which all must have failed at the target's own address, for anything to be said.
const REPEATED: usize = 2;
/// Controls of which one alone may be an accident.
const HITS: usize = 2;

/// Handshakes that failed although no name of the target's was in them, or although they pass at other times.
#[derive(Debug, Default)]
pub struct Strays {
    /// Innocuous ones at controls.
    innocuous: Innocuous,
    /// By how they failed: handshakes of the target's that failed and then passed, or whose innocuous twins did both.
    at_home: BTreeMap<Interference, usize>,
    /// Those among them that failed and passed with the very same name when they were tried again.
    recovered: BTreeMap<Interference, usize>,
}

impl Strays {
    /// Counts those of one target.
    pub fn of(evidence: &Evidence) -> Self {
        let mut strays = Self {
            innocuous: Innocuous::of(evidence.observations),
            ..Self::default()
        };
        let firsts = evidence.all_climbs().filter(|(climb, observation)| {
            climb.protocol != Protocol::Quic && observation.check.contrast.is_none()
        });
        for (_, first) in firsts {
            if let Some(how) = fails_at_times(evidence, first) {
                *strays.at_home.entry(how).or_default() += 1;
                let recovers = usize::from(recovers(evidence, first));
                *strays.recovered.entry(how).or_default() += recovers;
            }
        }
        strays
    }

    /// Whether somebody answers so to whomever he pleases: to pieces or shapes at times, to this name and not when it is asked again,
    /// or to everybody.
    pub fn are_whims(&self, evidence: &Evidence, matrix: &Matrix) -> bool {
        let how = matrix.manner.interference();
        is_mixed(matrix)
            || self.recovered.get(&how).is_some_and(|count| *count > 0)
            || is_everybodys_impostor(evidence, matrix)
    }

    /// What chance may have done to handshakes of which the name, or the shape, is looked at wherever they lead.
    pub fn at_controls(&self, evidence: &Evidence, manner: Manner) -> Chance {
        let everybody = &evidence.ground.everybody;
        // What the resolvers' contrasts showed before is of everybody, too. Few of them say nothing here.
        if everybody.innocuous.chance(Share::default(), manner) == Chance::Enough {
            return Chance::Enough;
        }
        let share = everybody.handshakes(manner.interference());
        self.innocuous.chance(share, manner)
    }

    /// The same of a shape, which fails each time: where other handshakes of the target's come and go, this one's may.
    pub fn of_shapes(&self, evidence: &Evidence, manner: Manner) -> Chance {
        match self.at_home.get(&manner.interference()) {
            Some(2..) => Chance::Enough,
            _ => self.at_controls(evidence, manner),
        }
    }

    /// The same of a name that fails everywhere. One innocuous name that was lost is chance where other handshakes of the target's
    /// come and go, and so is one that was lost later where others passed when they were tried again: what a censor remembers does not
    /// explain that. Where few controls were asked it is chance where pieces or shapes of this name do, and what one control alone shows
    /// is chance where the innocuous name was met so at another.
    fn everywhere(&self, evidence: &Evidence, matrix: &Matrix) -> Chance {
        let manner = matrix.manner;
        let hits = matrix.hits().count();
        let everybody = &evidence.ground.everybody;
        let share = everybody.handshakes(manner.interference());
        if manner == Manner::Impostor && is_everybodys_impostor(evidence, matrix) {
            return Chance::Enough;
        }
        if hits >= TRIALS || manner.may_be_genuine() {
            let others = self.at_home.get(&manner.interference());
            let how = manner.interference();
            let recovered = self.recovered.get(&how).copied().unwrap_or(0);
            return match self.at_controls(evidence, manner) {
                Chance::Left(_) if others.is_some_and(|it| *it > 1) => Chance::Enough,
                Chance::Certain if recovered > 1 && self.innocuous.has_met(how) => Chance::Enough,
                chance => chance,
            };
        }
        let mut beside = matrix.cells(Variation::Both).into_iter();
        let is_met_beside = beside.any(|it| Manner::of(it) == Some(manner));
        match self.innocuous.chance_of_little(share, manner) {
            _ if hits < HITS && is_met_beside => Chance::Enough,
            _ if self.at_controls(evidence, manner) == Chance::Enough => Chance::Enough,
            Chance::Left(_) if is_mixed(matrix) => Chance::Enough,
            chance => chance,
        }
    }

    /// Servers that are overloaded fail at some handshakes, and then at those of some name three times over.
    fn at_home(&self, evidence: &Evidence, home: SocketAddr, matrix: &Matrix) -> Chance {
        let there = self.at_controls(evidence, matrix.manner);
        if there == Chance::Enough || is_mixed(matrix) {
            return Chance::Enough;
        }
        let how = matrix.manner.interference();
        let at_times = self.at_home.get(&how).copied();
        let at_times = at_times.filter(|_| !matrix.manner.may_be_genuine());
        let controls = evidence.contrasts(&matrix.failed.check.id, Variation::Address);
        let is_alike =
            |(climb, _): &(&Climb, &Observation)| climb.address.is_ipv4() == home.is_ipv4();
        match at_times.unwrap_or(0) {
            0 if !controls.iter().any(is_alike) => Chance::Left(
                "No control was tried over this address family: the name may trigger at every address there",
            ),
            0 => there,
            1 => Chance::Left(
                "Another handshake with the target's servers failed in the same way and passed when tried again: chance is not excluded",
            ),
            _ => Chance::Enough,
        }
    }
}

/// Whether what was varied at the failing address passed at times, and at times did not.
pub fn is_mixed(matrix: &Matrix) -> bool {
    let is_mixed = |row: Passed| row.passed > 0 && !row.all();
    let mut rows = [Variation::Shape, Variation::Split].into_iter();
    rows.any(|row| is_mixed(matrix.row(row)))
}

/// Whether the stranger answers to whoever comes by: to an innocuous name at a control as well, or to this one's pieces, or to another
/// name at the target's address, at times.
fn is_everybodys_impostor(evidence: &Evidence, matrix: &Matrix) -> bool {
    let here = matrix.row(Variation::ServerName);
    let comes_and_goes = is_mixed(matrix) || here.passed > 0 && !here.all();
    comes_and_goes
        || evidence.observations.iter().any(|it| {
            let contrast = it.check.contrast.as_ref();
            // A control's own certificate is vouched for, whatever name it was asked for.
            contrast.is_some_and(|it| it.varies == Variation::Both)
                && it.failure() == Some(&Failure::SslUnknownAuthority)
                && matrix.is_same_impostor(it)
        })
}

/// Whether it passed when it was tried again.
fn recovers(evidence: &Evidence, first: &Observation) -> bool {
    let mut again = evidence
        .contrasts(&first.check.id, Variation::Nothing)
        .into_iter();
    again.any(|(_, it)| it.reached(Operation::TlsHandshake))
}

/// How a handshake with the target's servers fails, where it passes at other times, or innocuous ones there do both.
fn fails_at_times(evidence: &Evidence, first: &Observation) -> Option<Interference> {
    let how = |it: &Observation| Manner::of(it).map(Manner::interference);
    let of = |varies| evidence.contrasts(&first.check.id, varies).into_iter();
    if let Some(met) = how(first).filter(|_| recovers(evidence, first)) {
        return Some(met);
    }
    // Another name's certificate is an answer.
    let answered = |it: &Observation| {
        let manner = Manner::of(it);
        handshake(it).is_some() && manner.is_none_or(Manner::may_be_genuine)
    };
    let lost = |it: &Observation| Manner::of(it).is_some_and(|it| !it.may_be_genuine());
    let met = of(Variation::ServerName).find(|(_, it)| lost(it))?.1;
    let mut innocuous = of(Variation::ServerName);
    innocuous.any(|(_, it)| answered(it)).then(|| how(met))?
}

/// What only another vantage settles.
pub const ITS_OWN: &str =
    "The server itself may treat this name so, which only another vantage can settle";
/// That a name is intercepted is certain, and by whom is not.
pub const WHOSE_BOX: &str = "Whoever runs this machine or its network may open TLS by the name (a company's proxy, parental control): \
                         whose box it is cannot be seen from here";

/// Which trigger the cells show, and how surely.
#[derive(Debug, PartialEq, Eq)]
pub struct Reading {
    /// On any address, or at the target's own only.
    pub trigger: Trigger,
    /// By the number of trials, and by what doubt is left.
    pub confidence: Confidence,
    /// The innocent explanations that are left.
    pub doubts: Vec<&'static str>,
}

/// Reads the cells around one failed handshake.
pub fn read(matrix: &Matrix) -> Option<Reading> {
    let here = matrix.row(Variation::ServerName);
    let split = matrix.row(Variation::Split);
    let whose_box = (matrix.manner == Manner::Impostor).then_some(WHOSE_BOX);
    let reading = |trigger, confidence, doubt: Option<&'static str>| {
        Some(Reading {
            trigger,
            confidence,
            doubts: doubt.into_iter().chain(whose_box).collect(),
        })
    };
    if matrix.is_everywhere() {
        let hits = matrix.hits().count();
        // Its own address may have failed by chance, and one control as well.
        if matrix.trials.is_empty() && hits < HITS {
            return None;
        }
        let has_own = matrix.trials.is_empty() || matrix.trials.len() >= TRIALS;
        return if !has_own || hits < TRIALS {
            let doubt = words::FEW_TRIALS_OR_CONTROLS;
            reading(Trigger::ServerName, Confidence::Likely, Some(doubt))
        } else if here.none() {
            let doubt = "At the target's own address an innocuous name fails too: the address may be filtered as well, or \
                         the censor remembers";
            reading(Trigger::ServerName, Confidence::Confirmed, Some(doubt))
        } else {
            reading(Trigger::ServerName, Confidence::Confirmed, None)
        };
    }
    let only_here = matrix.hits().next().is_none() && matrix.free() > 0 && here.all();
    // One connection that fell silent while the line was cut says nothing.
    let needed = match matrix.manner {
        Manner::Silence => TRIALS,
        _ => REPEATED,
    };
    if !only_here || matrix.trials.len() < needed {
        return None;
    }
    // Whoever serves the name puts the pieces together and does as ever: only a box on the way is blind to them.
    if split.all() && split.of >= TRIALS && matrix.trials.len() >= TRIALS {
        let trigger = Trigger::ServerNameAtAddress;
        return reading(trigger, Confidence::Confirmed, None);
    }
    // At its own address a server may well send this alert, or this certificate, for its own name.
    if matrix.manner.may_be_genuine() {
        return None;
    }
    let doubt = if matrix.trials.len() < TRIALS {
        "Fewer than three trials: chance is not excluded, and the server itself may treat this name so"
    } else {
        ITS_OWN
    };
    reading(
        Trigger::ServerNameAtAddress,
        Confidence::Likely,
        Some(doubt),
    )
}

/// Endpoints that the finding speaks for: those of the name itself, and those of its siblings under one domain of which
/// every handshake met the same. Each sibling's own contrast would only load the line and the controls.
fn hit(evidence: &Evidence, name: &str, matrix: &Matrix) -> BTreeSet<String> {
    let is_own =
        |endpoint: &Endpoint| endpoint.protocol.is_tls() && name_of(endpoint) == Some(name);
    let is_sibling = |endpoint: &Endpoint| {
        let shares_domain = name_of(endpoint).is_some_and(|it| parent_of(it) == parent_of(name));
        shares_domain && meets(evidence, endpoint, matrix.manner)
    };
    endpoints(evidence.target)
        .filter(|endpoint| is_own(endpoint) || is_sibling(endpoint))
        .map(|endpoint| endpoint.id.clone())
        .collect()
}

fn name_of(endpoint: &Endpoint) -> Option<&str> {
    endpoint.server_name.as_deref().or(endpoint.host.as_deref())
}

/// Whether every handshake at an endpoint ended so, and there was one.
fn meets(evidence: &Evidence, endpoint: &Endpoint, manner: Manner) -> bool {
    let mut any = false;
    evidence
        .climbs(endpoint)
        .iter()
        .filter(|(_, it)| handshake(it).is_some() && !is_interrupted(it))
        .all(|(_, it)| {
            any = true;
            Manner::of(it) == Some(manner)
        })
        && any
}

fn seen(name: &str, climb: &Climb, matrix: &Matrix) -> String {
    let first = matrix.trials.first().copied();
    let what = match matrix.manner {
        Manner::Silence => first.map_or("there is no reply".to_owned(), silence),
        Manner::Reset => first.map_or("the connection is reset".to_owned(), |it| {
            format!("the connection is reset {}", delay(it))
        }),
        Manner::Close => "the connection is closed without an answer".to_owned(),
        Manner::Alert(number) => format!("TLS alert {number} comes back"),
        Manner::Impostor => "another server's certificate comes back".to_owned(),
    };
    let here = matrix.row(Variation::ServerName);
    let split = matrix.row(Variation::Split);
    let hits = matrix.hits().count();
    let at_home = if matrix.trials.is_empty() {
        "at control servers, because its own addresses cannot be reached".to_owned()
    } else {
        format!(
            "in {0} of {0} trials at {1}; with an innocuous name of the same length {2} of {3} got an answer there",
            matrix.trials.len(),
            climb.address.ip(),
            here.passed,
            here.of,
        )
    };
    let in_two = if split.passed > 0 {
        format!(
            ". Split in two inside the name, it passed in {} of {}",
            split.passed, split.of
        )
    } else {
        String::new()
    };
    format!(
        "TLS handshakes with SNI {name}: {what}, {at_home}. At controls' addresses {name} met the same in {hits} of {} trials, \
         the innocuous name never{in_two}",
        matrix.columns.len()
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
        (0, Some(1..)) => "the ClientHello is never acknowledged".to_owned(),
        (0, _) => "the ClientHello is acknowledged and gets no reply".to_owned(),
        (bytes, _) => format!("the answer stalls after {bytes} bytes"),
    }
}

/// On the spot is a box near by; after a round trip it is the server's answer that was rewritten.
fn delay(failed: &Observation) -> String {
    let rtt = failed
        .step(Operation::TcpConnect)
        .map_or(0.0, |step| step.t - step.t0);
    let waited = handshake(failed).map_or(0.0, |step| step.t - step.t0);
    let when = if waited < 0.8 * rtt {
        "at once"
    } else {
        "after a round trip"
    };
    format!(
        "{when} ({:.0} ms, round trip {:.0} ms)",
        waited * 1e3,
        rtt * 1e3
    )
}
