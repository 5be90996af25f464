//! QUIC fails where the same over TCP does not: `quic_server_name/*`, `quic/drop`.
//!
//! What it infers: the server name inside QUIC's first packet is looked at; or QUIC as such is dropped, its version 1 or all.
//! Evidence: the 2x2 of {the target's name, an innocuous name of the same length} x {the target's address, QUIC controls'
//! addresses}, as for `server_name`. Where no name passes at the target's address, a datagram of a version that nobody speaks:
//! answered with a list that has version 1, while version 1 stays silent there, it shows a filter that knows versions; and what
//! the line's own controls over QUIC met: silence for all of them, while their operators answer over TCP, is the line's.
//! What else could explain it: a server that does not offer QUIC (then nothing answers there, and controls pass: no finding); one
//! whose front answers for versions that nobody behind it serves (doubt, while controls pass); a firewall for everybody,
//! as companies and hotels have, or a line that large datagrams do not pass (doubt); loss (equal trials, all failing, and more often than chance
//! would on this line, which may lose QUIC's large datagrams alone); a server that treats its own name so (doubt);
//! an address that is dead over TCP too (no finding for its name there).
//! What becomes of a request after the handshake is no part of it: the server has answered by then.
//! References: facts 2.6; IMC 2022 on the TSPU's QUIC filter; FOCI 2026 on server names (net4people/bbs#654); RFC 9000, 6.

use std::collections::BTreeSet;

use crate::analysis::chance::Silence;
use crate::analysis::evidence::{Evidence, endpoints, is_amid, is_interrupted, is_silent_quic};
use crate::analysis::ground::Quic;
use crate::analysis::matrix::{Manner, Matrix, TRIALS};
use crate::analysis::rules::{Finding, server_name};
use crate::model::catalog::Protocol;
use crate::model::check::{Climb, Variation};
use crate::model::observation::{Observation, Operation, QuicFacts};
use crate::model::report::Confidence;
use crate::model::technique::{Interference, Technique, Trigger};

/// Controls at which a name must have met silence: one alone may be an accident.
const HITS: usize = 2;

/// One finding for each name, or for each address that is silent whatever the name; else one for the line.
pub fn infer(evidence: &Evidence) -> Vec<Finding> {
    let mut findings: Vec<Finding> = failures(evidence)
        .filter_map(|(climb, failed)| {
            let matrix = server_name::matrix_of(evidence, failed)?;
            by_name(evidence, climb, &matrix).or_else(|| by_version(evidence, climb, &matrix))
        })
        .collect();
    if findings.is_empty() {
        findings.extend(by_line(evidence));
    }
    findings
}

/// Handshakes of the reach round that failed.
fn failures<'a>(evidence: &Evidence<'a>) -> impl Iterator<Item = (&'a Climb, &'a Observation)> {
    evidence.all_climbs().filter(|(climb, observation)| {
        climb.protocol == Protocol::Quic
            && observation.check.contrast.is_none()
            && !is_interrupted(observation)
            && observation
                .step(Operation::QuicHandshake)
                .is_some_and(|step| step.failure.is_some())
    })
}

