//! The same endpoint or name from another vantage (`--control`): `address/*`, `address_port/*`, `domain_name/*` and
//! `server_name_at_address/*`, where from here alone nothing can be told or a doubt is left.
//!
//! What it infers: what is done on the way from here, since the very same thing works from elsewhere.
//! Evidence: the contrast is the vantage. Connections never stand here and do there, at the same address; a name is denied
//! here and known there; a handshake ends here in an alert or in somebody else's certificate and is proved there.
//! What else could explain it: servers that failed after the other vantage looked, roads that this provider alone has lost, or a
//! front that treats those who come from here so (doubt: never more than likely); servers that are dead there too (no finding); servers that turn this vantage away, or a firewall at home (connections end where servers stand, or before the
//! first router: doubt); a firewall that shuts the port for everybody, a limit by rate, or a line that fails (no finding, as
//! `address` and `address_port` reckon); a service that answers differently by region (other addresses there: doubt); a name that was given up since (a
//! protected resolver denies it here too: no finding); roads that are down here (as `address` reckons: no finding, or doubt).
//! References: design, section 5; facts 2.1 to 2.3.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

use crate::analysis::chance::Silence;
use crate::analysis::connections::is_not_served;
use crate::analysis::control::{OtherVantage, may_be_the_servers_own};
use crate::analysis::denials::{self, Whose};
use crate::analysis::evidence::{Evidence, endpoints, is_interrupted};
use crate::analysis::replies::valid_replies;
use crate::analysis::rules::address::{self, RoadsDown};
use crate::analysis::rules::address_port::{self, Blamed};
use crate::analysis::rules::lying_resolver::{RESOLVES_HERE, is_broken, is_in_vain, whose};
use crate::analysis::rules::{Finding, endpoints_of, server_name};
use crate::model::catalog::Endpoint;
use crate::model::check::{Ask, Climb, RecordType, Variation};
use crate::model::failure::Failure;
use crate::model::line::{RACK, is_of_the_web, network};
use crate::model::observation::{DnsReply, Observation, Operation, TlsFacts};
use crate::model::report::Confidence;
use crate::model::resolution::Answer;
use crate::model::technique::{Interference, Technique, Trigger};

/// Trials that must all have failed; silence, which loss can imitate, needs one more where it is an answer that is missing.
const TRIALS: usize = 3;
const TRIALS_OF_SILENCE: usize = 4;

/// Everything that another vantage tells; nothing without one.
pub fn infer(evidence: &Evidence) -> Vec<Finding> {
    let Some(other) = evidence.ground.other() else {
        return Vec::new();
    };
    let mut findings = connections(evidence, other);
    findings.extend(names(evidence, other));
    findings.extend(proved_there(evidence, other));
    findings.extend(answered_by_somebody(evidence, other));
    findings
}

/// Takes out of the findings what another vantage explains innocently: servers that are down there too, and addresses that
/// honest resolvers tell there as well.
pub fn settle(evidence: &Evidence, findings: &mut Vec<Finding>) {
    let Some(other) = evidence.ground.other() else {
        return;
    };
    let target = &evidence.target.id;
    for finding in findings.iter_mut() {
        match (finding.technique.trigger, finding.technique.interference) {
            (Trigger::Address | Trigger::AddressPort, _) => finding
                .endpoints
                .retain(|endpoint| other.failure(target, endpoint, true).is_none()),
            (trigger, _)
                if may_be_the_servers_own(trigger)
                    && finding.confidence < Confidence::Confirmed =>
            {
                finding
                    .endpoints
                    .retain(|endpoint| other.failure(target, endpoint, true).is_none());
            }
            (Trigger::DomainName, Interference::FalseAnswer | Interference::InjectedAnswer) => {
                for host in evidence
                    .hosts()
                    .filter(|host| is_geography(evidence, other, host))
                {
                    let of_host = endpoints_of(evidence, host);
                    finding.endpoints.retain(|id| !of_host.contains(id));
                }
            }
            _ => {}
        }
    }
    findings.retain(|finding| !finding.endpoints.is_empty());
}

