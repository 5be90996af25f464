//! Requests in clear fail, or are answered by somebody else, because of their Host: `http_host/{blockpage,reset,drop,close}`.
//!
//! What it infers: the Host (or URL) of a request in clear is looked at, and what is then done.
//! Evidence: the 2x2 of {the target's Host, an innocuous one of the same length} x {the target's address, controls'
//! addresses}. The target's Host meets the same at the controls, where the innocuous one does not; or the same request in
//! two writes, cut inside the name, is answered otherwise; or the answer is a block page that is known.
//! What else could explain it: the real server's own 403, 451 or redirect, or definitions that are out of date (then it is
//! seen at its own address only, and in two writes too: no finding); a server that is down (then the innocuous Host fails
//! too); a box that does it to everybody's requests, or to whomever it pleases (then controls met it before, or the innocuous Host does there: no finding); a portal (then controls are met by
//! it: the regime). A page that answers for every Host at one address and port
//! is `address_port/blockpage`, and only if it is known.
//! References: facts 2.4; OONI ts-017; ooni/blocking-fingerprints.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use crate::analysis::everybody::Share;
use crate::analysis::evidence::{Evidence, endpoints, is_amid, is_interrupted};
use crate::analysis::matrix::TRIALS;
use crate::analysis::rules::Finding;
use crate::analysis::words;
use crate::model::catalog::{BlockPage, Protocol};
use crate::model::check::{Climb, Variation};
use crate::model::failure::Failure;
use crate::model::observation::{HttpFacts, Observation, Operation};
use crate::model::report::Confidence;
use crate::model::technique::{Interference, Technique, Trigger};

/// Controls at which the Host must have met the same: one alone may be an accident.
const HITS: usize = 2;
/// Likelihood from which on a Host that fails more often than an innocuous one at controls may do so by chance.
const CHANCE: f64 = 0.01;

/// One finding for each Host that was contrasted.
pub fn infer(evidence: &Evidence) -> Vec<Finding> {
    let mut findings: Vec<(bool, Finding)> = evidence
        .all_climbs()
        .filter(|(climb, observation)| {
            climb.protocol == Protocol::Http && observation.check.contrast.is_none()
        })
        .filter_map(|(climb, failed)| {
            let cells = Cells::of(evidence, climb, failed)?;
            let everybody = &evidence.ground.everybody;
            let strangers = everybody.requests(cells.manner.interference());
            if strangers.is_everybodys() || cells.are_whims() {
                return None;
            }
            let is_contrasted = cells.columns.iter().any(|(is_hit, _)| *is_hit);
            Some((is_contrasted, finding(evidence, climb, &cells)?))
        })
        .collect();
    // Where one address shows the page for every Host, the page alone says no more of the Host elsewhere.
    let is_about_addresses = findings
        .iter()
        .any(|(_, finding)| finding.technique.trigger == Trigger::AddressPort);
    if is_about_addresses {
        for (is_contrasted, finding) in &mut findings {
            let is_page = finding.technique.interference == Interference::Blockpage;
            if is_page && !*is_contrasted {
                finding.technique.trigger = Trigger::AddressPort;
            }
        }
    }
    findings.into_iter().map(|(_, finding)| finding).collect()
}

/// What became of a request.
#[derive(Clone, Copy, Debug)]
enum Manner<'a> {
    Silence,
    Reset,
    Close,
    /// An answer that may be somebody else's.
    Page(&'a HttpFacts),
}

impl<'a> Manner<'a> {
    fn of(observation: &'a Observation) -> Option<Self> {
        let step = observation.step(Operation::HttpRoundTrip)?;
        match (&step.failure, step.http.as_deref()) {
            (_, Some(http)) => Some(Self::Page(http)),
            (Some(Failure::GenericTimeout | Failure::TimedOut), None) => Some(Self::Silence),
            (Some(Failure::ConnectionReset), None) => Some(Self::Reset),
            (Some(Failure::Eof), None) => Some(Self::Close),
            _ => None,
        }
    }

    const fn interference(self) -> Interference {
        match self {
            Self::Silence => Interference::Drop,
            Self::Reset => Interference::Reset,
            Self::Close => Interference::Close,
            Self::Page(_) => Interference::Blockpage,
        }
    }

    /// Whether the same was met.
    fn is_same(self, other: Manner) -> bool {
        match (self, other) {
            (Self::Page(one), Manner::Page(other)) => is_same_page(one, other),
            (Self::Silence, Manner::Silence)
            | (Self::Reset, Manner::Reset)
            | (Self::Close, Manner::Close) => true,
            _ => false,
        }
    }
}

