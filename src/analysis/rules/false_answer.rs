//! The ordinary path's resolver sends the name elsewhere: `domain_name/false_answer`.
//!
//! What it infers: addresses that are not the host's, told because of the name.
//! Evidence: all addresses are bogons, or known to serve a block page, or somebody else answers there in TLS, while the
//! addresses others tell are not and (for the last) pass the proof; the same in every trial; control names are
//! answered honestly by the same resolver.
//! What else could explain it: a household filter that answers the null address (no finding); fake-IP mode of a local
//! bypass program (then controls are bogons too: no finding); a server with a bad certificate for everybody (then
//! the honest addresses fail the proof as well: no finding); one server of the operator's with a bad certificate, or an address that it has
//! given up (only names of one domain are sent to it: doubt); a resolver that sends names of controls there too (no finding, or
//! doubt, as `lying_resolver` counts them); big services answering differently everywhere (then the
//! proof is passed: no finding).
//! References: facts 2.1 `dns.bogon`, `dns.blockpage_ip`.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};

use crate::analysis::denials::{self, Whose};
use crate::analysis::evidence::{Evidence, Honesty};
use crate::analysis::rules::injected_answer::Forgeries;
use crate::analysis::rules::lying_resolver::whose;
use crate::analysis::rules::{Finding, endpoints_of};
use crate::model::check::RecordType;
use crate::model::failure::Failure;
use crate::model::observation::Observation;
use crate::model::report::Confidence;
use crate::model::resolution::Answer;
use crate::model::technique::{Interference, Technique, Trigger};

/// Trials that must all have told the falsehood.
const TRIALS: usize = 3;

/// One finding for each host that is sent elsewhere.
pub fn infer(evidence: &Evidence) -> Vec<Finding> {
    let impostors = impostors(evidence);
    let forgeries = Forgeries::of(evidence);
    evidence
        .hosts()
        .filter_map(|host| {
            evidence
                .resolution(host)?
                .answers
                .iter()
                .filter(|answer| answer.is_system() && answer.observation.check.trial == 1)
                .filter(|answer| answer.record != Some(RecordType::Aaaa))
                .filter_map(|answer| sent_elsewhere(evidence, host, answer, &impostors, &forgeries))
                .max_by_key(|finding| finding.confidence)
        })
        .collect()
}

/// How the falsehood shows.
enum Falsehood {
    Bogon(Vec<String>),
    BlockPage(String),
    Impostor(IpAddr, String),
}

fn sent_elsewhere(
    evidence: &Evidence,
    host: &str,
    answer: &Answer,
    impostors: &BTreeSet<IpAddr>,
    forgeries: &Forgeries,
) -> Option<Finding> {
    // What was lost says nothing against what was told.
    let trials = evidence.trials(answer);
    let count = trials.len();
    let is_lost = |it: &&Observation| it.failure() == Some(&Failure::GenericTimeout);
    let trials: Vec<&Observation> = trials.into_iter().filter(|it| !is_lost(it)).collect();
    let is_mostly_lost = trials.len() == 1 && count > 1;
    let answer = &Answer {
        observation: trials.first()?,
        ..*answer
    };
    if evidence.is_raced(host)
        || forgeries.explain(answer)
        || evidence.is_spoken_for(host, answer)
        || !evidence.answers_controls(answer.resolver)
        || evidence.fails_controls_otherwise_than_by_loss(answer.resolver)
    {
        return None;
    }
    let everybodys = match denials::whose(evidence, host, answer) {
        Whose::Targets => None,
        Whose::Doubtful(doubt) => Some(doubt),
        Whose::Anybodys(_) => return None,
    };
    let falsehood = falsehood(evidence, host, answer, impostors)?;
    let honest = evidence.honest(host)?;
    let told = addresses(answer);
    let same = trials.iter().all(|trial| {
        let again = Answer {
            observation: trial,
            ..*answer
        };
        addresses(&again) == told
    });
    let fingerprint = matches!(falsehood, Falsehood::BlockPage(_));
    let lone = match &falsehood {
        Falsehood::Impostor(impostor, _) if !is_for_several(evidence, *impostor) => {
            Some(LONE.to_owned())
        }
        _ => None,
    };
    if !same || is_mostly_lost && !fingerprint {
        return None;
    }
    let enough = trials.len() >= TRIALS || fingerprint;
    let whose = whose(answer).or(everybodys).or(lone);
    let certain = enough && honest.honesty >= Honesty::Agreed;
    let confirmed = certain && whose.is_none();
    let mut ids: Vec<String> = trials.iter().map(|trial| trial.id.clone()).collect();
    ids.extend(honest.evidence.iter().cloned());
    let seen = match &falsehood {
        Falsehood::Bogon(addresses) => format!(
            "answers for {host} with {}, which is no address of the public internet",
            addresses.join(", ")
        ),
        Falsehood::BlockPage(operator) => {
            format!(
                "answers for {host} with an address known to serve the block page of {operator}"
            )
        }
        Falsehood::Impostor(address, id) => {
            ids.push(id.clone());
            format!("answers for {host} with {address}, where another server answers")
        }
    };
    Some(Finding {
        technique: Technique::new(Trigger::DomainName, Interference::FalseAnswer),
        confidence: if confirmed {
            Confidence::Confirmed
        } else {
            Confidence::Likely
        },
        endpoints: endpoints_of(evidence, host),
        evidence: ids,
        doubt: if certain {
            whose
        } else {
            Some("Too few trials or too few other resolvers to exclude a passing error".to_owned())
        },
        seen: format!(
            "The system's resolver {seen}, in {} of {} tries; {} give other addresses",
            trials.len(),
            trials.len(),
            honest.tellers.join(", ")
        ),
    })
}