/// Whether everything that is told here about a host is told by honest resolvers there too.
fn is_geography(evidence: &Evidence, other: &OtherVantage, host: &str) -> bool {
    let Some(resolution) = evidence.resolution(host) else {
        return false;
    };
    let there = other.addresses(&evidence.target.id, host);
    let is_told_there = |address: &&str| {
        address
            .parse::<IpAddr>()
            .is_ok_and(|address| there.contains(&address))
    };
    let mut replies = resolution
        .answers
        .iter()
        .filter(|answer| answer.is_system() && answer.record != Some(RecordType::Aaaa))
        .flat_map(valid_replies)
        .map(DnsReply::addresses)
        .peekable();
    replies.peek().is_some()
        && replies.all(|told| !told.is_empty() && told.iter().all(is_told_there))
}

// ---- connections that never stand ---------------------------------------------------------------------------------

/// What became of one address here.
#[derive(Default)]
struct Place<'a> {
    /// Where connections stood.
    stands: BTreeSet<SocketAddr>,
    /// Connections that never stood.
    failed: Vec<(SocketAddr, Interference, &'a Observation)>,
}

/// What fails in the same way and works there.
#[derive(Default)]
struct Group {
    endpoints: BTreeSet<String>,
    /// Addresses that worked there.
    same: BTreeSet<SocketAddr>,
    /// All that fail here.
    failing: BTreeSet<SocketAddr>,
    /// What else it may be, by where it happens.
    doubts: BTreeSet<String>,
}

fn connections(evidence: &Evidence, other: &OtherVantage) -> Vec<Finding> {
    if evidence.connections.controls_failed {
        return Vec::new();
    }
    let places = places(evidence);
    let mut groups: BTreeMap<Technique, Group> = BTreeMap::new();
    for endpoint in endpoints(evidence.target) {
        if !other.works(&evidence.target.id, &endpoint.id) {
            continue;
        }
        let Some((technique, mut failing)) = dead(evidence, endpoint, &places) else {
            continue;
        };
        // One that is dead there too is down.
        failing.retain(|address| !other.fails_at(&evidence.target.id, *address));
        if failing.is_empty() {
            continue;
        }
        let Some(doubts) = blamed(evidence, technique, &failing) else {
            continue;
        };
        let group = groups.entry(technique).or_default();
        group.doubts.extend(doubts);
        group.endpoints.insert(endpoint.id.clone());
        let worked = |address: &&SocketAddr| {
            other.reached(
                &evidence.target.id,
                &endpoint.id,
                **address,
                Operation::TcpConnect,
            )
        };
        group.same.extend(failing.iter().filter(worked));
        group.failing.extend(failing);
    }
    groups
        .into_iter()
        // What a part of the controls meets too is the line's.
        .filter(|(technique, _)| {
            let everybody = &evidence.ground.everybody;
            let strangers = everybody.connections(technique.interference, None);
            !strangers.is_everybodys()
        })
        .filter_map(|(technique, group)| {
            // Servers that stand there do not tell which roads are down here.
            let unseen = match roads_down(evidence, technique) {
                Some(RoadsDown::Likely) => return None,
                Some(RoadsDown::Unseen(doubt)) => Some(doubt),
                None => None,
            };
            group.finding(technique, other, &places, unseen)
        })
        .collect()
}

