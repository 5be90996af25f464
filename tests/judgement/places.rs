//! Services whose places are each reached by several ways: what is lost, what is impaired, and what nobody is answered by.

use blockprobe::analysis::endpoint::Judged;
use blockprobe::analysis::status;
use blockprobe::model::catalog::{Endpoint, Protocol, Service};
use blockprobe::model::check::Role;
use blockprobe::model::failure::Failure;
use blockprobe::model::observation::{ExchangeFacts, Operation, Stage, Step};
use blockprobe::model::report::{
    Confidence, EndpointReport, EndpointStatus, ServiceReport, Status, Verdict,
};

use crate::world::{World, climb_check, endpoint, silent, step};

const WAYS: [(Protocol, u16); 3] = [
    (Protocol::MtprotoAbridged, 443),
    (Protocol::MtprotoObfuscated, 443),
    (Protocol::MtprotoHttp, 80),
];

/// Every way to so many places.
fn centres(places: usize, by_place: bool) -> Service {
    let ways = (1..=places).flat_map(|place| {
        WAYS.map(|(protocol, port)| Endpoint {
            id: format!("{}://192.0.2.{place}:{port}", protocol.word()),
            host: None,
            addresses: vec![format!("192.0.2.{place}").parse().unwrap()],
            ..endpoint(protocol, port)
        })
    });
    Service {
        id: "centres".to_owned(),
        essential: true,
        pool: false,
        by_place,
        alternative: false,
        endpoints: ways.collect(),
    }
}

/// What becomes of a service of which the ways to each place end so.
fn status_of(by_place: bool, places: &[[EndpointStatus; 3]]) -> Status {
    let service = centres(places.len(), by_place);
    let statuses = places.iter().flatten();
    let judged = service.endpoints.iter().zip(statuses);
    let judged = judged.map(|(endpoint, status)| Judged {
        report: EndpointReport {
            endpoint: endpoint.id.clone(),
            status: *status,
            failure: None,
            techniques: Vec::new(),
            reason: None,
        },
        fails_here: !matches!(status, EndpointStatus::Accessible | EndpointStatus::NotRun),
    });
    status::service(&service, judged.collect()).status
}

#[test]
fn a_place_is_lost_when_no_way_leads_to_it_and_impaired_when_the_first_fails() {
    use EndpointStatus::{
        Accessible as Works, Blocked as Cut, Down, Inconclusive as Fails, NotRun as Unseen,
    };
    for (places, status) in [
        (
            [[Works, Works, Works], [Works, Works, Works]],
            Status::Accessible,
        ),
        // What is cut or fails beside the first takes nothing away.
        (
            [[Works, Cut, Cut], [Works, Fails, Down]],
            Status::Accessible,
        ),
        (
            [[Unseen, Works, Works], [Works, Unseen, Unseen]],
            Status::Accessible,
        ),
        // Never called blocked, down or unsure while a way is left.
        ([[Cut, Works, Cut], [Cut, Cut, Works]], Status::Degraded),
        (
            [[Fails, Works, Works], [Fails, Works, Works]],
            Status::Degraded,
        ),
        ([[Down, Works, Down], [Down, Works, Down]], Status::Degraded),
        // One place is not another: an account lives on one.
        (
            [[Works, Works, Works], [Fails, Fails, Fails]],
            Status::Degraded,
        ),
        ([[Works, Works, Works], [Cut, Cut, Cut]], Status::Degraded),
        ([[Cut, Cut, Cut], [Cut, Cut, Cut]], Status::Blocked),
        ([[Cut, Fails, Fails], [Fails, Cut, Unseen]], Status::Blocked),
        ([[Down, Down, Down], [Down, Down, Unseen]], Status::Down),
        (
            [[Down, Down, Fails], [Down, Down, Down]],
            Status::Inconclusive,
        ),
        (
            [[Fails, Fails, Fails], [Fails, Fails, Fails]],
            Status::Inconclusive,
        ),
        (
            [[Unseen, Unseen, Unseen], [Unseen, Unseen, Unseen]],
            Status::Inconclusive,
        ),
    ] {
        assert_eq!(status_of(true, &places), status, "{places:?}");
    }
    // Elsewhere each endpoint stands for itself.
    assert_eq!(status_of(false, &[[Works, Fails, Works]]), Status::Degraded);
}