/// The doubt that is left where one domain alone is sent there.
const LONE: &str = "Only names of one domain get this address: its operator's own server may have a bad certificate, or the address may be an old one";

/// Whether names under several domains of the target are sent there: no operator's own server stands for them all by mistake.
fn is_for_several(evidence: &Evidence, impostor: IpAddr) -> bool {
    let is_sent = |host: &&str| {
        let answers = evidence.resolution(host).map(|it| it.answers.iter());
        let mut told = answers.into_iter().flatten().filter(|it| it.is_system());
        told.any(|it| it.addresses().contains(&impostor))
    };
    let domains: BTreeSet<Vec<&str>> = evidence
        .hosts()
        .filter(is_sent)
        .map(|host| denials::ending(host, 2))
        .collect();
    domains.len() > 1
}

fn falsehood(
    evidence: &Evidence,
    host: &str,
    answer: &Answer,
    impostors: &BTreeSet<IpAddr>,
) -> Option<Falsehood> {
    let facts = answer.dns()?;
    if answer.observation.failure() == Some(&Failure::DnsBogon) {
        let innocent = is_null(&facts.bogons) || is_fake(&facts.bogons);
        return (!innocent).then(|| Falsehood::Bogon(facts.bogons.clone()));
    }
    let told = answer.addresses();
    if told.is_empty() {
        return None;
    }
    let page = evidence
        .catalog
        .block_pages
        .iter()
        .find(|page| told.iter().all(|address| page.addresses.contains(address)));
    if let Some(page) = page {
        return Some(Falsehood::BlockPage(page.operator.clone()));
    }
    if told
        .iter()
        .any(|address| evidence.proof(host, *address).is_some())
    {
        return None;
    }
    let impostor = told
        .iter()
        .copied()
        .find(|address| impostors.contains(address))?;
    let shown = evidence
        .hosts()
        .find_map(|other| evidence.impostor(other, impostor))?;
    Some(Falsehood::Impostor(impostor, shown.id.clone()))
}

/// Addresses of the ordinary path where somebody else answers in TLS, while an honest address of the same host passes.
fn impostors(evidence: &Evidence) -> BTreeSet<IpAddr> {
    let mut impostors = BTreeSet::new();
    for host in evidence.hosts() {
        let Some(resolution) = evidence.resolution(host) else {
            continue;
        };
        let honest_passes = resolution
            .contrast_addresses()
            .iter()
            .any(|address| evidence.proof(host, *address).is_some());
        if !honest_passes {
            continue;
        }
        let told = resolution
            .answers
            .iter()
            .filter(|answer| answer.is_system())
            .flat_map(Answer::addresses);
        impostors.extend(told.filter(|address| evidence.impostor(host, *address).is_some()));
    }
    impostors
}

/// `0.0.0.0` and `::` are how household filters (Pi-hole, AdGuard Home) block by default: no sign of a censor.
fn is_null(bogons: &[String]) -> bool {
    bogons.iter().all(|bogon| {
        bogon
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_unspecified())
    })
}

/// 198.18.0.0/15 is where local bypass programs put the names they take over (fake-IP mode): no sign of a censor.
fn is_fake(bogons: &[String]) -> bool {
    bogons.iter().all(|bogon| {
        bogon
            .parse::<Ipv4Addr>()
            .is_ok_and(|address| matches!(address.octets(), [198, 18 | 19, ..]))
    })
}

fn addresses(answer: &Answer) -> BTreeSet<String> {
    answer
        .dns()
        .map(|facts| facts.addresses().into_iter().collect())
        .unwrap_or_default()
}