/// All that is left to doubt if somebody is blamed for what these addresses meet, by where it happens and whom else it
/// meets; `None` if nobody is to be blamed.
fn blamed(
    evidence: &Evidence,
    technique: Technique,
    failing: &BTreeSet<SocketAddr>,
) -> Option<BTreeSet<String>> {
    let how = technique.interference;
    let mut doubts = BTreeSet::new();
    // A firewall that lets only some ports pass makes an address dead of which no other was tried.
    let is_by_port = technique.trigger == Trigger::AddressPort
        || failing.iter().all(|to| !is_of_the_web(to.port()));
    for to in failing.iter().filter(|_| is_by_port) {
        match address_port::blamed(evidence, how, *to) {
            Blamed::Nobody => return None,
            Blamed::Perhaps(doubt) => doubts.extend(doubt),
        }
    }
    let by_port = technique.trigger == Trigger::AddressPort;
    let ports = failing.iter().map(|to| by_port.then(|| to.port()));
    let strangers = ports.map(|port| evidence.ground.everybody.connections(how, port));
    doubts.extend(strangers.filter_map(address::doubt_of));
    let addresses: BTreeSet<IpAddr> = failing.iter().map(SocketAddr::ip).collect();
    let limited = &evidence.connections.limits.limited;
    if how == Interference::Drop && !addresses.is_disjoint(limited) {
        return None;
    }
    if technique.trigger == Trigger::Address {
        doubts.extend(address::doubt_of_place(evidence, how, &addresses));
    } else if how == Interference::Unreachable {
        doubts.insert(address::WHOSE_ROUTER.to_owned());
    }
    Some(doubts)
}

fn roads_down(evidence: &Evidence, technique: Technique) -> Option<RoadsDown> {
    let is_address = technique.trigger == Trigger::Address;
    is_address
        .then(|| address::roads_down(evidence, technique.interference))
        .flatten()
}

impl Group {
    /// All that is left to doubt; `enough` networks failed in enough trials.
    fn doubts_left(
        &self,
        technique: Technique,
        other: &OtherVantage,
        enough: usize,
        unseen: Option<String>,
    ) -> Vec<String> {
        let seen_there = if self.same.is_empty() {
            Some(
                "The other vantage used other addresses of the same hosts: those tried here may be down",
            )
        } else if enough == 0 {
            Some("Too few connections to exclude chance")
        } else {
            None
        };
        // A router that has no road says so, or nothing; none refuses for want of one, and none knows ports.
        let knows_none =
            technique.trigger == Trigger::Address && technique.interference != Interference::Refuse;
        let lost = if knows_none {
            ", or a path that this provider has lost,"
        } else {
            ""
        };
        let meanwhile = format!(
            "The other vantage looked {}: servers that failed meanwhile{lost} would look the same",
            other.when()
        );
        let mut of_place = self.doubts.clone();
        if of_place.contains(address::AT_HOME) || of_place.contains(address::AT_THE_SERVERS) {
            of_place.remove(address::NOT_SEEN_WHERE);
        }
        let seen_there = seen_there.map(str::to_owned).into_iter();
        seen_there
            .chain([meanwhile])
            .chain(of_place)
            .chain(unseen)
            .collect()
    }

