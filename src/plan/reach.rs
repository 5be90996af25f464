//! Round 3: every endpoint at the addresses found and at the fixed ones, each up its whole ladder.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use crate::model::catalog::{Catalog, Endpoint, Protocol};
use crate::model::check::{Ask, Check, Climb, Hello, Payload};
use crate::model::custom::Custom;
use crate::model::failure::Failure;
use crate::model::line::Line;
use crate::model::observation::Operation;
use crate::model::resolution::{Ordinary, Resolution};
use crate::plan::resolve::{Subject, answers_due};
use crate::plan::{Patience, Seen};

/// Addresses of the ordinary path that one endpoint is climbed at, for each family: enough to tell a dead member of a
/// pool from a dead host, few enough to stay polite.
const ORDINARY_V4: usize = 2;
const ORDINARY_V6: usize = 1;
/// Addresses told only by contrast resolvers.
const CONTRAST_V4: usize = 2;

/// The climbs that are called for, given the answers so far.
pub fn checks<'a>(
    catalog: &Catalog,
    line: &Line,
    subject: Subject,
    endpoints: impl Iterator<Item = &'a Endpoint>,
    seen: &Seen,
    patience: Patience,
) -> Vec<Check> {
    let mut climbs: BTreeMap<String, Check> = BTreeMap::new();
    let mut resolved: BTreeMap<&str, Vec<IpAddr>> = BTreeMap::new();
    for endpoint in endpoints {
        let mut addresses = endpoint.addresses.clone();
        if let Some(host) = endpoint.host.as_deref() {
            let found = resolved
                .entry(host)
                .or_insert_with(|| addresses_of(catalog, line, host, seen, patience));
            addresses.extend(found.iter().copied());
        }
        for address in addresses {
            let check = climb(subject, endpoint, address, 1);
            if let Some(plain) = without_alpn(&check, seen) {
                climbs.insert(plain.id.clone(), plain);
            }
            // Raw protocols carry no name: endpoints that share address, port and protocol share the measurement.
            climbs
                .entry(check.id.clone())
                .and_modify(|known| {
                    if !known.endpoints.contains(&endpoint.id) {
                        known.endpoints.push(endpoint.id.clone());
                    }
                })
                .or_insert(check);
        }
    }
    climbs.into_values().collect()
}

/// A server that knows none of the ALPN identifiers we offer says so with an alert and hangs up (RFC 7301, 3.2). That
/// is the real server speaking; without the offer it shows who it is.
fn without_alpn(check: &Check, seen: &Seen) -> Option<Check> {
    const NO_APPLICATION_PROTOCOL: u8 = 120;
    let Ask::Climb(climb) = &check.ask else {
        return None;
    };
    let tls = seen
        .complete(&check.id)
        .and_then(|observation| observation.step(Operation::TlsHandshake))
        .and_then(|step| step.tls.as_deref());
    let refused = tls.is_some_and(|tls| tls.alert == Some(NO_APPLICATION_PROTOCOL));
    (refused && !climb.alpn.is_empty()).then(|| Check {
        id: format!("{}/without_alpn", check.id),
        ask: Ask::Climb(Climb {
            alpn: Vec::new(),
            ..climb.clone()
        }),
        ..check.clone()
    })
}

/// One endpoint at one address.
pub fn climb(subject: Subject, endpoint: &Endpoint, address: IpAddr, trial: u32) -> Check {
    let named = endpoint.protocol.has_server_name() || endpoint.protocol == Protocol::Http;
    let name = if named {
        endpoint.host.as_deref().unwrap_or("-")
    } else {
        "-"
    };
    // Two protocols of the definitions at one address and port are two measurements.
    let mark = endpoint.custom.as_deref().map(Custom::mark);
    let mark = mark.map_or_else(String::new, |mark| format!("~{mark}"));
    let address = SocketAddr::new(address, endpoint.port);
    let id = format!(
        "{}/{}/{name}{}{mark}@{address}#{trial}",
        subject.id,
        endpoint.protocol.word(),
        if endpoint.path == "/" {
            ""
        } else {
            endpoint.path.as_str()
        },
    );
    Check {
        id,
        round: subject.round,
        subject: subject.id.to_owned(),
        endpoints: vec![endpoint.id.clone()],
        role: subject.role,
        trial,
        contrast: None,
        ask: Ask::Climb(Climb {
            address,
            protocol: endpoint.protocol,
            host: endpoint.host.clone(),
            server_name: endpoint
                .protocol
                .has_server_name()
                .then(|| {
                    endpoint
                        .server_name
                        .clone()
                        .or_else(|| endpoint.host.clone())
                })
                .flatten(),
            alpn: endpoint.alpn.clone(),
            path: endpoint.path.clone(),
            look_for: endpoint.expect.contains.clone(),
            private_root: endpoint.expect.private_root.clone(),
            noise_root: endpoint.expect.noise_root.clone(),
            custom: endpoint.custom.clone(),
            hello: Hello::Plain,
            payload: Payload::Own,
            hops: None,
        }),
    }
}

