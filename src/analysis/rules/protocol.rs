//! Connections stand, and an app's first message meets nothing: `protocol/{drop,reset,close}`.
//!
//! What it infers: the bytes of an app's own protocol (WhatsApp's Noise, MTProto, STUN, what definitions describe) are looked at.
//! Evidence: the first message met the same in every trial and not a byte came back; random bytes of the same length and kinds get a
//! reaction at controls' addresses where the first message gets none (on any address), or at the target's own addresses
//! (there only). For STUN: the same request without its magic cookie is answered, by the relay or by controls, and the
//! one with it is not.
//! What else could explain it: a server that is dead behind its front (then random bytes meet nothing either: no finding, or doubt
//! where controls hear no such message); a server that stays silent to this message of its own will (doubt, where it was seen at its own addresses only); a relay that does
//! not answer strangers (its silence is no evidence: only a contrast that is answered names anything); a line that is cut for
//! a moment (silence counts only where something else passed while it lasted); a box that tears down whom it pleases (then
//! controls tear down random bytes as often, at times: no finding); a line that loses much (over UDP silence counts
//! only beyond what chance would do on it). A relay that answers over TCP and not over UDP
//! may serve TCP alone: that is told, and names nothing.
//! References: facts 2.6 `stun.block`, `proto.mtproto`, `proto.noise`.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

use crate::analysis::chance::Silence;
use crate::analysis::everybody::Share;
use crate::analysis::evidence::{Evidence, endpoints, is_amid, is_interrupted};
use crate::analysis::matrix::TRIALS;
use crate::analysis::rules::Finding;
use crate::analysis::words;
use crate::model::catalog::{Endpoint, Protocol};
use crate::model::check::{Ask, Climb, Variation};
use crate::model::custom::Custom;
use crate::model::failure::Failure;
use crate::model::observation::{Observation, Operation};
use crate::model::report::Confidence;
use crate::model::technique::{Interference, Technique, Trigger};

/// Addresses at which the target's own servers must have met the same, where nothing is seen elsewhere.
const ADDRESSES: usize = 2;

/// Controls at which the first message must have met the same: one alone may be an accident.
const HITS: usize = 2;

/// Likelihood from which on a control that tears down the first message more often than other bytes may do so by chance.
const CHANCE: f64 = 0.01;

/// One finding for each protocol and manner.
pub fn infer(evidence: &Evidence) -> Vec<Finding> {
    let mut told: BTreeMap<(Spoken, Manner), Vec<Cells>> = BTreeMap::new();
    for (climb, failed) in evidence.all_climbs() {
        // To TURN nothing is asked that differs in one thing alone, and neutral servers need not relay for anybody.
        let is_turn = matches!(climb.protocol, Protocol::Turn | Protocol::TurnTcp);
        if failed.check.contrast.is_none()
            && !is_turn
            && let Some(cells) = Cells::of(evidence, climb, failed)
        {
            let key = (Spoken::by(climb), cells.manner);
            told.entry(key).or_default().push(cells);
        }
    }
    told.into_iter()
        .filter_map(|((spoken, manner), cells)| finding(evidence, spoken, manner, &cells))
        .collect()
}

/// A protocol; of those that the definitions describe, each is one of its own.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Spoken<'a> {
    protocol: Protocol,
    custom: Option<&'a Custom>,
}

impl<'a> Spoken<'a> {
    fn by(climb: &'a Climb) -> Self {
        Self {
            protocol: climb.protocol,
            custom: climb.custom.as_deref(),
        }
    }

    /// Whether its contrast is the same question in an older form, and not random bytes.
    fn has_older_form(self) -> bool {
        self.protocol.is_udp() && self.custom.is_none()
    }
}

/// How the first message met nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Manner {
    Silence,
    Reset,
    Close,
}

impl Manner {
    /// `None` if a byte came back, or the exchange was not reached.
    fn of(observation: &Observation) -> Option<Self> {
        let step = observation.step(Operation::Exchange)?;
        let exchange = step.exchange.as_deref();
        if exchange.is_some_and(|it| it.received_bytes > 0 || !it.icmp.is_empty()) {
            return None;
        }
        match step.failure.as_ref()? {
            Failure::GenericTimeout | Failure::TimedOut => Some(Self::Silence),
            Failure::ConnectionReset => Some(Self::Reset),
            Failure::Eof => Some(Self::Close),
            _ => None,
        }
    }

    const fn interference(self) -> Interference {
        match self {
            Self::Silence => Interference::Drop,
            Self::Reset => Interference::Reset,
            Self::Close => Interference::Close,
        }
    }
}

