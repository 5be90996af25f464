//! What was found to be judged wrongly, on real packets, kept right by hand-made worlds.

use blockprobe::model::catalog::{Endpoint, Protocol, Service};
use blockprobe::model::check::{Ask, Contrast, Role, Variation};
use blockprobe::model::failure::Failure;
use blockprobe::model::observation::{ExchangeFacts, Operation, Stage, Step, TcpFacts};
use blockprobe::model::report::{Confidence, EndpointStatus, Status, Verdict};

use crate::world::{Cell, HONEST, Last, World, climb_check, endpoint, ids, proven, silent, step};

const CONTROLS: [&str; 3] = ["198.41.0.5", "198.41.0.6", "198.41.0.7"];

/// A target that speaks WhatsApp's protocol in clear.
fn in_noise() -> World {
    let mut world = World::reachable();
    world.catalog.targets[0].services[0].endpoints = vec![endpoint(Protocol::WhatsappNoise, 443)];
    world
}

/// A first message that met silence; whether so much as an acknowledgement came.
fn unanswered(is_acknowledged: bool) -> Last {
    let mut step = step(Operation::Exchange, Some(Failure::GenericTimeout));
    step.exchange = Some(Box::default());
    step.tcp = Some(Box::new(TcpFacts {
        unacked: Some(u32::from(!is_acknowledged)),
        bytes_acked: Some(if is_acknowledged { 43 } else { 0 }),
        ..TcpFacts::default()
    }));
    step.into()
}

fn answered_by(text: &str) -> Last {
    let words = "the answer is not WhatsApp's".to_owned();
    let mut step = step(Operation::Exchange, Some(Failure::Unknown(words)));
    step.exchange = Some(Box::new(ExchangeFacts {
        received_bytes: 200,
        clear_text: Some(text.to_owned()),
        ..ExchangeFacts::default()
    }));
    step.into()
}

/// Own bytes and random ones, at home and at controls; whether each was acknowledged.
fn first_bytes([own, random, own_there, random_there]: [bool; 4]) -> World {
    let mut world = in_noise();
    for trial in 1..=3 {
        let control = CONTROLS[trial as usize - 1];
        world.climb_again(HONEST, trial, unanswered(own));
        world.contrast(HONEST, Variation::Payload, trial, unanswered(random));
        world.contrast(control, Variation::Both, trial, unanswered(random_there));
        world.contrast(control, Variation::Address, trial, unanswered(own_there));
    }
    world
}

#[test]
fn first_bytes_that_are_never_acknowledged_are_known_although_servers_say_nothing_to_strangers() {
    let verdict = first_bytes([false, true, false, true]).judge();
    assert_eq!(ids(&verdict), ["protocol/drop"]);
    assert_eq!(verdict.techniques[0].confidence, Confidence::Confirmed);
    assert_eq!(verdict.status, Status::Blocked);
}

#[test]
fn silence_in_which_nothing_else_passed_may_be_a_line_that_was_cut_just_then() {
    for (began, ended, is_telling) in [(0.0, 1.0, true), (0.5, 6.5, false)] {
        let mut world = first_bytes([false, true, false, true]);
        for observation in &mut world.observations {
            let contrast = observation.check.contrast.as_ref();
            if contrast.is_some_and(|it| it.varies == Variation::Address) {
                for step in &mut observation.steps {
                    (step.t0, step.t) = (began, ended);
                }
            }
        }
        let verdict = world.judge();
        if is_telling {
            assert_eq!(ids(&verdict), ["protocol/drop"]);
        } else {
            silent(&verdict, Status::Inconclusive);
        }
    }
}

#[test]
fn where_its_own_servers_may_be_down_what_neutral_ones_do_is_doubted() {
    for (random, confidence) in [(true, Confidence::Confirmed), (false, Confidence::Likely)] {
        let verdict = first_bytes([false, random, false, true]).judge();
        assert_eq!(ids(&verdict), ["protocol/drop"]);
        assert_eq!(verdict.techniques[0].confidence, confidence);
        let doubt = verdict.techniques[0].doubt.as_deref();
        let is_doubted = doubt.is_some_and(|it| it.contains("may be down"));
        assert_eq!(is_doubted, !random, "{doubt:?}");
    }
}

