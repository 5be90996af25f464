//! Protocols that definitions describe: what is contrasted when their first message meets nothing, and who is blamed for it.

use std::collections::BTreeSet;

use blockprobe::model::catalog::{Endpoint, Protocol};
use blockprobe::model::check::{Ask, Check, Climb, Contrast, Payload, Role, Round, Variation};
use blockprobe::model::custom::{Custom, Octets};
use blockprobe::model::failure::Failure;
use blockprobe::model::line::Line;
use blockprobe::model::observation::{ExchangeFacts, Operation, Stage, Step};
use blockprobe::model::report::{Confidence, EndpointStatus, Status};
use blockprobe::plan::Seen;
use blockprobe::plan::contrast::{self, Controls};
use blockprobe::plan::reach::climb;
use blockprobe::plan::resolve::Subject;

use crate::world::{
    HONEST, HOST, OTHER, World, climb_check, endpoint, ids, observation, silent, step,
};

const SUBJECT: Subject = Subject {
    id: "target",
    role: Role::Target,
    round: Round::Reach,
};

/// An endpoint at a fixed address, where this is said.
fn described(protocol: Protocol, address: &str, send: &str) -> Endpoint {
    let custom = Custom {
        send: Octets(send.into()),
        ..Custom::default()
    };
    Endpoint {
        id: format!("{}://{address}:7/{send}", protocol.word()),
        host: None,
        addresses: vec![address.parse().unwrap()],
        custom: Some(Box::new(custom)),
        ..endpoint(protocol, 7)
    }
}

/// An exchange in which so many bytes came.
fn exchanged(failure: Option<Failure>, received_bytes: u64) -> Step {
    Step {
        exchange: Some(Box::new(ExchangeFacts {
            received_bytes,
            datagrams: Some(3),
            stage: if received_bytes > 0 {
                Stage::Answered
            } else {
                Stage::Silent
            },
            ..ExchangeFacts::default()
        })),
        ..step(Operation::Exchange, failure)
    }
}

fn lost() -> Step {
    exchanged(Some(Failure::GenericTimeout), 0)
}

fn world(endpoints: Vec<Endpoint>) -> World {
    let mut world = World::new();
    world.catalog.targets[0].services[0].endpoints = endpoints;
    world
}

/// Three trials that met nothing, and as many of other bytes that were answered.
fn swallowed(world: &mut World, endpoint: &Endpoint) {
    let address = endpoint.addresses[0].to_string();
    let first = climb_check("target", endpoint, &address, Role::Target);
    for trial in 1..=3 {
        let contrast = |varies| Contrast {
            of: first.id.clone(),
            varies,
        };
        let mut again = first.clone();
        if trial > 1 {
            again.id = format!("{}/again#{trial}", first.id);
            again.contrast = Some(contrast(Variation::Nothing));
        }
        world.push(again, steps(endpoint, lost()));
        let other = Check {
            id: format!("{}/payload#{trial}", first.id),
            endpoints: Vec::new(),
            role: Role::Control,
            trial,
            contrast: Some(contrast(Variation::Payload)),
            ..first.clone()
        };
        world.push(other, steps(endpoint, exchanged(None, 9)));
    }
}

fn steps(endpoint: &Endpoint, last: Step) -> Vec<Step> {
    let mut steps = Vec::new();
    if !endpoint.protocol.is_udp() {
        steps.push(step(Operation::TcpConnect, None));
    }
    steps.push(last);
    steps
}

/// What is asked once these first messages met nothing, and neither did anything else.
fn contrasts(endpoints: &[Endpoint]) -> Vec<(Check, Climb)> {
    let mut seen = Seen::default();
    for (number, endpoint) in endpoints.iter().enumerate() {
        let check = climb(SUBJECT, endpoint, endpoint.addresses[0], 1);
        let steps = steps(endpoint, lost());
        seen.note(observation(format!("o{number}"), check, steps), true);
    }
    for check in planned(endpoints, &seen) {
        let steps = steps(&endpoints[0], lost());
        let id = check.id.clone();
        seen.note(observation(id, check, steps), true);
    }
    let climbs = planned(endpoints, &seen)
        .into_iter()
        .filter_map(|check| match &check.ask {
            Ask::Climb(climb) if climb.protocol.is_custom() => {
                let climb = climb.clone();
                Some((check, climb))
            }
            _ => None,
        });
    climbs.collect()
}

fn planned(endpoints: &[Endpoint], seen: &Seen) -> Vec<Check> {
    let world = world(endpoints.to_vec());
    let controls = Controls {
        tls: vec!["198.41.0.5:443".parse().unwrap()],
        stun: vec!["198.41.0.6:3478".parse().unwrap()],
        ..Controls::default()
    };
    let subject = Subject {
        round: Round::Contrast,
        ..SUBJECT
    };
    contrast::checks(
        &world.catalog,
        &Line::default(),
        subject,
        || endpoints.iter(),
        seen,
        Some(&controls),
    )
}

#[test]
fn random_bytes_are_sent_to_the_same_server_and_to_a_control() {
    for (protocol, control) in [
        (Protocol::CustomTcp, "198.41.0.5:443"),
        (Protocol::CustomUdp, "198.41.0.6:3478"),
    ] {
        let all = contrasts(&[described(protocol, HONEST, "PING")]);
        let random = all.iter().filter(|(_, it)| it.payload == Payload::Random);
        let places: BTreeSet<String> = random.map(|(_, it)| it.address.to_string()).collect();
        let wanted = [format!("{HONEST}:7"), control.to_owned()];
        assert_eq!(places, BTreeSet::from(wanted));
        let send = |it: &Climb| it.custom.as_ref().unwrap().send.0.clone();
        assert!(all.iter().all(|(_, it)| send(it) == b"PING"));
        assert!(all.iter().any(|(it, _)| it.trial == 3));
    }
}

