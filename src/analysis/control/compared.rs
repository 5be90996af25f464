//! How many endpoints another vantage's report can say anything of, as the user reads it in the notes.

use std::collections::{BTreeMap, BTreeSet};

use crate::analysis::control::OtherVantage;
use crate::model::catalog::{Catalog, Endpoint};
use crate::model::report::{EndpointStatus, Verdict};

/// Endpoints of a run, and how many of them another vantage measured too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Compared {
    /// Measured at both vantages, at the same port and, where the definitions say the addresses, at one of the same.
    pub comparable: usize,
    /// Of this run.
    pub all: usize,
}

impl Compared {
    /// Compares what this run measures with what the other vantage measured. Linear in the endpoints of both.
    pub fn new<'a>(
        ours: &Catalog,
        theirs: &Catalog,
        verdicts: impl Iterator<Item = &'a Verdict>,
    ) -> Self {
        let measured: BTreeSet<(&str, &str)> = verdicts.flat_map(measured).collect();
        let theirs: BTreeMap<(&str, &str), &Endpoint> = endpoints(theirs).collect();
        let is_same = |id: (&str, &str), endpoint: &Endpoint| {
            let other = theirs.get(&id).filter(|_| measured.contains(&id));
            other.is_some_and(|other| is_the_same(endpoint, other))
        };
        let ours: BTreeMap<(&str, &str), &Endpoint> = endpoints(ours).collect();
        Self {
            comparable: ours.iter().filter(|(id, it)| is_same(**id, it)).count(),
            all: ours.len(),
        }
    }

    /// What the user reads of a report that is compared with.
    pub fn note(self, other: &OtherVantage) -> String {
        let Self { comparable, all } = self;
        let plural = if all == 1 { "" } else { "s" };
        let report = match &other.label {
            Some(label) => format!("the report of vantage `{label}`"),
            None => "the control report".to_owned(),
        };
        let when = other.when();
        if comparable == 0 {
            format!(
                "Nothing could be compared with {report}: it measured none of the {all} endpoint{plural} of this run at the same \
                 addresses and ports"
            )
        } else {
            format!(
                "Compared with {report} (measured {when}): {comparable} of {all} endpoint{plural} could be compared. \
                 Changes since then are not known"
            )
        }
    }
}

fn measured(verdict: &Verdict) -> impl Iterator<Item = (&str, &str)> {
    let services = verdict.services.iter();
    services
        .flat_map(|service| &service.endpoints)
        .filter(|endpoint| endpoint.status != EndpointStatus::NotRun)
        .map(|endpoint| (verdict.target.as_str(), endpoint.endpoint.as_str()))
}

fn endpoints(catalog: &Catalog) -> impl Iterator<Item = ((&str, &str), &Endpoint)> {
    catalog.targets.iter().flat_map(|target| {
        let services = target.services.iter();
        services
            .flat_map(|service| &service.endpoints)
            .map(|endpoint| ((target.id.as_str(), endpoint.id.as_str()), endpoint))
    })
}

/// Whether both are one and the same server. A name may lead elsewhere at each vantage, an address may not.
fn is_the_same(one: &Endpoint, other: &Endpoint) -> bool {
    let has_an_address_of =
        |it: &Endpoint| one.addresses.iter().any(|own| it.addresses.contains(own));
    one.port == other.port
        && (one.host.is_some() || one.addresses.is_empty() || has_an_address_of(other))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::catalog::{Expect, Protocol, Region, Service, Target};

    fn endpoint(id: &str, host: Option<&str>, addresses: &[&str]) -> Endpoint {
        Endpoint {
            id: id.to_owned(),
            host: host.map(str::to_owned),
            addresses: addresses.iter().map(|it| it.parse().unwrap()).collect(),
            port: 443,
            protocol: Protocol::Tls,
            server_name: None,
            path: String::new(),
            alpn: Vec::new(),
            custom: None,
            expect: Expect::default(),
        }
    }

    /// Two names and two fixed addresses.
    fn catalog() -> Catalog {
        let service = Service {
            id: "all".to_owned(),
            essential: true,
            pool: false,
            by_place: false,
            alternative: false,
            endpoints: vec![
                endpoint("a", Some("a.example"), &[]),
                endpoint("b", Some("b.example"), &["192.0.2.1"]),
                endpoint("c", None, &["192.0.2.2", "192.0.2.3"]),
                endpoint("d", None, &["192.0.2.4"]),
            ],
        };
        let target = Target {
            id: "chat".to_owned(),
            region: Region::Foreign,
            name: "Chat".to_owned(),
            services: vec![service],
        };
        Catalog {
            targets: vec![target],
            ..Catalog::default()
        }
    }

    /// How many endpoints are comparable where the other vantage measured all of its own with this status.
    fn comparable(theirs: &Catalog, status: &str) -> usize {
        let reports: Vec<serde_json::Value> = endpoints(theirs)
            .map(|((_, id), _)| {
                serde_json::json!({"endpoint": id, "status": status, "failure": null, "techniques": []})
            })
            .collect();
        let verdict = serde_json::json!({
            "target": "chat", "name": "Chat", "status": "accessible", "confidence": "likely",
            "summary": "", "reason": null, "techniques": [],
            "services": [{
                "service": "all", "status": "accessible", "essential": true, "endpoints": reports,
            }],
        });
        let verdict: Verdict = serde_json::from_value(verdict).unwrap();
        let compared = Compared::new(&catalog(), theirs, [verdict].iter());
        assert_eq!(compared.all, 4);
        compared.comparable
    }

    fn changed(change: fn(&mut Endpoint)) -> usize {
        let mut theirs = catalog();
        let endpoints = &mut theirs.targets[0].services[0].endpoints;
        endpoints.iter_mut().for_each(change);
        comparable(&theirs, "accessible")
    }

    #[test]
    fn what_both_vantages_measured_can_be_compared() {
        assert_eq!(comparable(&catalog(), "blocked"), 4);
        assert_eq!(comparable(&catalog(), "not_run"), 0);
        let mut fewer = catalog();
        fewer.targets[0].services[0].endpoints.truncate(3);
        assert_eq!(comparable(&fewer, "accessible"), 3);
    }

    #[test]
    fn a_name_may_lead_elsewhere_and_an_address_or_a_port_may_not() {
        assert_eq!(changed(|it| it.port = 8443), 0);
        let elsewhere = changed(|it| it.addresses = vec!["192.0.2.9".parse().unwrap()]);
        assert_eq!(elsewhere, 2);
        // One address in common is enough.
        assert_eq!(changed(|it| it.addresses.truncate(1)), 4);
    }
}
