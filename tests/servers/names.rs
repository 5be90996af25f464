//! A provider's resolver, real unbound, that lies about WhatsApp's names and about no other.

use blockprobe::model::catalog::Transport;
use blockprobe::model::report::{Confidence, Regime, Report, Status};

use crate::needs;
use crate::report::{endpoints, measure, status, techniques, verdict};
use crate::site::{Site, World};
use crate::unbound::Lie;

#[tokio::test]
async fn names_that_are_denied_are_blocked_by_nxdomain() {
    if !needs::programs(&["unbound", "nginx"]) {
        return;
    }
    blocked_by(Lie::AlwaysNxdomain, "domain_name/nxdomain").await;
}

#[tokio::test]
async fn names_that_are_refused_are_blocked_by_a_refused_answer() {
    if !needs::programs(&["unbound", "nginx"]) {
        return;
    }
    blocked_by(Lie::AlwaysRefuse, "domain_name/refused_answer").await;
}

#[tokio::test]
async fn names_without_addresses_are_blocked_by_no_answer() {
    if !needs::programs(&["unbound", "nginx"]) {
        return;
    }
    blocked_by(Lie::AlwaysNodata, "domain_name/no_answer").await;
}

#[tokio::test]
async fn names_that_lead_to_a_bogon_are_blocked_by_a_false_answer() {
    if !needs::programs(&["unbound", "nginx"]) {
        return;
    }
    blocked_by(Lie::Redirect("10.10.34.35"), "domain_name/false_answer").await;
}

#[tokio::test]
async fn the_null_address_of_a_household_filter_is_blamed_on_nobody() {
    if !needs::programs(&["unbound", "nginx"]) {
        return;
    }
    let report = with(Lie::AlwaysNull).await;
    let whatsapp = verdict(&report, "whatsapp");
    assert_eq!(whatsapp.status, Status::Inconclusive, "{whatsapp:#?}");
    assert!(whatsapp.techniques.is_empty(), "{whatsapp:#?}");
    let names_the_filter = |reason: &Option<String>| {
        let reason = reason.as_deref().unwrap_or_default();
        reason.contains("household filters")
    };
    assert!(endpoints(whatsapp).any(|it| names_the_filter(&it.reason)));
    others_are_accessible(&report);
}

#[tokio::test]
async fn a_resolver_that_answers_for_all_others_is_seen_and_still_blocks_nothing_but_names() {
    if !needs::programs(&["unbound", "nginx"]) {
        return;
    }
    let report = measure(&Site::open(World {
        lie: Some(Lie::AlwaysNxdomain),
        is_hijacked: true,
        ..World::default()
    }))
    .await;
    assert_eq!(report.vantage.regime, Regime::Open);
    is_blocked_by(&report, "domain_name/nxdomain");
    let mut seen = 0;
    for resolver in &report.vantage.resolvers {
        let ids: Vec<&str> = resolver
            .techniques
            .iter()
            .map(|it| it.id.as_str())
            .collect();
        let is_own = ["system", "nsdi"].contains(&resolver.name.as_str());
        if resolver.transport == Transport::Udp && !is_own {
            assert_eq!(ids, ["resolver/hijacked_resolver"], "{resolver:#?}");
            // The decoy is an IPv4 address; over IPv6 only the names that resolvers give themselves tell.
            let confidence = if resolver.address.starts_with('[') {
                Confidence::Likely
            } else {
                Confidence::Confirmed
            };
            assert_eq!(
                resolver.techniques[0].confidence, confidence,
                "{resolver:#?}"
            );
            seen += 1;
        } else {
            assert!(ids.is_empty(), "{resolver:#?}");
        }
    }
    assert!(seen >= 7, "{seen}");
}

#[tokio::test]
async fn a_lie_that_no_other_resolver_contradicts_is_not_called_blocking() {
    if !needs::programs(&["unbound", "nginx"]) {
        return;
    }
    let mut site = Site::open(World {
        lie: Some(Lie::AlwaysNxdomain),
        ..World::default()
    });
    site.public.stop();
    let report = measure(&site).await;
    assert_eq!(report.vantage.regime, Regime::Open);
    let whatsapp = verdict(&report, "whatsapp");
    assert_eq!(whatsapp.status, Status::Inconclusive, "{whatsapp:#?}");
    assert!(whatsapp.techniques.is_empty(), "{whatsapp:#?}");
    for endpoint in endpoints(whatsapp) {
        // Nobody else was reached, so nobody else can have said that the name is gone.
        let reason = endpoint.reason.as_deref().unwrap_or_default();
        assert!(!reason.contains("retired"), "{endpoint:#?}");
    }
    others_are_accessible(&report);
}

async fn blocked_by(lie: Lie, technique: &str) {
    is_blocked_by(&with(lie).await, technique);
}

fn is_blocked_by(report: &Report, technique: &str) {
    let whatsapp = verdict(report, "whatsapp");
    assert_eq!(whatsapp.status, Status::Blocked, "{whatsapp:#?}");
    assert_eq!(whatsapp.confidence, Confidence::Confirmed, "{whatsapp:#?}");
    assert_eq!(techniques(whatsapp), [technique], "{whatsapp:#?}");
    let found = &whatsapp.techniques[0];
    assert_eq!(found.confidence, Confidence::Confirmed, "{found:#?}");
    assert!(found.services.iter().any(|it| it == "chat"), "{found:#?}");
    for id in &found.evidence {
        let is_kept = report.observations.iter().any(|it| it.id == *id);
        assert!(is_kept, "{id} is no observation");
    }
    others_are_accessible(report);
}

async fn with(lie: Lie) -> Report {
    let site = Site::open(World {
        lie: Some(lie),
        ..World::default()
    });
    let report = measure(&site).await;
    assert_eq!(report.vantage.regime, Regime::Open);
    for resolver in &report.vantage.resolvers {
        assert!(resolver.techniques.is_empty(), "{resolver:#?}");
    }
    report
}

fn others_are_accessible(report: &Report) {
    for other in ["telegram", "facetime", "max"] {
        let verdict = verdict(report, other);
        assert_eq!(status(report, other), Status::Accessible, "{verdict:#?}");
        assert!(verdict.techniques.is_empty(), "{verdict:#?}");
    }
}