#[test]
fn a_first_message_that_met_silence_at_one_control_only_may_be_an_accident() {
    let mut world = first_bytes([false, true, false, true]);
    world.observations.retain(|it| {
        let contrast = it.check.contrast.as_ref();
        it.check.trial == 1 || contrast.is_some_and(|it| it.varies == Variation::Payload)
    });
    silent(&world.judge(), Status::Inconclusive);
}

#[test]
fn servers_that_say_nothing_to_anybody_hide_nothing() {
    for (own, random) in [(true, true), (false, false)] {
        silent(
            &first_bytes([own, random, true, true]).judge(),
            Status::Inconclusive,
        );
    }
}

/// A first message that was torn down.
fn torn_down(how: &Failure) -> Last {
    let mut step = step(Operation::Exchange, Some(how.clone()));
    step.exchange = Some(Box::default());
    step.into()
}

/// A first message that is torn down at home and at every control, and random bytes that meet the same so many times at one control and
/// so many at the others.
fn torn_down_there(how: &Failure, moody: u32, others: u32) -> Verdict {
    let mut world = in_noise();
    for trial in 1..=3 {
        world.climb_again(HONEST, trial, torn_down(how));
        world.contrast(HONEST, Variation::Payload, trial, unanswered(true));
        for (at, control) in CONTROLS.into_iter().enumerate() {
            let met = if at == 0 { moody } else { others };
            let random = if trial > met {
                unanswered(true)
            } else {
                torn_down(how)
            };
            world.contrast(control, Variation::Both, trial, random);
            world.contrast(control, Variation::Address, trial, torn_down(how));
        }
    }
    world.judge()
}

#[test]
fn a_box_that_tears_down_whom_it_pleases_looks_for_no_message() {
    for (how, technique) in [
        (Failure::ConnectionReset, "protocol/reset"),
        (Failure::Eof, "protocol/close"),
    ] {
        // A control that likes no random bytes at all, or one of nine times, says nothing of the line.
        for (moody, others) in [(0, 0), (3, 0), (1, 0)] {
            let verdict = torn_down_there(&how, moody, others);
            assert_eq!(ids(&verdict), [technique], "{moody} {others}");
            assert_eq!(verdict.techniques[0].confidence, Confidence::Confirmed);
            assert_eq!(verdict.techniques[0].doubt, None);
        }
        for (moody, others) in [(1, 2), (2, 2), (3, 2)] {
            silent(&torn_down_there(&how, moody, others), Status::Inconclusive);
        }
    }
}

#[test]
fn a_first_message_that_passes_to_one_control_is_not_looked_for_whatever_random_bytes_meet_there() {
    for (passes, is_named) in [(false, true), (true, false)] {
        let mut world = in_noise();
        for (trial, control) in (1..=3).zip(CONTROLS) {
            let is_spared = passes && trial == 3;
            world.climb_again(HONEST, trial, torn_down(&Failure::Eof));
            world.contrast(HONEST, Variation::Payload, trial, unanswered(true));
            let [own, random] = if is_spared {
                [unanswered(true), torn_down(&Failure::Eof)]
            } else {
                [torn_down(&Failure::Eof), unanswered(true)]
            };
            world.contrast(control, Variation::Both, trial, random);
            world.contrast(control, Variation::Address, trial, own);
        }
        let verdict = world.judge();
        if is_named {
            assert_eq!(ids(&verdict), ["protocol/close"]);
        } else {
            silent(&verdict, Status::Inconclusive);
        }
    }
}

#[test]
fn what_is_surely_done_to_other_services_makes_the_one_that_matters_no_surer() {
    for (essential, confidence) in [
        ([false, true], Confidence::Likely),
        ([true, true], Confidence::Likely),
        ([true, false], Confidence::Confirmed),
    ] {
        let mut world = World::reachable();
        world.matrix(Cell::Reset, Cell::Answer, Cell::Reset, Cell::Answer, 3);
        // Four addresses that never answer: they may all be down.
        let addresses = ["93.184.1.1", "93.184.2.1", "93.184.3.1", "151.101.1.1"];
        let chat = Endpoint {
            id: "tcp://chat".to_owned(),
            host: None,
            addresses: addresses.map(|it| it.parse().unwrap()).to_vec(),
            ..endpoint(Protocol::Tcp, 5222)
        };
        for (address, trial) in addresses
            .iter()
            .flat_map(|it| (1..=3).map(move |at| (it, at)))
        {
            let mut check = climb_check("target", &chat, address, Role::Target);
            if trial > 1 {
                check.contrast = Some(Contrast {
                    of: check.id.clone(),
                    varies: Variation::Nothing,
                });
                check.id = format!("{}/again#{trial}", check.id);
                check.trial = trial;
            }
            let lost = step(Operation::TcpConnect, Some(Failure::GenericTimeout));
            world.push(check, vec![lost]);
        }
        let services = &mut world.catalog.targets[0].services;
        services[0].essential = essential[0];
        let mut service = services[0].clone();
        service.id = "chat".to_owned();
        service.essential = essential[1];
        service.endpoints = vec![chat];
        services.push(service);
        let verdict = world.judge();
        assert_eq!(ids(&verdict), ["address/drop", "server_name/reset"]);
        assert_eq!(verdict.status, Status::Blocked);
        assert_eq!(verdict.confidence, confidence);
    }
}