    fn finding(
        self,
        technique: Technique,
        other: &OtherVantage,
        places: &BTreeMap<IpAddr, Place>,
        unseen: Option<String>,
    ) -> Option<Finding> {
        // Led elsewhere: one place of servers that is down here says nothing of another there.
        if self.same.is_empty() && networks(self.failing.iter().map(SocketAddr::ip)) < 2 {
            return None;
        }
        let counted = if self.same.is_empty() {
            &self.failing
        } else {
            &self.same
        };
        let trials = |address: &SocketAddr| -> Vec<&Observation> {
            let by_address = technique.trigger == Trigger::Address;
            places.get(&address.ip()).map_or_else(Vec::new, |place| {
                let failed = place.failed.iter();
                failed
                    .filter(|(tried, _, _)| by_address || tried == address)
                    .map(|(_, _, observation)| *observation)
                    .collect()
            })
        };
        // One server speaks on several ports, and one machine room fails as a whole.
        let enough = counted.iter().filter(|to| trials(to).len() >= TRIALS);
        let enough = networks(enough.map(SocketAddr::ip));
        let how = technique.interference;
        // Servers that turn down some connections fail once at many addresses.
        let comes_and_goes = places.values().any(|place| {
            let mut failed = place.failed.iter();
            failed.any(|(to, met, _)| *met == how && place.stands.contains(to))
        });
        if enough == 0 && (how == Interference::Refuse || comes_and_goes) {
            return None;
        }
        let doubts = self.doubts_left(technique, other, enough, unseen);
        let mut ids: Vec<String> = Vec::new();
        for address in counted {
            ids.extend(trials(address).iter().take(TRIALS).map(|it| it.id.clone()));
        }
        let what = match technique.interference {
            Interference::Drop => "silent",
            Interference::Refuse => "refused",
            _ => "unreachable (ICMP)",
        };
        Some(Finding {
            technique,
            confidence: Confidence::Likely,
            seen: format!(
                "Connections to {} {what} here, at {}; from {} ({}) the same endpoints work{}",
                if counted.len() == 1 {
                    "one address and port are".to_owned()
                } else {
                    format!("{} addresses and ports are", counted.len())
                },
                listed(counted),
                other.name(),
                other.when(),
                if self.same.is_empty() {
                    ""
                } else {
                    ", at the same addresses"
                },
            ),
            endpoints: self.endpoints,
            evidence: ids,
            doubt: Some(doubts.join(". ")),
        })
    }
}

/// In how many networks these addresses are that fail together only by an outage of the whole.
fn networks(addresses: impl Iterator<Item = IpAddr>) -> usize {
    let networks: BTreeSet<_> = addresses.map(|it| network(it, RACK)).collect();
    networks.len()
}

/// How an endpoint fails, if no connection to it stands and all fail in the same way.
fn dead(
    evidence: &Evidence,
    endpoint: &Endpoint,
    places: &BTreeMap<IpAddr, Place>,
) -> Option<(Technique, BTreeSet<SocketAddr>)> {
    let mut failing = BTreeSet::new();
    let mut manners = BTreeSet::new();
    let mut another_port = false;
    for (climb, observation) in evidence.climbs(endpoint) {
        if !is_telling(evidence, climb, observation) {
            continue;
        }
        manners.insert(manner(observation)?);
        failing.insert(climb.address);
        let place = places.get(&climb.address.ip());
        another_port |= place.is_some_and(|place| !place.stands.is_empty());
        // It stood when it was tried for another endpoint.
        if place.is_some_and(|place| place.stands.contains(&climb.address)) {
            return None;
        }
    }
    let [manner] = manners.into_iter().collect::<Vec<_>>()[..] else {
        return None;
    };
    let trigger = if another_port {
        Trigger::AddressPort
    } else {
        Trigger::Address
    };
    Some((Technique::new(trigger, manner), failing))
}

/// Every address of the target that was tried; contrasts at controls' addresses say nothing of it.
fn places<'a>(evidence: &Evidence<'a>) -> BTreeMap<IpAddr, Place<'a>> {
    let mut places: BTreeMap<IpAddr, Place> = BTreeMap::new();
    for observation in evidence.observations {
        let Ask::Climb(climb) = &observation.check.ask else {
            continue;
        };
        let at_control = observation.check.contrast.as_ref().is_some_and(|contrast| {
            matches!(contrast.varies, Variation::Address | Variation::Both)
        });
        if at_control || is_not_served(observation) || !is_telling(evidence, climb, observation) {
            continue;
        }
        let place = places.entry(climb.address.ip()).or_default();
        if observation.reached(Operation::TcpConnect) {
            place.stands.insert(climb.address);
        }
        if let Some(manner) = manner(observation) {
            place.failed.push((climb.address, manner, observation));
        }
    }
    places
}

/// Whether a climb was run to its end, in a family that works on this line.
fn is_telling(evidence: &Evidence, climb: &Climb, observation: &Observation) -> bool {
    !observation.is_not_run()
        && !is_interrupted(observation)
        && (climb.address.is_ipv4() || evidence.ground.has_family(true))
}

