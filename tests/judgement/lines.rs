//! What real packets asked for: the line, its resolvers and services that are told apart from a censor.

use blockprobe::analysis::ground::Ground;
use blockprobe::model::catalog::{Endpoint, Protocol, Region};
use blockprobe::model::check::{Ask, Role};
use blockprobe::model::failure::Failure;
use blockprobe::model::observation::{Operation, TcpFacts, TlsFacts};
use blockprobe::model::report::{Confidence, Regime, Status};

use crate::world::{
    HONEST, World, climb_check, dns, endpoint, ids, observation, proven, reply, silent, step,
};

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

#[test]
fn a_run_that_was_cut_short_is_not_an_offline_line() {
    let ground = World::bare().ground();
    assert_eq!(ground.regime, Regime::Open);
    let problem = blockprobe::analysis::problem::of(&ground);
    assert!(problem.is_some_and(|it| it.contains("not known")));
}

#[test]
fn a_resolver_that_fails_controls_in_between_fails_for_everybody() {
    for (failure, rcode) in [(Failure::DnsRefused, 5), (Failure::DnsServfail, 2)] {
        let mut world = World::new();
        world.honest_resolvers();
        for trial in 1..=3 {
            world.denial("isp", trial, &failure, rcode);
        }
        world.control_between("isp", 2, Some(&failure));
        silent(&world.judge(), Status::Inconclusive);
    }
    let mut world = World::new();
    world.honest_resolvers();
    for trial in 1..=4 {
        world.silence("isp", trial);
    }
    world.control_between("isp", 3, Some(&Failure::GenericTimeout));
    silent(&world.judge(), Status::Inconclusive);

    let mut world = World::new();
    world.honest_resolvers();
    for trial in 1..=3 {
        world.denial("isp", trial, &Failure::DnsRefused, 5);
    }
    world.control_between("isp", 2, None);
    assert_eq!(ids(&world.judge()), ["domain_name/refused_answer"]);
}

#[test]
fn a_resolver_of_ones_own_network_is_likely_a_censor_at_most() {
    let mut world = World::new();
    world.catalog.resolvers[0].is_local = true;
    world.honest_resolvers();
    for trial in 1..=3 {
        world.denial("isp", trial, &Failure::DnsNxdomain, 3);
    }
    let verdict = world.judge();
    assert_eq!(verdict.techniques[0].confidence, Confidence::Likely);
    assert!(
        verdict.techniques[0]
            .doubt
            .as_deref()
            .unwrap()
            .contains("own network")
    );

    let mut world = World::new();
    world.catalog.resolvers[0].is_local = true;
    world.honest_resolvers();
    for trial in 1..=3 {
        world.bogon("isp", trial, "192.168.7.7");
    }
    let verdict = world.judge();
    assert_eq!(verdict.techniques[0].confidence, Confidence::Likely);
    assert!(
        verdict.techniques[0]
            .doubt
            .as_deref()
            .unwrap()
            .contains("own network")
    );
}

#[test]
fn this_machines_own_files_are_nobodys_censorship() {
    let mut world = World::new();
    world.honest_resolvers();
    world.ground_lookup();
    for trial in 1..=3 {
        let hosts_file = dns(&[reply(0, &["127.0.0.1"])], &["127.0.0.1"]);
        world.lookup(trial, hosts_file, Some(Failure::DnsBogon));
        world.answer("isp", trial, &[HONEST]);
    }
    silent(&world.judge(), Status::Inconclusive);
}

#[test]
fn fake_addresses_of_a_bypass_program_are_no_censors() {
    let mut world = World::new();
    world.honest_resolvers();
    for trial in 1..=3 {
        world.bogon("isp", trial, "198.18.0.9");
    }
    silent(&world.judge(), Status::Inconclusive);
}

#[test]
fn an_alias_that_leads_nowhere_is_a_broken_answer() {
    let mut world = World::new();
    world.honest_resolvers();
    for trial in 1..=3 {
        world.alias("isp", trial);
    }
    silent(&world.judge(), Status::Inconclusive);
}

#[test]
fn a_portal_with_a_walled_garden_is_a_portal() {
    let mut world = World::bare();
    for operator in ["Three", "Four"] {
        let mut other = world.catalog.controls[0].clone();
        other.operator = operator.to_owned();
        other.endpoint.id = format!("http://{operator}/");
        world.catalog.controls.push(other);
    }
    let honest = world.catalog.controls.remove(0);
    world.control_climb("HTTP 302", 302, "log in");
    let impostors = std::mem::replace(&mut world.catalog.controls, vec![honest]);
    world.control_climb("HTTP 204", 204, "");
    world.catalog.controls.extend(impostors);
    assert_eq!(world.ground().regime, Regime::CaptivePortal);
}

#[test]
fn a_line_on_which_most_controls_are_silent_passes_a_list() {
    let mut world = World::bare();
    let works = world.catalog.controls[0].clone();
    world.catalog.controls = vec![works.clone()];
    world.control_climb("HTTP 204", 204, "");
    for operator in ["Three", "Four", "Five"] {
        let mut other = works.clone();
        other.operator = operator.to_owned();
        other.endpoint.id = format!("http://{operator}/");
        world.foreign_silence(&other, true);
        world.catalog.controls.push(other);
    }
    assert_eq!(world.ground().regime, Regime::AllowList);
    // A foreign resolver that proves itself shows that it is the controls that are filtered.
    world.control("google", 1);
    assert_eq!(world.ground().regime, Regime::Open);
}