fn answered() -> Step {
    let facts = ExchangeFacts {
        stage: Stage::Bound,
        received_bytes: 100,
        ..ExchangeFacts::default()
    };
    Step {
        exchange: Some(Box::new(facts)),
        ..step(Operation::Exchange, None)
    }
}

/// A target whose places are asked by every way; `fails` tells, by place and way, what is hung up on.
fn played(fails: impl Fn(usize, usize) -> bool) -> Verdict {
    let mut world = World::reachable();
    let service = centres(3, true);
    for (at, endpoint) in service.endpoints.iter().enumerate() {
        let address = endpoint.addresses[0].to_string();
        let last = if fails(at / WAYS.len(), at % WAYS.len()) {
            step(Operation::Exchange, Some(Failure::Eof))
        } else {
            answered()
        };
        let check = climb_check("target", endpoint, &address, Role::Target);
        world.push(check, vec![step(Operation::TcpConnect, None), last]);
    }
    world.catalog.targets[0].services = vec![service];
    world.judge()
}

#[test]
fn a_transport_that_is_answered_nowhere_is_told_and_accuses_nobody() {
    for (places, way, is_told) in [
        (0..3, 1, true),
        // One server may be broken.
        (0..1, 1, false),
        (0..0, 1, false),
        // Other ports may be shut: apps have the first.
        (0..3, 2, false),
    ] {
        let verdict = played(|place, it| places.contains(&place) && it == way);
        silent(&verdict, Status::Accessible);
        let reason = verdict.reason.unwrap_or_default();
        let words = "Of centres mtproto_obfuscated is answered nowhere, and nothing tells why";
        assert_eq!(reason.contains(words), is_told, "{reason}");
        let sure = if is_told {
            Confidence::Likely
        } else {
            Confidence::Confirmed
        };
        assert_eq!(verdict.confidence, sure, "{reason}");
    }
}

#[test]
fn what_still_leads_there_is_told_where_the_first_way_fails() {
    let verdict = played(|place, way| place < 2 && (way == 0 || (place == 0 && way == 2)));
    silent(&verdict, Status::Degraded);
    let summary =
        "Target works here only in part: centres is impaired, and nothing measured tells why";
    assert_eq!(verdict.summary, summary);
    let reason = verdict.reason.unwrap();
    let words = "Still working: centres by mtproto_obfuscated and mtproto_http";
    assert!(reason.starts_with(words), "{reason}");
}

#[test]
fn one_place_says_nothing_of_a_transport_and_what_is_named_is_told_elsewhere() {
    for (places, ended, is_told) in [
        (2, EndpointStatus::Inconclusive, true),
        (1, EndpointStatus::Inconclusive, false),
        (2, EndpointStatus::Blocked, false),
    ] {
        let service = centres(places, true);
        let endpoints = service.endpoints.iter().map(|endpoint| {
            let fails = endpoint.protocol == Protocol::MtprotoObfuscated;
            EndpointReport {
                endpoint: endpoint.id.clone(),
                status: if fails {
                    ended
                } else {
                    EndpointStatus::Accessible
                },
                failure: fails.then_some(Failure::Eof),
                techniques: Vec::new(),
                reason: None,
            }
        });
        let report = ServiceReport {
            service: service.id.clone(),
            status: Status::Accessible,
            essential: true,
            alternative: false,
            endpoints: endpoints.collect(),
        };
        let told = status::unanswered(&service, &report);
        assert_eq!(!told.is_empty(), is_told, "{places} {ended:?}");
    }
}