#[test]
fn a_known_block_page_in_a_protocols_place_is_named() {
    let mut world = in_noise();
    let page = "HTTP/1.1 302 Found\\u{d}\\u{a}Location: http://warning.provider.example/?id=1";
    world.climb_again(HONEST, 1, answered_by(page));
    let verdict = world.judge();
    assert_eq!(ids(&verdict), ["address_port/blockpage"]);
    assert_eq!(verdict.status, Status::Blocked);
}

#[test]
fn an_unknown_page_in_a_protocols_place_may_be_the_servers() {
    let mut world = in_noise();
    world.climb_again(HONEST, 1, answered_by("HTTP/1.1 400 Bad Request"));
    silent(&world.judge(), Status::Inconclusive);
}

#[test]
fn a_box_that_resets_and_then_swallows_is_one_box() {
    let mut world = World::reachable();
    world.matrix(Cell::Reset, Cell::Silence, Cell::Reset, Cell::Answer, 1);
    for trial in 2..=3 {
        world.climb_again(HONEST, trial, Cell::Silence.last());
        let control = CONTROLS[trial as usize - 1];
        world.contrast(control, Variation::Both, trial, Cell::Answer.last());
        world.contrast(control, Variation::Address, trial, Cell::Reset.last());
    }
    let verdict = world.judge();
    assert_eq!(ids(&verdict), ["server_name/reset"]);
    assert!(verdict.techniques[0].doubt.is_some());
}

#[test]
fn silence_that_is_later_a_reset_agrees_with_nothing() {
    let mut world = World::reachable();
    world.matrix(Cell::Silence, Cell::Answer, Cell::Silence, Cell::Answer, 2);
    world.climb_again(HONEST, 3, Cell::Reset.last());
    silent(&world.judge(), Status::Inconclusive);
}

#[test]
fn a_run_cut_short_before_anything_essential_was_measured_says_nothing_of_it() {
    let mut world = World::reachable();
    let spare = Service {
        id: "spare".to_owned(),
        essential: false,
        ..world.catalog.targets[0].services[0].clone()
    };
    let mut main = spare.clone();
    "main".clone_into(&mut main.id);
    main.essential = true;
    main.endpoints[0].id = "https://elsewhere.example/".to_owned();
    main.endpoints[0].host = Some("elsewhere.example".to_owned());
    world.catalog.targets[0].services = vec![spare, main];
    world.climb(HONEST, proven());
    silent(&world.judge(), Status::Inconclusive);
}

#[test]
fn on_a_line_that_loses_connection_attempts_silence_says_nothing() {
    let losing = |again: u32| {
        let mut world = World::reachable();
        world.matrix(Cell::Silence, Cell::Answer, Cell::Silence, Cell::Answer, 3);
        for observation in &mut world.observations {
            for step in &mut observation.steps {
                if step.operation == Operation::TcpConnect {
                    step.tcp = Some(Box::new(TcpFacts {
                        retransmits: Some(again),
                        ..TcpFacts::default()
                    }));
                }
            }
        }
        world.judge()
    };
    silent(&losing(1), Status::Inconclusive);
    assert_eq!(ids(&losing(0)), ["server_name/drop"]);
}