/// The name is looked at: wherever it leads, or at its own address while TCP connects there.
fn by_name(evidence: &Evidence, climb: &Climb, matrix: &Matrix) -> Option<Finding> {
    let name = climb.server_name.as_deref()?;
    let read = server_name::read(matrix)?;
    let is_everywhere = read.trigger == Trigger::ServerName;
    // The first trial was the reach round's, before there was a contrast.
    let mut again = matrix.trials.iter().skip(1);
    let is_here = again.all(|it| matrix.is_beside_a_pass(it, Variation::ServerName));
    if matrix.manner == Manner::Silence && !is_even(evidence, matrix, is_everywhere) {
        return None;
    }
    let is_named = is_everywhere || is_here && connects_over_tcp(evidence, climb);
    let silence = if matrix.manner == Manner::Silence && !matrix.trials.is_empty() {
        evidence.silence_over_udp(&matrix.trials)
    } else {
        Silence::Certain
    };
    if !is_named || silence == Silence::Chance {
        return None;
    }
    let by_chance = match matrix.manner {
        Manner::Silence => doubt_of_silence(evidence, silence),
        _ => None,
    };
    let here = matrix.cells(Variation::ServerName);
    let mut ids = ids_of(&matrix.trials);
    let columns = matrix.columns.iter();
    ids.extend(columns.flat_map(|column| column.evidence.clone()).take(6));
    ids.extend(ids_of(&here));
    let passed = matrix.row(Variation::ServerName);
    let confidence = match by_chance {
        None => read.confidence,
        Some(_) => Confidence::Likely,
    };
    let own = read.doubts.into_iter().map(str::to_owned);
    let doubts: Vec<String> = own.chain(by_chance).collect();
    Some(Finding {
        technique: Technique::new(Trigger::QuicServerName, matrix.manner.interference()),
        confidence,
        endpoints: hit(evidence, |it| it.server_name.as_deref() == Some(name)),
        evidence: ids,
        doubt: (!doubts.is_empty()).then(|| doubts.join(". ")),
        seen: format!(
            "QUIC handshakes with SNI {name} failed in {0} of {0} tries at {1}; with an innocuous name of the same length \
             {2} of {3} got an answer there. At QUIC controls' addresses {name} met the same in {4} of {5} trials, the \
             innocuous name never",
            matrix.trials.len(),
            climb.address.ip(),
            passed.passed,
            passed.of,
            matrix.hits().count(),
            matrix.columns.len()
        ),
    })
}

/// Whether silence is the same each time: nothing came in any trial, or something in all of them; the innocuous name passes
/// always or never at the target's address; and what is seen at controls is seen at two, for one may be an accident.
fn is_even(evidence: &Evidence, matrix: &Matrix, is_everywhere: bool) -> bool {
    let passed = matrix.row(Variation::ServerName);
    if passed.passed > 0 && !passed.all() {
        return false;
    }
    let first = matrix.trials.first().map(|it| is_silent_quic(it));
    let is_same = |it: &Observation| first.is_none_or(|first| is_silent_quic(it) == first);
    let at_controls = evidence.observations.iter().filter(|it| {
        let mut hits = matrix.hits();
        is_same(it) && hits.any(|column| column.evidence[0] == it.id)
    });
    matrix.trials.iter().all(|it| is_same(it)) && (!is_everywhere || at_controls.count() >= HITS)
}

/// What silence on this line may be instead.
fn doubt_of_silence(evidence: &Evidence, silence: Silence) -> Option<String> {
    silence.doubt().or_else(|| {
        evidence
            .is_line_unsteady()
            .then(|| "This network loses many packets, and these may be lost by chance".to_owned())
    })
}

/// Version 1 is silent for every name, and a version that nobody speaks is answered with a list that has it.
fn by_version(evidence: &Evidence, climb: &Climb, matrix: &Matrix) -> Option<Finding> {
    let others = matrix.cells(Variation::ServerName);
    let greased = matrix.cells(Variation::Shape);
    let answered: Vec<&Observation> = greased.iter().copied().filter(|it| offers_v1(it)).collect();
    let is_silent = |cells: &[&Observation]| cells.iter().all(|it| is_silent_quic(it));
    // The first trial was the reach round's, before there was a contrast.
    let mut again = matrix.trials.iter().skip(1);
    let is_amid_answers = again.all(|silent| answered.iter().any(|it| is_amid(it, silent)));
    let is_filtered = !answered.is_empty()
        && !matrix.trials.is_empty()
        && !others.is_empty()
        && is_amid_answers
        && is_silent(&matrix.trials)
        && is_silent(&others);
    if !is_filtered {
        return None;
    }
    let silence = evidence.silence_over_udp(&matrix.trials);
    if silence == Silence::Chance {
        return None;
    }
    let counts = [matrix.trials.len(), others.len(), answered.len()];
    let of_the_line = if counts.iter().any(|count| *count < TRIALS) {
        Some("Fewer than three trials: chance is not excluded")
    } else if evidence.ground.is_narrow {
        Some("Large packets may not pass on this network, and QUIC answers are large")
    } else if evidence.ground.quic == Quic::Passes {
        Some(
            "QUIC works elsewhere on this network: the server's front end may offer versions that its back end does not serve",
        )
    } else {
        None
    };
    let doubt = of_the_line
        .map(str::to_owned)
        .or_else(|| doubt_of_silence(evidence, silence));
    let mut ids = ids_of(&matrix.trials);
    ids.extend(ids_of(&answered));
    ids.extend(ids_of(&others));
    let is_here = |it: &Climb| it.address.ip() == climb.address.ip();
    Some(Finding {
        technique: Technique::new(Trigger::Quic, Interference::Drop),
        confidence: if doubt.is_some() {
            Confidence::Likely
        } else {
            Confidence::Confirmed
        },
        endpoints: hit(evidence, is_here),
        evidence: ids,
        doubt,
        seen: format!(
            "QUIC version 1 is silent at {} in {} trials, whatever the name; a version that nobody speaks is answered there in {} \
             of {}, with a list that has version 1",
            climb.address,
            matrix.trials.len() + others.len(),
            answered.len(),
            greased.len()
        ),
    })
}