/// Whether the peer did anything else with the bytes. Where the first message was not even acknowledged, an
/// acknowledgement is a reaction: a server that says nothing to strangers still takes what they send.
fn reacted(observation: &Observation, manner: Manner, never_heard: bool) -> Option<bool> {
    let step = observation.step(Operation::Exchange)?;
    let acked = step.tcp.as_deref().and_then(|tcp| tcp.bytes_acked);
    let is_taken = never_heard && acked.is_some_and(|bytes| bytes > 0);
    Some(Manner::of(observation) != Some(manner) || is_taken)
}

/// The same of the target's own servers, which know the protocol. Beside a connection that was torn down only an answer is a reaction
/// of theirs: a server that waits for the rest of what means nothing tears down what it read to the end.
fn reacted_at_home(observation: &Observation, manner: Manner, never_heard: bool) -> Option<bool> {
    let exchange = observation.step(Operation::Exchange)?.exchange.as_deref();
    match manner {
        Manner::Silence => reacted(observation, manner, never_heard),
        Manner::Reset | Manner::Close => Some(exchange.is_some_and(|it| it.received_bytes > 0)),
    }
}

/// Whether not a byte of what was sent was acknowledged.
fn is_never_heard(observation: &Observation) -> bool {
    let tcp = observation
        .step(Operation::Exchange)
        .and_then(|step| step.tcp.as_deref());
    tcp.is_some_and(|tcp| tcp.unacked.unwrap_or(0) > 0 && tcp.bytes_acked == Some(0))
}