/// A first message of this protocol that was answered, and what the answer says; how far it proves itself.
fn answered(protocol: Protocol, stage: Stage, says: &[(&str, &str)]) -> World {
    let mut world = World::reachable();
    let asked = endpoint(protocol, 443);
    let mut check = climb_check("target", &asked, HONEST, Role::Target);
    let Ask::Climb(climb) = &mut check.ask else {
        unreachable!("a climb");
    };
    climb.noise_root = (protocol == Protocol::WhatsappNoise).then(|| "77".repeat(32));
    world.catalog.targets[0].services[0].endpoints = vec![asked];
    let says = says.iter();
    let exchange = Step {
        exchange: Some(Box::new(ExchangeFacts {
            received_bytes: 300,
            stage,
            says: says
                .map(|(name, words)| ((*name).to_owned(), (*words).to_owned()))
                .collect(),
            ..ExchangeFacts::default()
        })),
        ..step(Operation::Exchange, None)
    };
    world.push(check, vec![step(Operation::TcpConnect, None), exchange]);
    world
}

#[test]
fn who_speaks_the_protocol_and_is_vouched_for_by_nobody_works_and_is_doubted() {
    use Protocol::{MtprotoAbridged as Telegram, WhatsappNoise as WhatsApp};
    let other_root = [("chain", "the root key did not sign the intermediate")];
    let cases: [(_, _, &[_], _); 7] = [
        // Nothing of ours is repeated.
        (
            Telegram,
            Stage::Parsed,
            &[("error", "-404")],
            Some("another server can send the same"),
        ),
        (WhatsApp, Stage::Bound, &other_root, Some("The known root")),
        // The root did sign it: a wrong clock here says nothing of who answers.
        (
            WhatsApp,
            Stage::Bound,
            &[("chain", "a certificate is not valid now")],
            None,
        ),
        (WhatsApp, Stage::Authentic, &[], None),
        (
            Telegram,
            Stage::Bound,
            &[("known_key", "none")],
            Some("no known Telegram key"),
        ),
        (Telegram, Stage::Bound, &[("known_key", "production")], None),
        // Definitions that name no root key ask for no such proof.
        (Protocol::MaxBinary, Stage::Bound, &other_root, None),
    ];
    for (protocol, stage, says, doubt) in cases {
        let verdict = answered(protocol, stage, says).judge();
        silent(&verdict, Status::Accessible);
        let endpoint = &verdict.services[0].endpoints[0];
        assert_eq!(endpoint.status, EndpointStatus::Accessible, "{says:?}");
        let reason = verdict.reason.as_deref();
        let confidence = if doubt.is_some() {
            assert!(
                reason.is_some_and(|it| it.starts_with("web: The ") && it.contains("server")),
                "{reason:?}"
            );
            Confidence::Likely
        } else {
            assert_eq!(reason, None);
            Confidence::Confirmed
        };
        assert_eq!(verdict.confidence, confidence, "{says:?}");
        assert!(doubt.is_none_or(|doubt| reason.is_some_and(|it| it.contains(doubt))));
    }
}

#[test]
fn in_a_pool_one_server_that_is_vouched_for_is_enough() {
    for (is_pool, by_place, is_doubted) in [
        (true, false, false),
        (false, false, true),
        // Both stand at the same host.
        (false, true, false),
    ] {
        let known = [("known_key", "production")];
        let mut world = answered(Protocol::MtprotoAbridged, Stage::Bound, &known);
        let strange = [("known_key", "none")];
        let other = answered(Protocol::MtprotoAbridged, Stage::Bound, &strange);
        let mut stranger = other.observations.last().unwrap().clone();
        stranger.check.endpoints = vec!["stranger".to_owned()];
        stranger.check.id.push_str("/stranger");
        if let Ask::Climb(climb) = &mut stranger.check.ask {
            climb.address.set_port(5222);
        }
        world.push(stranger.check, stranger.steps);
        let service = &mut world.catalog.targets[0].services[0];
        (service.pool, service.by_place) = (is_pool, by_place);
        service.endpoints.push(Endpoint {
            id: "stranger".to_owned(),
            ..endpoint(Protocol::MtprotoAbridged, 5222)
        });
        let verdict = world.judge();
        silent(&verdict, Status::Accessible);
        assert_eq!(verdict.reason.is_some(), is_doubted, "{verdict:#?}");
        assert_eq!(verdict.confidence == Confidence::Likely, is_doubted);
    }
}

#[test]
fn whom_tls_proves_needs_no_other_key() {
    let strange = [("known_key", "none")];
    let mut world = answered(Protocol::MtprotoWebsocket, Stage::Bound, &strange);
    let steps = &mut world.observations.last_mut().unwrap().steps;
    steps.insert(1, proven().step());
    let verdict = world.judge();
    assert_eq!(
        (verdict.confidence, verdict.reason),
        (Confidence::Confirmed, None)
    );
}