/// No control over QUIC is heard of on the same port, and neither is the target.
fn by_line(evidence: &Evidence) -> Option<Finding> {
    let Quic::Silent {
        ports,
        evidence: controls,
    } = &evidence.ground.quic
    else {
        return None;
    };
    // Where most controls are silent over TCP too, or lost connections are many, it is not QUIC.
    if !evidence.ground.most_controls_work || evidence.is_line_unsteady() {
        return None;
    }
    let lost: Vec<&Observation> = failures(evidence)
        .filter(|(climb, failed)| ports.contains(&climb.address.port()) && is_silent_quic(failed))
        .filter(|(climb, _)| !is_silent_over_tcp(evidence, climb))
        .map(|(_, failed)| failed)
        .collect();
    let hit: BTreeSet<String> = hit(evidence, |climb| ports.contains(&climb.address.port()))
        .into_iter()
        .filter(|id| lost.iter().any(|it| it.check.endpoints.contains(id)))
        .collect();
    // Where one handshake passes, the line does not shut QUIC out.
    let passes = |it: &Observation| it.reached(Operation::QuicHandshake) && !offers_v1(it);
    if hit.is_empty() || evidence.observations.iter().any(passes) {
        return None;
    }
    let mut ids = ids_of(&lost);
    ids.truncate(4);
    ids.extend(controls.iter().take(4).cloned());
    Some(Finding {
        technique: Technique::new(Trigger::Quic, Interference::Drop),
        confidence: Confidence::Likely,
        endpoints: hit,
        evidence: ids,
        doubt: Some(
            "Networks often block UDP 443 for everybody, and some lose large datagrams such as QUIC's"
                .to_owned(),
        ),
        seen: format!(
            "QUIC is silent at {} of the target's addresses, and so are all {} controls over QUIC, whose operators answer over TCP",
            lost.len(),
            controls.len()
        ),
    })
}

/// Whether a Version Negotiation that has version 1 came back.
fn offers_v1(observation: &Observation) -> bool {
    observation
        .step(Operation::QuicHandshake)
        .and_then(|step| step.quic.as_deref())
        .is_some_and(QuicFacts::offers_v1)
}

/// Whether a TCP connection to the same address stood.
fn connects_over_tcp(evidence: &Evidence, climb: &Climb) -> bool {
    evidence.all_climbs().any(|(other, observation)| {
        other.address.ip() == climb.address.ip() && observation.reached(Operation::TcpConnect)
    })
}

/// Whether connections to the same address were tried, and none stood: then its road may be down, and QUIC is not singled out.
fn is_silent_over_tcp(evidence: &Evidence, climb: &Climb) -> bool {
    let connects = evidence.all_climbs().any(|(other, observation)| {
        other.address.ip() == climb.address.ip()
            && observation.step(Operation::TcpConnect).is_some()
    });
    connects && !connects_over_tcp(evidence, climb)
}

/// QUIC endpoints of the target that were tried, and met no answer wherever they were.
fn hit(evidence: &Evidence, is_hit: impl Fn(&Climb) -> bool) -> BTreeSet<String> {
    endpoints(evidence.target)
        .filter(|endpoint| endpoint.protocol == Protocol::Quic)
        .filter(|endpoint| {
            let climbs = evidence.climbs(endpoint);
            climbs.iter().any(|(climb, _)| is_hit(climb))
                && !climbs
                    .iter()
                    .any(|(_, observation)| observation.reached(Operation::QuicHandshake))
        })
        .map(|endpoint| endpoint.id.clone())
        .collect()
}

fn ids_of(observations: &[&Observation]) -> Vec<String> {
    observations.iter().map(|it| it.id.clone()).collect()
}