/// How a connection did not come to stand; `None` if it stood, or for a reason of this machine.
fn manner(observation: &Observation) -> Option<Interference> {
    let step = observation.step(Operation::TcpConnect)?;
    let failure = step.failure.as_ref()?;
    let icmp = step.tcp.as_deref().map_or(&[] as &[_], |tcp| &tcp.icmp);
    if icmp.iter().any(|error| error.offender_is_own) {
        return None;
    }
    match failure {
        _ if !icmp.is_empty() => Some(Interference::Unreachable),
        Failure::GenericTimeout | Failure::TimedOut => Some(Interference::Drop),
        Failure::ConnectionRefused | Failure::ConnectionReset => Some(Interference::Refuse),
        Failure::HostUnreachable => Some(Interference::Unreachable),
        _ => None,
    }
}

// ---- names ----------------------------------------------------------------------------------------------------------

/// Names that the ordinary resolver denies and that nobody here could vouch for.
fn names(evidence: &Evidence, other: &OtherVantage) -> Vec<Finding> {
    evidence
        .hosts()
        .filter(|host| evidence.honest(host).is_none())
        .filter_map(|host| {
            evidence
                .resolution(host)?
                .answers
                .iter()
                .filter(|answer| answer.is_system() && answer.observation.check.trial == 1)
                .filter(|answer| answer.record != Some(RecordType::Aaaa))
                .find_map(|answer| denied(evidence, other, host, answer))
        })
        .collect()
}

fn denied(
    evidence: &Evidence,
    other: &OtherVantage,
    host: &str,
    answer: &Answer,
) -> Option<Finding> {
    let failure = answer.observation.failure()?;
    let (interference, what) = match failure {
        Failure::DnsNxdomain => (Interference::Nxdomain, "does not exist"),
        Failure::DnsNoAnswer => (Interference::NoAnswer, "has no address"),
        Failure::DnsRefused => (Interference::RefusedAnswer, "is refused"),
        Failure::DnsServfail => (Interference::Servfail, "fails"),
        Failure::GenericTimeout if answer.resolver.is_some() => {
            (Interference::Drop, "gets no reply")
        }
        _ => return None,
    };
    let known = other.knows(&evidence.target.id, host)?;
    let resolves_here = evidence.resolves_here(host);
    if evidence.is_raced(host)
        || evidence.is_spoken_for(host, answer)
        || resolves_here && is_in_vain(interference)
        || !evidence.answers_controls(answer.resolver)
        || evidence.fails_controls(answer.resolver)
        || is_denied_in_protection(evidence, host, interference)
        || is_broken(answer)
        || matches!(denials::whose(evidence, host, answer), Whose::Anybodys(_))
    {
        return None;
    }
    let trials = evidence.trials(answer);
    let is_silence = interference == Interference::Drop;
    if trials.iter().any(|trial| trial.failure() != Some(failure))
        || (is_silence && trials.len() < TRIALS_OF_SILENCE)
        || is_silence
            && answer
                .resolver
                .is_none_or(|it| evidence.silence_of_a_name(it, &trials) == Silence::Chance)
    {
        return None;
    }
    Some(Finding {
        technique: Technique::new(Trigger::DomainName, interference),
        confidence: Confidence::Likely,
        endpoints: endpoints_of(evidence, host),
        evidence: trials.iter().map(|trial| trial.id.clone()).collect(),
        doubt: resolves_here.then(|| RESOLVES_HERE.to_owned()).or_else(|| whose(answer)).or_else(|| {
            let gone = "No resolver that was asked from here knows the name: it may be retired, or exist only in some regions";
            let or_fails = ", or its own name servers may fail";
            Some(format!("{gone}{}", if is_in_vain(interference) { or_fails } else { "" }))
        }),
        seen: format!(
            "{host} {what} on the ordinary path in {} of {} trials, while control names are answered; at {} ({}) it is known to {}",
            trials.len(),
            trials.len(),
            other.name(),
            other.when(),
            known.tellers.join(", "),
        ),
    })
}