/// Pages carry the time and the visitor: the status, and where it leads or what it is called, must do.
fn is_same_page(one: &HttpFacts, other: &HttpFacts) -> bool {
    let leads = one.redirect_host();
    one.status == other.status
        && if leads.is_some() || other.redirect_host().is_some() {
            leads == other.redirect_host()
        } else {
            is_same_body(one, other) || (one.title.is_some() && one.title == other.title)
        }
}

/// By the hash; where both have none, because they are short or hold an address, by the text that is kept.
fn is_same_body(one: &HttpFacts, other: &HttpFacts) -> bool {
    one.body_sha256 == other.body_sha256
        && (one.body_sha256.is_some()
            || (one.body == other.body && one.body_bytes == other.body_bytes))
}

/// Everything around one request.
struct Cells<'a> {
    manner: Manner<'a>,
    trials: Vec<&'a Observation>,
    /// An innocuous Host at the same address: whether it met something else.
    here: Vec<(bool, &'a Observation)>,
    /// The same request in two writes: whether it met something else.
    split: Vec<(bool, &'a Observation)>,
    /// Controls at which the innocuous Host met something else: whether the target's Host met the same as at home.
    columns: Vec<(bool, [String; 2])>,
    /// Whether the target's Host, and the innocuous one, met at controls what was met at home, each time by itself.
    there: [Share; 2],
}

impl<'a> Cells<'a> {
    fn of(evidence: &Evidence<'a>, climb: &Climb, failed: &'a Observation) -> Option<Self> {
        let manner = Manner::of(failed)?;
        let trials: Vec<&Observation> = evidence
            .all_climbs()
            .filter(|(other, it)| *other == climb && !it.is_not_run() && !is_interrupted(it))
            .map(|(_, observation)| observation)
            .collect();
        let agree = trials
            .iter()
            .all(|trial| Manner::of(trial).is_some_and(|it| it.is_same(manner)));
        let row = |varies| -> Vec<(bool, &'a Observation)> {
            evidence
                .contrasts(&failed.check.id, varies)
                .into_iter()
                .filter_map(|(_, it)| Some((!Manner::of(it)?.is_same(manner), it)))
                .collect()
        };
        let both = evidence.contrasts(&failed.check.id, Variation::Both);
        let beside = |address: SocketAddr, trial: u32| {
            let mut both = both.iter();
            both.find(|(climb, it)| climb.address == address && it.check.trial == trial)
                .map(|(_, it)| *it)
        };
        let has_passed = |it: &Observation| matches!(Manner::of(it), Some(page @ Manner::Page(_)) if !page.is_same(manner));
        // A line that is cut for a moment swallows what is sent on connections that stood just before.
        let is_telling = |named: &Observation| {
            let mut passed = both.iter().filter(|(_, it)| has_passed(it));
            !matches!(manner, Manner::Silence) || passed.any(|(_, it)| is_amid(it, named))
        };
        let alone = evidence.contrasts(&failed.check.id, Variation::Address);
        let met = |all: &[(&Climb, &Observation)]| {
            let met = all.iter().filter_map(|(_, it)| Manner::of(it));
            Share::of(met.map(|it| it.is_same(manner)))
        };
        let there = [met(&alone), met(&both)];
        let columns = alone
            .into_iter()
            .filter_map(|(climb, named)| {
                let innocuous = beside(climb.address, named.check.trial)?;
                let is_hit = Manner::of(named)?.is_same(manner);
                (has_passed(innocuous) && (!is_hit || is_telling(named)))
                    .then(|| (is_hit, [named.id.clone(), innocuous.id.clone()]))
            })
            .collect();
        agree.then(|| Self {
            manner,
            trials,
            here: row(Variation::Host),
            split: row(Variation::Split),
            columns,
            there,
        })
    }

    /// Whether the innocuous Host meets the same at controls, about as often: a box that breaks off whomever it pleases.
    fn are_whims(&self) -> bool {
        let [named, innocuous] = self.there;
        let is_page = matches!(self.manner, Manner::Page(_));
        !is_page && innocuous.met > 0 && innocuous.chance_of(named) >= CHANCE
    }
}

fn finding(evidence: &Evidence, climb: &Climb, cells: &Cells) -> Option<Finding> {
    let host = climb.host.as_deref()?;
    let known = known_page(evidence, cells.manner);
    let (trigger, confidence, doubt) = read(cells, known.is_some())?;
    let mut ids: Vec<String> = cells.trials.iter().map(|trial| trial.id.clone()).collect();
    ids.extend(cells.columns.iter().flat_map(|(_, ids)| ids.clone()));
    let beside = cells.here.iter().chain(&cells.split);
    ids.extend(beside.map(|(_, it)| it.id.clone()));
    Some(Finding {
        technique: Technique::new(trigger, cells.manner.interference()),
        confidence,
        endpoints: hit(evidence, host),
        evidence: ids,
        doubt: doubt.map(str::to_owned),
        seen: seen(climb, host, cells, known),
    })
}

fn known_page<'a>(evidence: &'a Evidence, manner: Manner) -> Option<&'a BlockPage> {
    let Manner::Page(http) = manner else {
        return None;
    };
    let mut pages = evidence.catalog.block_pages.iter();
    pages.find(|page| page.is(http))
}