/// What was seen around one address.
struct Cells<'a> {
    manner: Manner,
    address: SocketAddr,
    trials: Vec<&'a Observation>,
    /// Other bytes at the same address: whether they got a reaction.
    here: Vec<(bool, &'a Observation)>,
    /// Controls that reacted to the first message, or to other bytes alone: whether the first message met there what it met at home.
    columns: Vec<(bool, [&'a Observation; 2])>,
    /// The same question over TCP.
    over_tcp: Vec<&'a Observation>,
}

impl<'a> Cells<'a> {
    fn of(evidence: &Evidence<'a>, climb: &Climb, failed: &'a Observation) -> Option<Self> {
        if climb.protocol.is_tls() {
            return None;
        }
        let manner = Manner::of(failed)?;
        let trials: Vec<&Observation> = evidence
            .all_climbs()
            .filter(|(other, it)| *other == climb && !it.is_not_run() && !is_interrupted(it))
            .map(|(_, it)| it)
            .collect();
        if trials.iter().any(|it| Manner::of(it) != Some(manner)) {
            return None;
        }
        let never_heard = trials.iter().all(|it| is_never_heard(it));
        let id = &failed.check.id;
        let here = evidence.contrasts(id, Variation::Payload);
        let both = evidence.contrasts(id, Variation::Both);
        let has_reacted = |it: &Observation| reacted(it, manner, never_heard) == Some(true);
        let columns = evidence
            .contrasts(id, Variation::Address)
            .into_iter()
            .filter_map(|(there, own)| {
                let (_, other) = both.iter().find(|(climb, it)| {
                    climb.address == there.address && it.check.trial == own.check.trial
                })?;
                let is_hit = !reacted(own, manner, never_heard)?;
                let mut beside = both.iter().filter(|(_, it)| has_reacted(it));
                let is_telling =
                    manner != Manner::Silence || beside.any(|(_, it)| is_amid(it, own));
                let is_told = !is_hit || has_reacted(other) && is_telling;
                is_told.then_some((is_hit, [own, *other]))
            })
            .collect();
        Some(Self {
            manner,
            address: climb.address,
            trials,
            here: here
                .into_iter()
                .filter_map(|(_, it)| Some((reacted_at_home(it, manner, never_heard)?, it)))
                .collect(),
            columns,
            over_tcp: evidence
                .contrasts(id, Variation::Transport)
                .into_iter()
                .map(|(_, it)| it)
                .collect(),
        })
    }

    /// Answers over TCP, where it is heard in no form over UDP, to somebody who was silent over UDP just then.
    fn answers_over_tcp_alone(&self) -> bool {
        self.manner == Manner::Silence
            && self.here.iter().all(|(reacted, _)| !reacted)
            && self
                .over_tcp
                .iter()
                .any(|it| it.is_success() && self.is_beside_silence(it))
    }

    /// Whether it passed while this address was silent.
    fn is_beside_silence(&self, passed: &Observation) -> bool {
        let here = self.here.iter().map(|(_, it)| it);
        self.trials
            .iter()
            .chain(here)
            .any(|silent| is_amid(passed, silent))
    }

    /// Other bytes met at this very address what the first message met.
    fn is_dead_at_home(&self) -> bool {
        let met_the_same =
            |(reacted, it): &(bool, &Observation)| !reacted && Manner::of(it) == Some(self.manner);
        !self.here.is_empty() && self.here.iter().all(met_the_same)
    }

    /// Other bytes got a reaction at this very address each time, and while the first message was silent.
    fn is_seen_here(&self) -> bool {
        let is_telling = |trial: &&&Observation| {
            self.manner != Manner::Silence || self.here.iter().any(|(_, it)| is_amid(it, trial))
        };
        // The first trial was the reach round's, before there was a contrast.
        self.trials.iter().filter(is_telling).count() >= TRIALS - 1
            && self.trials.len() >= TRIALS
            && self.here.len() >= TRIALS
            && self.here.iter().all(|(reacted, _)| *reacted)
    }
}

/// Whether a control tears down other bytes too, at times and at others not, about as often as the first message: a box that
/// tears down whom it pleases. Whom a control always treats alike is no such sign, it may not like what it does not know.
fn is_whims(evidence: &Evidence, spoken: Spoken, manner: Manner) -> bool {
    let met = |varies: Variation| -> Vec<(SocketAddr, bool)> {
        let of = |id: &str| evidence.contrasts(id, varies);
        evidence
            .all_climbs()
            .filter(|(climb, _)| Spoken::by(climb) == spoken)
            .flat_map(|(_, failed)| of(&failed.check.id))
            .filter_map(|(there, it)| Some((there.address, !reacted(it, manner, false)?)))
            .collect()
    };
    let others = met(Variation::Both);
    let reacting: BTreeSet<SocketAddr> = others
        .iter()
        .filter(|(_, is_met)| !is_met)
        .map(|(control, _)| *control)
        .collect();
    let share = |all: &[(SocketAddr, bool)]| {
        let there = all.iter().filter(|(control, _)| reacting.contains(control));
        Share::of(there.map(|(_, is_met)| *is_met))
    };
    let others = share(&others);
    manner != Manner::Silence
        && others.met > 0
        && others.chance_of(share(&met(Variation::Address))) >= CHANCE
}

fn finding(
    evidence: &Evidence,
    spoken: Spoken,
    manner: Manner,
    cells: &[Cells],
) -> Option<Finding> {
    let columns = || cells.iter().flat_map(|it| &it.columns);
    let hit_controls: Vec<&Observation> = columns()
        .filter(|(is_hit, _)| *is_hit)
        .map(|(_, [own, _])| *own)
        .collect();
    let hits = hit_controls.len();
    let free = columns().count() - hits;
    // Over TCP the kernel sends again and again: there a lossy line is told by its SYNs.
    let silence = |silent: &[&Observation]| {
        if spoken.protocol.is_udp() && manner == Manner::Silence {
            evidence.silence_over_udp(silent)
        } else {
            Silence::Certain
        }
    };
    let trials: usize = cells.iter().map(|it| it.trials.len()).sum();
    let here: BTreeSet<SocketAddr> = cells
        .iter()
        .filter(|it| it.is_seen_here() && silence(&it.trials) != Silence::Chance)
        .map(|it| it.address)
        .collect();
    // A relay that answers the same question in its older form answers strangers: what it does not hear is taken away.
    let is_stun = spoken.has_older_form();
    let at_controls = silence(&hit_controls);
    let is_looked_for = hits >= HITS && free == 0;
    let (confidence, doubt) = if is_looked_for && is_whims(evidence, spoken, manner) {
        return None;
    } else if is_looked_for && at_controls != Silence::Chance {
        if let Some(doubt) = at_controls.doubt() {
            (Confidence::Likely, Some(doubt))
        } else if cells.iter().all(Cells::is_dead_at_home) {
            let doubt = "Random bytes fail in the same way at its own servers: they may be down, and neutral servers may treat these bytes so";
            (Confidence::Likely, Some(doubt.to_owned()))
        } else if hits >= TRIALS && trials >= TRIALS {
            (Confidence::Confirmed, None)
        } else {
            let doubt = words::FEW_TRIALS_OR_CONTROLS;
            (Confidence::Likely, Some(doubt.to_owned()))
        }
    } else if is_stun && !here.is_empty() && (free == 0 || here.len() >= ADDRESSES) {
        let all: Vec<&Observation> = cells
            .iter()
            .filter(|it| here.contains(&it.address))
            .flat_map(|it| it.trials.iter().copied())
            .collect();
        // Whoever looks at the cookie on the way does so to neutral servers too.
        let is_looked_for = hits > 0 && free == 0;
        let doubt = silence(&all).doubt().or_else(|| {
            let doubt = "The relays themselves may know the older form alone: no neutral server failed in the same way";
            (!is_looked_for).then(|| doubt.to_owned())
        });
        match doubt {
            Some(doubt) => (Confidence::Likely, Some(doubt)),
            None => (Confidence::Confirmed, None),
        }
    } else if here.len() >= ADDRESSES && hits == 0 {
        let what = match manner {
            Manner::Silence => "stay silent to",
            Manner::Reset | Manner::Close => "hang up on",
        };
        let doubt = format!(
            "The servers themselves may {what} this message, which only another vantage can settle"
        );
        (Confidence::Likely, Some(doubt))
    } else {
        return None;
    };
    let mut ids: Vec<String> = Vec::new();
    for it in cells {
        ids.extend(it.trials.iter().map(|it| it.id.clone()).take(TRIALS));
        ids.extend(it.here.iter().map(|(_, it)| it.id.clone()).take(1));
        let columns = it.columns.iter().flat_map(|(_, pair)| pair);
        ids.extend(columns.map(|it| it.id.clone()).take(2));
        ids.extend(it.over_tcp.iter().map(|it| it.id.clone()).take(1));
    }
    Some(Finding {
        technique: Technique::new(Trigger::Protocol, manner.interference()),
        confidence,
        endpoints: hit(evidence, spoken, manner),
        evidence: ids,
        doubt,
        seen: seen(spoken, manner, trials, cells, hits, columns().count()),
    })
}

/// Endpoints of the protocol of which every exchange met the same, and there was one.
fn hit(evidence: &Evidence, spoken: Spoken, manner: Manner) -> BTreeSet<String> {
    endpoints(evidence.target)
        .filter(|endpoint| {
            endpoint.protocol == spoken.protocol && endpoint.custom.as_deref() == spoken.custom
        })
        .filter(|endpoint| {
            let mut any = false;
            evidence
                .climbs(endpoint)
                .iter()
                .filter(|(_, it)| it.step(Operation::Exchange).is_some() && !is_interrupted(it))
                .all(|(_, it)| {
                    any = true;
                    Manner::of(it) == Some(manner)
                })
                && any
        })
        .map(|endpoint| endpoint.id.clone())
        .collect()
}

fn seen(
    spoken: Spoken,
    manner: Manner,
    trials: usize,
    cells: &[Cells],
    hits: usize,
    columns: usize,
) -> String {
    let what = match manner {
        Manner::Silence => "gets no reply",
        Manner::Reset => "is reset",
        Manner::Close => "is closed without an answer",
    };
    let other = if spoken.has_older_form() {
        "the same request without its magic cookie"
    } else {
        "random bytes of the same length and kinds"
    };
    let addresses: BTreeSet<IpAddr> = cells.iter().map(|it| it.address.ip()).collect();
    let here = cells.iter().flat_map(|it| &it.here);
    let reacted = here.clone().filter(|(reacted, _)| *reacted).count();
    let others = cells.iter().flat_map(|it| &it.columns);
    let too = match others
        .filter(|(_, [_, other])| Manner::of(other) == Some(manner))
        .count()
    {
        0 => "never".to_owned(),
        trials => format!("in {trials}"),
    };
    let over_tcp = cells.iter().flat_map(|it| &it.over_tcp);
    let answered = over_tcp.clone().filter(|it| it.is_success()).count();
    let over_tcp = match over_tcp.count() {
        0 => String::new(),
        trials => format!(". Over TCP it was answered in {answered} of {trials}"),
    };
    format!(
        "The first message of {} {what}, in {trials} of {trials} trials at {} addresses, where {other} got a reaction in {reacted} of \
         {}. At controls' addresses the message met the same in {hits} of {columns} trials, {other} {too}{over_tcp}",
        spoken.protocol.word(),
        addresses.len(),
        here.count()
    )
}

/// Whether a check is one of an app's own protocol over UDP, whose silence says nothing.
pub fn is_silent_relay(observation: &Observation) -> bool {
    // What the definitions describe must answer, or they would not say with what.
    matches!(&observation.check.ask, Ask::Climb(climb) if Spoken::by(climb).has_older_form())
        && Manner::of(observation) == Some(Manner::Silence)
}

/// What a relay of this endpoint, silent over UDP, does over TCP: `Some` if it answers, with whether neutral servers were heard
/// over UDP meanwhile.
pub fn answers_over_tcp(evidence: &Evidence, endpoint: &Endpoint) -> Option<bool> {
    let climbs = evidence.climbs(endpoint).into_iter();
    let first = climbs.filter(|(_, it)| it.check.contrast.is_none());
    first
        .filter_map(|(climb, failed)| {
            let cells = Cells::of(evidence, climb, failed)?;
            let neutral = [Variation::Address, Variation::Both];
            let mut neutral = neutral
                .into_iter()
                .flat_map(|varies| evidence.contrasts(&failed.check.id, varies));
            cells
                .answers_over_tcp_alone()
                .then(|| neutral.any(|(_, it)| it.is_success() && cells.is_beside_silence(it)))
        })
        .max()
}