/// Whether a resolver that nobody on the way can speak for denies the name too: then it is gone, or never was for this region. What
/// resolvers ask for in vain they all do where the name's own servers fail.
fn is_denied_in_protection(evidence: &Evidence, host: &str, how: Interference) -> bool {
    evidence.resolution(host).is_some_and(|resolution| {
        resolution.answers.iter().any(|answer| {
            answer.is_public()
                && answer.is_authenticated()
                && match answer.observation.failure() {
                    Some(Failure::DnsNxdomain | Failure::DnsNoAnswer) => true,
                    Some(Failure::DnsServfail | Failure::DnsRefused) => is_in_vain(how),
                    _ => false,
                }
        })
    })
}

// ---- handshakes -----------------------------------------------------------------------------------------------------

/// What the contrast of names tells with the doubt that the server itself may treat its name so: it does not, there and then.
fn proved_there(evidence: &Evidence, other: &OtherVantage) -> Vec<Finding> {
    server_name::infer(evidence)
        .into_iter()
        .filter(|finding| finding.technique.trigger == Trigger::ServerNameAtAddress)
        // Chance, and a name that no control of the family was asked for, are not settled by anybody elsewhere.
        .filter(|finding| finding.doubt.as_deref() == Some(server_name::ITS_OWN))
        .filter_map(|finding| {
            let (climb, failed) = evidence
                .all_climbs()
                .find(|(_, observation)| finding.evidence.contains(&observation.id))?;
            let enough = repeated(evidence, climb, failed).len() >= TRIALS;
            let works = failed
                .check
                .endpoints
                .iter()
                .any(|endpoint| other.proved(&evidence.target.id, endpoint, climb.address));
            let works_there = |it: &String| other.works(&evidence.target.id, it);
            (enough && works).then(|| Finding {
                doubt: Some(meanwhile(other)),
                endpoints: finding
                    .endpoints
                    .iter()
                    .filter(|it| works_there(it))
                    .cloned()
                    .collect(),
                seen: format!("{}. {}", finding.seen, proved(other)),
                ..finding
            })
        })
        .collect()
}