/// Which trigger the cells show, and how surely.
fn read(cells: &Cells, is_known: bool) -> Option<(Trigger, Confidence, Option<&'static str>)> {
    let all = |row: &[(bool, &Observation)]| !row.is_empty() && row.iter().all(|(other, _)| *other);
    let none =
        |row: &[(bool, &Observation)]| !row.is_empty() && row.iter().all(|(other, _)| !*other);
    let hits = cells.columns.iter().filter(|(is_hit, _)| *is_hit).count();
    let free = cells.columns.len() - hits;
    let enough = cells.trials.len() >= TRIALS;
    if is_known && none(&cells.here) && free > 0 && hits == 0 {
        return Some((Trigger::AddressPort, Confidence::Confirmed, None));
    }
    if (hits >= HITS || is_known && hits > 0) && free == 0 {
        let certain = is_known || (enough && hits >= TRIALS);
        return Some(if certain {
            (Trigger::HttpHost, Confidence::Confirmed, None)
        } else {
            let doubt = words::FEW_TRIALS_OR_CONTROLS;
            (Trigger::HttpHost, Confidence::Likely, Some(doubt))
        });
    }
    let is_blind_in_two = all(&cells.split) && cells.split.len() >= TRIALS && enough;
    if is_known || (is_blind_in_two && all(&cells.here)) {
        return Some((Trigger::HttpHost, Confidence::Confirmed, None));
    }
    // Whatever it says, and where it leads: at its own address alone it may be the server's own word.
    let may_be_genuine = matches!(cells.manner, Manner::Page(_));
    if may_be_genuine || hits > 0 || free == 0 || !all(&cells.here) || !enough {
        return None;
    }
    let doubt = "The server itself may treat this name so, which only another vantage can settle";
    Some((Trigger::HttpHost, Confidence::Likely, Some(doubt)))
}

fn hit(evidence: &Evidence, host: &str) -> BTreeSet<String> {
    endpoints(evidence.target)
        .filter(|endpoint| endpoint.protocol == Protocol::Http)
        .filter(|endpoint| endpoint.host.as_deref() == Some(host))
        .map(|endpoint| endpoint.id.clone())
        .collect()
}

fn seen(climb: &Climb, host: &str, cells: &Cells, known: Option<&BlockPage>) -> String {
    let what = match cells.manner {
        Manner::Silence => "gets no reply".to_owned(),
        Manner::Reset => "is reset".to_owned(),
        Manner::Close => "is closed without an answer".to_owned(),
        Manner::Page(http) => page_words(http, known),
    };
    let others = cells.here.iter().filter(|(other, _)| *other).count();
    let hits = cells.columns.iter().filter(|(is_hit, _)| *is_hit).count();
    let in_two = cells.split.iter().filter(|(other, _)| *other).count();
    let in_two = if in_two > 0 {
        format!(
            ". Sent in two pieces, cut inside the name, it met something else in {in_two} of {}",
            cells.split.len()
        )
    } else {
        String::new()
    };
    format!(
        "An unencrypted HTTP request with host {host} {what}, in {0} of {0} tries at {1}; with an innocuous Host {others} of {2} met \
         something else there. At controls' addresses the name met the same in {hits} of {3} trials, the innocuous one \
         never{in_two}",
        cells.trials.len(),
        climb.address.ip(),
        cells.here.len(),
        cells.columns.len()
    )
}

fn page_words(http: &HttpFacts, known: Option<&BlockPage>) -> String {
    let status = http.status;
    match (known, http.redirect_host(), http.title.as_deref()) {
        (Some(page), _, _) => format!("gets the block page of {} (status {status})", page.operator),
        (None, Some(host), _) => format!("is redirected to {host} (status {status})"),
        (None, None, Some(title)) => {
            format!("gets a page with the title \"{title}\" (status {status})")
        }
        (None, None, None) => format!("gets status {status}"),
    }
}