#[test]
fn a_family_works_where_something_answers_and_not_where_connections_merely_stand() {
    let six = "2001:db8::5";
    let stands = || step(Operation::TcpConnect, None);
    let lost = |operation| step(operation, Some(Failure::GenericTimeout));
    let mut alert = lost(Operation::TlsHandshake);
    alert.failure = Some(Failure::SslFailedHandshake);
    alert.tls = Some(Box::new(TlsFacts {
        received_bytes: 7,
        ..TlsFacts::default()
    }));
    let cut = step(Operation::TlsHandshake, Some(Failure::Interrupted));
    for (steps, works) in [
        (vec![stands(), lost(Operation::TlsHandshake)], false),
        (vec![stands(), lost(Operation::HttpRoundTrip)], false),
        (vec![lost(Operation::TcpConnect)], false),
        (vec![stands(), alert], true),
        (vec![stands(), proven().step()], true),
        (vec![step(Operation::Exchange, None)], true),
        // Nothing more was asked of it.
        (vec![stands()], true),
        (vec![stands(), cut], true),
    ] {
        let mut world = World::new();
        assert_eq!(world.ground().families, ["ipv4"]);
        let control = &world.catalog.controls[0].endpoint;
        let check = climb_check("ground", control, six, Role::Control);
        let seen = observation("o2000".to_owned(), check, steps.clone());
        world.ground.push(seen);
        let expected: &[&str] = if works { &["ipv4", "ipv6"] } else { &["ipv4"] };
        assert_eq!(world.ground().families, expected, "{steps:#?}");
    }
}

#[test]
fn a_resolver_that_proves_itself_shows_that_its_family_works() {
    let mut world = World::bare();
    for control in world.catalog.controls.clone() {
        world.foreign_silence(&control, true);
    }
    world.control("quad9", 1);
    assert!(world.ground().families.is_empty());
    world.control("google", 1);
    let asked = world.ground.last_mut().unwrap();
    asked.steps.insert(0, step(Operation::TcpConnect, None));
    asked.steps.insert(1, proven().step());
    assert_eq!(world.ground().regime, Regime::Open);
    assert_eq!(world.ground().families, ["ipv4"]);
}

/// Two operators answer in clear, one more over TLS if it `works`, and four others are silent over TLS: with what they were
/// told acknowledged or not.
fn silent_over_tls(works: bool, acked: u64) -> World {
    let mut world = World::new();
    let like = world.catalog.controls[0].clone();
    for operator in ["Three", "Four", "Five", "Six", "Seven"] {
        let mut control = like.clone();
        operator.clone_into(&mut control.operator);
        control.endpoint.id = format!("https://{operator}/");
        control.endpoint.protocol = Protocol::Https;
        if operator == "Seven" {
            if works {
                world.control_proof(&control);
                world.catalog.controls.push(control);
            }
            continue;
        }
        let check = climb_check("ground", &control.endpoint, "198.41.0.4", Role::Control);
        let mut lost = step(Operation::TlsHandshake, Some(Failure::GenericTimeout));
        lost.tcp = Some(Box::new(TcpFacts {
            bytes_acked: Some(acked),
            bytes_received: Some(0),
            unacked: Some(0),
            ..TcpFacts::default()
        }));
        let id = format!("o{}", 1000 + world.ground.len());
        let steps = vec![step(Operation::TcpConnect, None), lost];
        world.ground.push(observation(id, check, steps));
        world.catalog.controls.push(control);
    }
    // No resolver abroad proves itself by TLS either.
    let is_protected = |it: &str| it == "google";
    world.ground.retain(
        |it| !matches!(&it.check.ask, Ask::Query { resolver, .. } if is_protected(resolver)),
    );
    world
}

#[test]
fn a_line_on_which_tls_is_acknowledged_and_answered_nowhere_may_not_pass_large_packets() {
    let ground = silent_over_tls(false, 517).ground();
    assert_eq!(ground.regime, Regime::Open);
    assert!(ground.techniques.is_empty());
    let has_note = |ground: &Ground| ground.notes.iter().any(|note| note.contains("MTU"));
    assert!(has_note(&ground) && !has_note(&World::new().ground()));
    assert!(ground.is_narrow && !World::new().ground().is_narrow);
}

#[test]
fn a_list_swallows_what_is_said_to_others_or_has_something_in_it() {
    for (works, acked) in [(false, 0), (true, 0), (true, 517)] {
        let ground = silent_over_tls(works, acked).ground();
        assert_eq!(ground.regime, Regime::AllowList, "{works} {acked}");
        assert_eq!(ground.techniques[0].id, "everything/drop");
        let doubt = ground.techniques[0].doubt.as_deref().unwrap();
        assert!(doubt.contains("large packets"), "{doubt}");
        assert!(ground.notes.iter().all(|note| !note.contains("MTU")));
    }
}
