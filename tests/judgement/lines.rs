//! What real packets asked for: the line, its resolvers and services that are told apart from a censor.

use blockprobe::model::catalog::{Endpoint, Protocol, Region};
use blockprobe::model::failure::Failure;
use blockprobe::model::observation::Operation;
use blockprobe::model::report::{Confidence, Regime, Status};

use crate::world::{HONEST, World, dns, endpoint, ids, proven, reply, silent, step};

#[test]
fn a_lookup_that_heard_nothing_is_made_good_by_the_resolver_asked_directly() {
    let mut world = World::new();
    world.honest_resolvers();
    world.lookup(1, dns(&[], &[]), Some(Failure::GenericTimeout));
    world.answer("isp", 1, &[HONEST]);
    world.climb(HONEST, proven());
    silent(&world.judge(), Status::Accessible);
}

#[test]
fn a_resolver_that_answers_when_it_is_asked_again_answers() {
    let mut world = World::new();
    world.honest_resolvers();
    world.silence("isp", 1);
    world.answer("isp", 2, &[HONEST]);
    world.climb(HONEST, proven());
    silent(&world.judge(), Status::Accessible);
}

#[test]
fn a_forged_answer_that_won_the_race_is_not_the_resolvers_own_lie() {
    let bogon = "10.10.34.35";
    let mut world = World::new();
    world.honest_resolvers();
    world.ground_lookup();
    for trial in 1..=3 {
        let first = dns(&[reply(0, &[bogon])], &[bogon]);
        world.lookup(trial, first, Some(Failure::DnsBogon));
        world.two_answers("isp", trial, bogon, HONEST);
    }
    assert_eq!(ids(&world.judge()), ["domain_name/injected_answer"]);
    let mut world = World::new();
    world.honest_resolvers();
    world.ground_lookup();
    for trial in 1..=3 {
        let first = dns(&[reply(3, &[])], &[]);
        world.lookup(trial, first, Some(Failure::DnsNxdomain));
        world.two_answers("isp", trial, bogon, HONEST);
    }
    assert_eq!(ids(&world.judge()), ["domain_name/injected_answer"]);
}

#[test]
fn a_line_on_which_foreign_servers_connect_and_never_answer_passes_a_list() {
    let mut world = World::bare();
    let mut domestic = world.catalog.controls.clone();
    for control in &mut domestic {
        control.id.push_str("_domestic");
        control.operator.push_str(" domestic");
        control.endpoint.id.push_str("domestic");
        control.region = Region::Domestic;
    }
    let mut foreign = world.catalog.controls.clone();
    let mut third = foreign[0].clone();
    third.operator = "Three".to_owned();
    third.endpoint.id = "http://three/".to_owned();
    let mut connection = foreign[0].clone();
    connection.operator = "Four".to_owned();
    connection.endpoint = Endpoint {
        id: "tcp://four:5228".to_owned(),
        ..endpoint(Protocol::Tcp, 5228)
    };
    foreign.extend([third, connection]);
    world.catalog.controls = domestic;
    world.control_climb("HTTP 204", 204, "");
    for connects in [true, false] {
        let mut world = World {
            catalog: world.catalog.clone(),
            ground: world.ground.clone(),
            ..World::bare()
        };
        for control in &foreign {
            world.foreign_silence(control, connects);
        }
        world.catalog.controls.extend(foreign.iter().cloned());
        let wanted = if connects {
            Regime::AllowList
        } else {
            Regime::DomesticOnly
        };
        assert_eq!(world.ground().regime, wanted);
    }
}

#[test]
fn a_service_that_fails_whole_is_told_and_lowers_the_confidence() {
    let mut world = World::reachable();
    let services = &mut world.catalog.targets[0].services;
    let mut other = services[0].clone();
    other.id = "other".to_owned();
    other.essential = false;
    other.endpoints[0].id = "https://web.example/other".to_owned();
    services.insert(0, other);
    let failed = step(Operation::TlsHandshake, Some(Failure::GenericTimeout));
    world.climb(HONEST, failed.into());
    world.catalog.targets[0].services.rotate_left(1);
    world.climb(HONEST, proven());
    let verdict = world.judge();
    silent(&verdict, Status::Accessible);
    assert_eq!(verdict.confidence, Confidence::Likely);
    assert!(verdict.reason.unwrap().contains("other"));
}

#[test]
fn a_portal_that_takes_over_what_is_in_clear_is_a_portal_although_tls_passes() {
    let mut world = World::bare();
    let mut third = world.catalog.controls[0].clone();
    third.operator = "Three".to_owned();
    third.endpoint.id = "http://three/".to_owned();
    world.catalog.controls.push(third);
    world.control_climb("HTTP 302", 302, "log in");
    let mut proved = world.catalog.controls[0].clone();
    proved.operator = "Four".to_owned();
    proved.endpoint.id = "https://four/".to_owned();
    proved.endpoint.protocol = Protocol::Https;
    world.control_proof(&proved);
    world.catalog.controls.push(proved);
    assert_eq!(world.ground().regime, Regime::CaptivePortal);

    // One operator whose page changed is no portal.
    world.catalog.controls.truncate(1);
    let mut proved = world.catalog.controls[0].clone();
    proved.operator = "Four".to_owned();
    proved.endpoint.id = "https://four/".to_owned();
    proved.endpoint.protocol = Protocol::Https;
    world.catalog.controls.push(proved);
    assert_eq!(world.ground().regime, Regime::Open);
}