/// How a handshake was answered by somebody who may be the server itself.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stranger<'a> {
    Alert(u8),
    Issuer(&'a str),
    ClearText(&'a str),
}

impl<'a> Stranger<'a> {
    fn of(observation: &'a Observation) -> Option<Self> {
        let step = observation.step(Operation::TlsHandshake)?;
        let failure = step.failure.as_ref()?;
        let tls: &TlsFacts = step.tls.as_deref()?;
        let is_wrong = matches!(
            failure,
            Failure::SslUnknownAuthority | Failure::SslInvalidHostname
        );
        match (tls.alert, tls.chain.first(), tls.clear_text.as_deref()) {
            (Some(alert), _, _) => Some(Self::Alert(alert)),
            (None, Some(leaf), _) if is_wrong => Some(Self::Issuer(&leaf.issuer)),
            (None, None, Some(text)) => Some(Self::ClearText(text)),
            _ => None,
        }
    }

    const fn interference(self) -> Interference {
        match self {
            Self::Alert(_) => Interference::Alert,
            Self::Issuer(_) | Self::ClearText(_) => Interference::Intercept,
        }
    }
}

/// An alert or somebody else's answer for this name at this address alone, which the same server does not give there.
fn answered_by_somebody(evidence: &Evidence, other: &OtherVantage) -> Vec<Finding> {
    let strays = server_name::Strays::of(evidence);
    evidence
        .all_climbs()
        .filter(|(_, observation)| observation.check.contrast.is_none())
        .filter_map(|(climb, failed)| {
            let name = climb.server_name.as_deref()?;
            let stranger = Stranger::of(failed)?;
            let trials = repeated(evidence, climb, failed);
            let meets = |observation: &Observation| Stranger::of(observation) == Some(stranger);
            let spoken = |varies: Variation| -> Vec<&Observation> {
                evidence
                    .contrasts(&failed.check.id, varies)
                    .into_iter()
                    .map(|(_, observation)| observation)
                    .filter(|observation| has_answer(observation))
                    .collect()
            };
            let (here, controls) = (spoken(Variation::ServerName), spoken(Variation::Address));
            let alone = !here.is_empty()
                && !controls.is_empty()
                && !here.iter().chain(&controls).any(|it| meets(it))
                && trials.iter().all(|trial| meets(trial));
            let hit: BTreeSet<String> = failed
                .check
                .endpoints
                .iter()
                .filter(|endpoint| other.proved(&evidence.target.id, endpoint, climb.address))
                .cloned()
                .collect();
            if !alone || hit.is_empty() {
                return None;
            }
            let matrix = server_name::matrix_of(evidence, failed)?;
            if strays.are_whims(evidence, &matrix) {
                return None;
            }
            let mut doubts = vec![meanwhile(other)];
            if trials.len() < TRIALS {
                doubts.insert(
                    0,
                    "Too few handshakes to exclude chance".to_owned(),
                );
            }
            if stranger.interference() == Interference::Intercept {
                doubts.push(server_name::WHOSE_BOX.to_owned());
            }
            let contrasts = here.iter().chain(&controls);
            let finding = Finding {
                technique: Technique::new(
                    Trigger::ServerNameAtAddress,
                    stranger.interference(),
                ),
                confidence: Confidence::Likely,
                endpoints: hit,
                evidence: trials.iter().chain(contrasts).map(|it| it.id.clone()).collect(),
                doubt: Some(doubts.join(". ")),
                seen: format!(
                    "TLS handshakes with SNI {name}: {} comes from {} in {} of {} tries; an innocuous name there, and {name} at \
                     controls' addresses, are answered otherwise. {}",
                    match stranger {
                        Stranger::Alert(number) => format!("alert {number}"),
                        _ => "another server's answer".to_owned(),
                    },
                    climb.address.ip(),
                    trials.len(),
                    trials.len(),
                    proved(other),
                ),
            };
            Some(finding)
        })
        .collect()
}

fn has_answer(observation: &Observation) -> bool {
    observation
        .step(Operation::TlsHandshake)
        .and_then(|step| step.tls.as_deref())
        .is_some_and(|tls| tls.received_bytes > 0 || !tls.chain.is_empty() || tls.alert.is_some())
}

/// A failed climb and its repetitions.
fn repeated<'a>(
    evidence: &Evidence<'a>,
    climb: &Climb,
    failed: &Observation,
) -> Vec<&'a Observation> {
    evidence
        .all_climbs()
        .filter(|(other, observation)| {
            *other == climb && !observation.is_not_run() && !is_interrupted(observation)
        })
        .map(|(_, observation)| observation)
        .filter(|observation| {
            let contrast = observation.check.contrast.as_ref();
            observation.id == failed.id
                || contrast.is_some_and(|contrast| contrast.of == failed.check.id)
        })
        .collect()
}

// ---- words ----------------------------------------------------------------------------------------------------------

fn proved(other: &OtherVantage) -> String {
    format!(
        "From {} ({}) the server at that address proves by TLS to be that host",
        other.name(),
        other.when()
    )
}

/// What is left to doubt of a server that proved there to be who it is asked to be.
fn meanwhile(other: &OtherVantage) -> String {
    format!(
        "The other vantage looked {}, from elsewhere: the servers may have failed meanwhile, or treat clients from here so",
        other.when()
    )
}

fn listed(addresses: &BTreeSet<SocketAddr>) -> String {
    let mut words: Vec<String> = addresses
        .iter()
        .take(3)
        .map(SocketAddr::to_string)
        .collect();
    if addresses.len() > 3 {
        words.push("others".to_owned());
    }
    words.join(", ")
}
