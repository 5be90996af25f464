//! Services whose places are each reachable by several ways: what is lost, what is impaired, and what nobody is answered by.

use blockprobe::analysis::endpoint::Judged;
use blockprobe::analysis::places::{Places, by_place};
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
fn a_transport_that_is_not_answered_at_places_that_work_is_told_and_accuses_nobody() {
    for (places, way, told) in [
        (0..3, 1, Some("none of 3 places")),
        // One answer may be luck, where what looks like noise is filtered.
        (0..2, 1, Some("1 of 3 places")),
        // One server may be broken.
        (0..1, 1, None),
        (0..0, 1, None),
        // Other ports may be shut: apps have the first.
        (0..3, 2, None),
    ] {
        let verdict = played(|place, it| places.contains(&place) && it == way);
        silent(&verdict, Status::Accessible);
        let reason = verdict.reason.unwrap_or_default();
        let Some(told) = told else {
            assert_eq!(
                (reason.as_str(), verdict.confidence),
                ("", Confidence::Confirmed)
            );
            continue;
        };
        let words = format!(
            "centres: mtproto_obfuscated on port 443 gets an answer at {told}, for an unknown cause"
        );
        assert!(reason.contains(&words), "{reason}");
        assert_eq!(verdict.confidence, Confidence::Likely);
    }
}

#[test]
fn places_that_are_lost_or_reached_by_other_ways_alone_are_counted() {
    for (fails, told) in [
        (
            [
                [true, false, true],
                [true, false, false],
                [false, false, false],
            ],
            "centres: 2 of 3 places are reachable by mtproto_obfuscated on port 443 only",
        ),
        (
            [
                [true, false, true],
                [true, true, false],
                [true, false, false],
            ],
            "centres: 3 of 3 places are reachable by some of the ways only",
        ),
        (
            [[true; 3], [true; 3], [false; 3]],
            "centres: 2 of 3 places are reachable in no way",
        ),
        (
            [[true; 3], [true, true, false], [false; 3]],
            "centres: 1 of 3 places is reachable in no way. centres: 1 of 3 places is reachable by mtproto_http on port 80 only",
        ),
    ] {
        let verdict = played(|place, way| fails[place][way]);
        silent(&verdict, Status::Degraded);
        let summary = "Target works only in part: centres works in part. The cause is not known";
        assert_eq!(verdict.summary, summary);
        let reason = verdict.reason.unwrap();
        assert!(reason.starts_with(told), "{reason}");
    }
}

/// The places of a service of which the ways ended so.
fn places_of(places: &[[EndpointStatus; 3]], stood: bool) -> Places {
    let mut service = centres(places.len(), true);
    // In the lab ports are others than ids say.
    for endpoint in &mut service.endpoints {
        endpoint.port += 40_000;
    }
    let statuses = places.iter().flatten();
    let endpoints = service.endpoints.iter().zip(statuses);
    let endpoints = endpoints.map(|(endpoint, status)| EndpointReport {
        endpoint: endpoint.id.clone(),
        status: *status,
        failure: (*status != EndpointStatus::Accessible).then_some(Failure::Eof),
        techniques: Vec::new(),
        reason: None,
    });
    let report = ServiceReport {
        service: service.id.clone(),
        status: Status::Accessible,
        essential: true,
        alternative: false,
        endpoints: endpoints.collect(),
    };
    Places::of(&service, &report, |_| stood).unwrap()
}

#[test]
fn what_is_named_or_fails_with_its_place_is_told_elsewhere() {
    use EndpointStatus::{Accessible as Works, Blocked as Cut, Down, Inconclusive as Fails};
    for (places, is_told) in [
        (vec![[Works, Fails, Works]; 2], true),
        // The control vantage may be filtered too, or the servers do not know it: it fails here all the same.
        (vec![[Works, Down, Works], [Works, Fails, Works]], true),
        (vec![[Works, Cut, Works]; 2], false),
        (vec![[Fails, Fails, Fails], [Works, Fails, Works]], false),
        // Beside a first way that fails it is said which are left.
        (vec![[Fails, Works, Works]; 2], false),
    ] {
        let found = places_of(&places, true);
        assert_eq!(!found.unanswered.is_empty(), is_told, "{found:?}");
        // Connections that never stood say nothing of what would have been spoken.
        assert!(places_of(&places, false).unanswered.is_empty());
    }
}

#[test]
fn a_place_is_a_host_or_else_its_addresses() {
    let mut service = centres(1, true);
    let [first, second, third] = &mut service.endpoints[..] else {
        unreachable!("there are three ways")
    };
    (first.host, second.host) = (Some("h.example".to_owned()), Some("h.example".to_owned()));
    second.addresses.clear();
    third.host = Some("other.example".to_owned());
    assert_eq!(by_place(&service, 0..3), [vec![0, 1], vec![2]]);
}