/// Where a host is climbed: at what the ordinary path says, and where that fails or leads nowhere, at what others say.
fn addresses_of(
    catalog: &Catalog,
    line: &Line,
    host: &str,
    seen: &Seen,
    patience: Patience,
) -> Vec<IpAddr> {
    let resolution = Resolution::of(catalog, host, seen.about(host));
    let (mut chosen, ask_others) = match resolution.ordinary(answers_due(catalog, line)) {
        Ordinary::Waiting if patience == Patience::Waiting => return Vec::new(),
        Ordinary::Waiting | Ordinary::Failed(_) | Ordinary::NotMeasured => (Vec::new(), true),
        Ordinary::Addresses(addresses) => {
            let mut chosen = first(&addresses, true, ORDINARY_V4);
            chosen.extend(first(&addresses, false, ORDINARY_V6));
            // Big services answer differently everywhere, so a difference alone is no reason to knock twice.
            let leads_nowhere = leads_nowhere(host, &chosen, seen, patience);
            (chosen, leads_nowhere)
        }
    };
    if ask_others {
        for address in first(&resolution.contrast_addresses(), true, CONTRAST_V4) {
            if !chosen.contains(&address) {
                chosen.push(address);
            }
        }
    }
    chosen.retain(|address| line.has_family(*address));
    chosen
}

/// Whether no climb of this host at these addresses worked, and at least one failed or is overdue.
fn leads_nowhere(host: &str, addresses: &[IpAddr], seen: &Seen, patience: Patience) -> bool {
    let mut failed = patience == Patience::Overdue;
    for observation in seen.about(host) {
        let Ask::Climb(climb) = &observation.check.ask else {
            continue;
        };
        if !addresses.contains(&climb.address.ip()) {
            continue;
        }
        // After a QUIC handshake somebody is there, whatever becomes of a request.
        if observation.is_success() || observation.reached(Operation::QuicHandshake) {
            return false;
        }
        // A closed UDP port is told before TCP can have answered, and says nothing of the address.
        failed |=
            !climb.protocol.is_udp() || observation.failure() == Some(&Failure::GenericTimeout);
    }
    failed
}

fn first(addresses: &[IpAddr], ipv4: bool, count: usize) -> Vec<IpAddr> {
    addresses
        .iter()
        .copied()
        .filter(|address| address.is_ipv4() == ipv4)
        .take(count)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::catalog::Expect;
    use crate::model::check::{Role, Round};
    use crate::model::observation::{Observation, Step};

    /// Whether an address leads nowhere after these steps of a climb over QUIC.
    fn leads_nowhere_after(steps: &[(Operation, Option<Failure>)]) -> bool {
        let host = "web.example";
        let endpoint = Endpoint {
            id: "quic://web.example:443".to_owned(),
            host: Some(host.to_owned()),
            addresses: Vec::new(),
            port: 443,
            protocol: Protocol::Quic,
            server_name: None,
            path: "/".to_owned(),
            alpn: Vec::new(),
            custom: None,
            expect: Expect::default(),
        };
        let subject = Subject {
            id: "target",
            role: Role::Target,
            round: Round::Reach,
        };
        let address = "192.0.2.1".parse().unwrap();
        let step = |(operation, failure): &(Operation, Option<Failure>)| Step {
            operation: *operation,
            t0: 0.0,
            t: 1.0,
            failure: failure.clone(),
            dns: None,
            tcp: None,
            tls: None,
            quic: None,
            http: None,
            exchange: None,
        };
        let observation = Observation {
            id: "o1".to_owned(),
            check: climb(subject, &endpoint, address, 1),
            steps: steps.iter().map(step).collect(),
            not_run: None,
        };
        let mut seen = Seen::default();
        seen.note(observation, true);
        leads_nowhere(host, &[address], &seen, Patience::Waiting)
    }

    #[test]
    fn after_a_quic_handshake_a_lost_request_is_no_reason_to_look_elsewhere() {
        let lost = || Some(Failure::GenericTimeout);
        let (shaken, asked) = (Operation::QuicHandshake, Operation::HttpRoundTrip);
        assert!(leads_nowhere_after(&[(shaken, lost())]));
        assert!(!leads_nowhere_after(&[(shaken, None), (asked, lost())]));
        assert!(!leads_nowhere_after(&[(shaken, None)]));
    }
}