#[test]
fn what_nobody_on_the_way_can_look_at_is_not_contrasted() {
    let first = described(Protocol::CustomTcp, HONEST, "");
    let tls = described(Protocol::CustomTls, HONEST, "PING");
    assert!(contrasts(&[first, tls]).is_empty());
}

#[test]
fn two_protocols_at_one_address_and_port_are_two_measurements() {
    let one = described(Protocol::CustomTcp, HONEST, "PING");
    let two = described(Protocol::CustomTcp, HONEST, "HELLO");
    let id = |endpoint| climb(SUBJECT, endpoint, endpoint.addresses[0], 1).id;
    assert_ne!(id(&one), id(&two));
}

#[test]
fn a_first_message_swallowed_at_two_servers_that_answer_other_bytes_is_named_and_doubted() {
    for protocol in [Protocol::CustomTcp, Protocol::CustomUdp] {
        let endpoints: Vec<Endpoint> = [HONEST, OTHER]
            .map(|address| described(protocol, address, "PING"))
            .into();
        let mut world = world(endpoints.clone());
        swallowed(&mut world, &endpoints[0]);
        // A server may stay silent to this message of its own will, whatever it goes over.
        let verdict = world.judge();
        silent(&verdict, Status::Inconclusive);
        let reason = verdict.services[0].endpoints[0].reason.clone();
        assert!(
            !reason.is_some_and(|it| it.contains("relay")),
            "{verdict:#?}"
        );
        swallowed(&mut world, &endpoints[1]);
        let verdict = world.judge();
        assert_eq!(ids(&verdict), ["protocol/drop"]);
        assert_eq!(verdict.techniques[0].confidence, Confidence::Likely);
        let seen = &verdict.techniques[0].seen;
        assert!(seen.contains("random bytes of the same length"), "{seen}");
    }
}

#[test]
fn servers_that_hang_up_on_what_they_read_and_wait_for_the_rest_of_noise_are_no_censor() {
    for failure in [Failure::Eof, Failure::ConnectionReset] {
        for (waits, named) in [(true, false), (false, true)] {
            let endpoints = [HONEST, OTHER].map(|it| described(Protocol::CustomTcp, it, "PING"));
            let mut world = world(endpoints.to_vec());
            for endpoint in &endpoints {
                swallowed(&mut world, endpoint);
            }
            for observation in &mut world.observations {
                let contrast = observation.check.contrast.as_ref();
                let is_noise = contrast.is_some_and(|it| it.varies == Variation::Payload);
                let endpoint = &endpoints[0];
                if !is_noise {
                    observation.steps = steps(endpoint, exchanged(Some(failure.clone()), 0));
                } else if waits {
                    observation.steps = steps(endpoint, lost());
                }
            }
            let verdict = world.judge();
            assert_eq!(!verdict.techniques.is_empty(), named, "{verdict:#?}");
            for technique in &verdict.techniques {
                assert_eq!(technique.confidence, Confidence::Likely);
                let doubt = technique.doubt.as_deref().unwrap_or_default();
                assert!(doubt.contains("hang up on this message"), "{doubt}");
            }
        }
    }
}

#[test]
fn what_befalls_one_protocol_is_not_said_of_another() {
    let ping = [HONEST, OTHER].map(|address| described(Protocol::CustomTcp, address, "PING"));
    let hello = described(Protocol::CustomTcp, HONEST, "HELLO");
    let mut world = world(ping.iter().cloned().chain([hello.clone()]).collect());
    for endpoint in &ping {
        swallowed(&mut world, endpoint);
    }
    let check = climb_check("target", &hello, HONEST, Role::Target);
    world.push(check, steps(&hello, lost()));
    let verdict = world.judge();
    assert_eq!(
        verdict.techniques[0].endpoints,
        [ping[0].id.clone(), ping[1].id.clone()]
    );
    let last = verdict.services[0].endpoints.last().unwrap();
    assert_eq!(last.status, EndpointStatus::Inconclusive);
}

#[test]
fn another_answer_than_expected_accuses_nobody() {
    let endpoint = described(Protocol::CustomTcp, HONEST, "PING");
    let mut world = world(vec![endpoint.clone()]);
    let words = "the answer is not what the definitions expect".to_owned();
    let check = climb_check("target", &endpoint, HONEST, Role::Target);
    let last = exchanged(Some(Failure::Unknown(words)), 30);
    world.push(check, steps(&endpoint, last));
    silent(&world.judge(), Status::Inconclusive);
}

#[test]
fn what_answers_in_one_protocol_does_not_answer_in_another() {
    let [ping, hello] = ["PING", "HELLO"].map(|send| Endpoint {
        host: Some(HOST.to_owned()),
        addresses: Vec::new(),
        ..described(Protocol::CustomTcp, HONEST, send)
    });
    let mut world = World::reachable();
    world.catalog.targets[0].services[0].endpoints = vec![ping.clone(), hello];
    let check = climb_check("target", &ping, HONEST, Role::Target);
    world.push(check, steps(&ping, exchanged(None, 9)));
    let verdict = world.judge();
    let statuses: Vec<EndpointStatus> = verdict.services[0]
        .endpoints
        .iter()
        .map(|it| it.status)
        .collect();
    let wanted = [EndpointStatus::Accessible, EndpointStatus::NotRun];
    assert_eq!(statuses, wanted);
}
