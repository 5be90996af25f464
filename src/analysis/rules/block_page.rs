//! A known block page answers where an app's own protocol, or TLS, was due: `address_port/blockpage`.
//!
//! What it infers: connections to that address and port are met by the censor's page, whatever they say.
//! Evidence: the bytes that came in clear lead to a host that is known to serve such a page, or hold a text of one.
//! What else could explain it: nothing that is known: pages that are not known name nothing here, for a server may well answer
//! a stranger's bytes in HTTP.
//! References: facts 2.4; ooni/blocking-fingerprints. OONI counts such an answer of a Telegram data centre as "ok".

use std::collections::BTreeSet;

use crate::analysis::evidence::Evidence;
use crate::analysis::rules::Finding;
use crate::model::catalog::BlockPage;
use crate::model::observation::{Observation, Operation};
use crate::model::report::Confidence;
use crate::model::technique::{Interference, Technique, Trigger};

/// At most one finding.
pub fn infer(evidence: &Evidence) -> Vec<Finding> {
    let pages = &evidence.catalog.block_pages;
    let mut endpoints: BTreeSet<String> = BTreeSet::new();
    let mut ids = Vec::new();
    let mut whose = None;
    for (_, observation) in evidence.all_climbs() {
        let Some(text) = in_clear(observation) else {
            continue;
        };
        if let Some(page) = pages.iter().find(|page| is_on(page, text)) {
            endpoints.extend(observation.check.endpoints.iter().cloned());
            ids.push(observation.id.clone());
            whose.get_or_insert(page);
        }
    }
    let Some(page) = whose else {
        return Vec::new();
    };
    vec![Finding {
        technique: Technique::new(Trigger::AddressPort, Interference::Blockpage),
        confidence: Confidence::Confirmed,
        endpoints,
        seen: format!(
            "The block page of {} answers in place of the app's own protocol, in {} connections",
            page.operator,
            ids.len()
        ),
        evidence: ids,
        doubt: None,
    }]
}

/// What came in clear where something else was due.
fn in_clear(observation: &Observation) -> Option<&str> {
    let exchange = observation.step(Operation::Exchange);
    let exchange = exchange.and_then(|step| step.exchange.as_deref()?.clear_text.as_deref());
    exchange.or_else(|| {
        let handshake = observation.step(Operation::TlsHandshake)?;
        handshake.tls.as_deref()?.clear_text.as_deref()
    })
}

fn is_on(page: &BlockPage, text: &str) -> bool {
    let mut hosts = page.hosts.iter();
    let leads_to_it = hosts.any(|host| text.contains(&format!("://{host}")));
    leads_to_it || page.texts.iter().any(|it| text.contains(it.as_str()))
}
