//! Resolvers with which one transport is interfered, and lines on which only a list passes.

use blockprobe::model::catalog::{Protocol, ResolverRole, Transport};
use blockprobe::model::check::{Check, Contrast, Role, Round, Variation};
use blockprobe::model::failure::Failure;
use blockprobe::model::observation::{Operation, Step, TcpFacts};
use blockprobe::model::report::{Confidence, Regime, ResolverReport, Status};

use crate::world::{
    CONTROL, Cell, World, dns, in_turn, lost as lost_question, observation, query, reply, resolve,
    resolver, step,
};

/// An open line, and an operator `one` who is asked by UDP and by DoT.
fn world() -> World {
    let mut world = World::new();
    for (id, transport) in [("one/udp", Transport::Udp), ("one/dot", Transport::Dot)] {
        let mut one = resolver(id, ResolverRole::Public, transport);
        "one".clone_into(&mut one.operator);
        one.server_name = Some("dns.one.example".to_owned());
        world.catalog.resolvers.push(one);
    }
    world
}

fn push(world: &mut World, check: Check, steps: Vec<Step>) {
    let id = format!("o{}", 1000 + world.ground.len());
    world.ground.push(observation(id, check, steps));
}

/// The first question by DoT, which ended with this step, and its repetitions.
fn dot(world: &mut World, last: impl Fn() -> Step, trials: u32) {
    for trial in 1..=trials {
        let mut check = query("ground", "one/dot", CONTROL, Role::Control, 1);
        if trial > 1 {
            check = contrast(&check, Variation::Nothing, trial);
        }
        let mut steps = Vec::new();
        if last().operation != Operation::TcpConnect {
            steps.push(step(Operation::TcpConnect, None));
        }
        steps.push(last());
        push(world, check, steps);
    }
}

fn contrast(of: &Check, varies: Variation, trial: u32) -> Check {
    let mut climb = climb();
    if matches!(varies, Variation::Address | Variation::Both) {
        climb.address = format!("198.41.1.{trial}:443").parse().unwrap();
    }
    Check {
        id: format!("{}/{varies:?}#{trial}", of.id),
        role: if varies == Variation::Nothing {
            Role::Target
        } else {
            Role::Control
        },
        round: Round::Contrast,
        trial,
        contrast: Some(Contrast {
            of: of.id.clone(),
            varies,
        }),
        ask: blockprobe::model::check::Ask::Climb(climb),
        ..of.clone()
    }
}

fn climb() -> blockprobe::model::check::Climb {
    let endpoint = crate::world::endpoint(blockprobe::model::catalog::Protocol::Tls, 853);
    let check = crate::world::climb_check("ground", &endpoint, "203.0.113.7", Role::Target);
    match check.ask {
        blockprobe::model::check::Ask::Climb(climb) => climb,
        _ => unreachable!("a climb was made"),
    }
}

fn reported(world: &World) -> ResolverReport {
    let ground = world.ground();
    let mut resolvers = ground.resolvers.into_iter();
    resolvers
        .find(|it| it.transport == Transport::Dot)
        .expect("it was asked")
}

fn lost() -> Step {
    step(Operation::TcpConnect, Some(Failure::GenericTimeout))
}

#[test]
fn a_transport_that_is_silent_beside_one_that_answers_is_named_and_doubted() {
    for (last, technique) in [
        (Failure::GenericTimeout, "resolver/drop"),
        (Failure::ConnectionReset, "resolver/reset"),
    ] {
        let mut world = world();
        world.control("one/udp", 1);
        dot(
            &mut world,
            || step(Operation::TcpConnect, Some(last.clone())),
            3,
        );
        let reported = reported(&world);
        assert_eq!(reported.status, Status::Blocked);
        assert_eq!(reported.techniques[0].id, technique);
        assert_eq!(reported.techniques[0].confidence, Confidence::Likely);
        let doubt = reported.techniques[0].doubt.as_deref().unwrap();
        assert!(doubt.contains("firewall"), "{doubt}");
    }
}

#[test]
fn on_a_line_that_loses_one_connection_in_five_a_silent_transport_says_nothing() {
    for (last, again, is_named) in [
        (Failure::GenericTimeout, 2, true),
        (Failure::GenericTimeout, 8, false),
        // Nobody resets for want of a line.
        (Failure::ConnectionReset, 8, true),
    ] {
        let mut world = world();
        world.connections(20, again);
        world.control("one/udp", 1);
        let failed = || step(Operation::TcpConnect, Some(last.clone()));
        dot(&mut world, failed, 3);
        assert_eq!(
            !reported(&world).techniques.is_empty(),
            is_named,
            "{last:?} {again}"
        );
    }
}

#[test]
fn a_resolver_that_is_silent_over_udp_is_named_where_the_line_loses_little_of_it() {
    let reported = |again: usize, beside: &[bool]| {
        let mut world = world();
        world.control("one/dot", 1);
        world.loss(again);
        let silence = || resolve(lost_question(), Some(Failure::GenericTimeout));
        for trial in 1..=3 {
            let check = query("ground", "one/udp", CONTROL, Role::Control, trial);
            push(&mut world, check, vec![silence()]);
        }
        let of = query("ground", "one/udp", CONTROL, Role::Control, 1);
        for (trial, is_answered) in (2..).zip(beside) {
            let mut check = query("ground", "isp", CONTROL, Role::Control, trial);
            check.id = format!("beside#{trial}");
            check.contrast = Some(Contrast {
                of: of.id.clone(),
                varies: Variation::Address,
            });
            let answer = resolve(dns(&[reply(0, &["198.41.0.4"])], &[]), None);
            let step = if *is_answered { answer } else { silence() };
            push(&mut world, check, vec![step]);
        }
        let resolvers = world.ground().resolvers;
        let is_asked = |it: &ResolverReport| it.name == "one/udp";
        resolvers.into_iter().find(is_asked).unwrap()
    };
    for again in [0, 6] {
        let reported = reported(again, &[true, true]);
        assert_eq!(reported.techniques[0].id, "resolver/drop");
        assert!(reported.techniques[0].doubt.is_some());
    }
    // Nothing shows that the line let datagrams pass meanwhile: it may be cut again and again.
    for beside in [&[][..], &[true], &[false, false], &[true, false]] {
        assert!(reported(0, beside).techniques.is_empty(), "{beside:?}");
    }
    for again in [20, 26] {
        let reported = reported(again, &[true, true]);
        assert!(reported.techniques.is_empty(), "{reported:?}");
        assert_eq!(reported.status, Status::Inconclusive);
    }
}

/// A resolver whose name is reset at home, passes in pieces, and meets nothing at controls, where an innocuous one meets this.
fn reset_by_name(innocuous: Cell, trials: u32) -> World {
    let mut world = world();
    world.control("one/udp", 1);
    dot(&mut world, || Cell::Reset.last().step(), 3);
    let of = query("ground", "one/dot", CONTROL, Role::Control, 1);
    let mut add = |varies, cell: Cell, trial| {
        let steps = vec![step(Operation::TcpConnect, None), cell.last().step()];
        push(&mut world, contrast(&of, varies, trial), steps);
    };
    for trial in 1..=3 {
        for varies in [Variation::ServerName, Variation::Split, Variation::Address] {
            add(varies, Cell::Answer, trial);
        }
    }
    for trial in 1..=trials {
        add(Variation::Both, innocuous, trial);
    }
    in_turn(&mut world.ground);
    world
}

#[test]
fn a_resolvers_name_that_passes_in_pieces_is_interfered_with_beyond_doubt() {
    let reported = reported(&reset_by_name(Cell::Answer, 3));
    assert_eq!(reported.techniques[0].id, "resolver/reset");
    assert_eq!(reported.techniques[0].confidence, Confidence::Confirmed);
    assert_eq!(reported.techniques[0].doubt, None);
}

#[test]
fn a_resolver_is_reset_where_controls_are_by_their_own_names_and_innocuous_ones_pass_there() {
    for (case, (met, innocuous, strays, is_named)) in [
        (2, 3, 0, true),
        // One of them meets it too, or too few were asked: then everybody may be reset here.
        (2, 3, 1, false),
        (2, 2, 0, false),
        // Few controls meet it.
        (1, 2, 0, true),
        (1, 3, 1, true),
    ]
    .into_iter()
    .enumerate()
    {
        let mut world = reset_by_name(Cell::Answer, innocuous);
        let of = query("ground", "one/dot", CONTROL, Role::Control, 1);
        for trial in 10..10 + strays {
            let steps = vec![step(Operation::TcpConnect, None), Cell::Reset.last().step()];
            push(&mut world, contrast(&of, Variation::Both, trial), steps);
        }
        world.strangers(Protocol::Tls, 6, met, &Cell::Reset.last().step());
        let reported = reported(&world);
        assert_eq!(!reported.techniques.is_empty(), is_named, "{case}");
        let status = if is_named {
            Status::Blocked
        } else {
            Status::Inconclusive
        };
        assert_eq!(reported.status, status, "{case}");
    }
}

#[test]
fn a_resolver_is_silent_as_everybody_is_where_a_quarter_of_the_controls_are() {
    for (operation, met, is_named) in [
        (Operation::TcpConnect, 1, true),
        (Operation::TcpConnect, 2, false),
        (Operation::TlsHandshake, 2, false),
    ] {
        let mut world = world();
        world.control("one/udp", 1);
        dot(&mut world, lost, 3);
        let last = step(operation, Some(Failure::GenericTimeout));
        world.strangers(Protocol::Tls, 6, met, &last);
        let named = reported(&world).techniques;
        assert_eq!(!named.is_empty(), is_named, "{operation:?} {met}");
    }
}

#[test]
fn innocuous_names_beside_other_resolvers_tell_of_chance_too() {
    for (strays, confidence) in [
        (0, Some(Confidence::Confirmed)),
        (1, Some(Confidence::Likely)),
        (2, None),
    ] {
        let mut world = reset_by_name(Cell::Answer, 3);
        let other = query("ground", "other/dot", CONTROL, Role::Control, 1);
        for trial in 10..10 + strays {
            let steps = vec![step(Operation::TcpConnect, None), Cell::Reset.last().step()];
            push(&mut world, contrast(&other, Variation::Both, trial), steps);
        }
        let named = reported(&world).techniques;
        let told = named.first();
        assert_eq!(told.map(|it| it.confidence), confidence);
        let doubt = told.and_then(|it| it.doubt.as_deref());
        assert_eq!(doubt.is_some_and(|it| it.contains("chance")), strays == 1);
    }
}

#[test]
fn pieces_that_come_and_go_beside_an_innocuous_name_that_was_met_make_it_chance() {
    for (pieces, is_named) in [
        ([Cell::Reset; 3], true),
        ([Cell::Answer; 3], true),
        ([Cell::Reset, Cell::Answer, Cell::Reset], false),
    ] {
        let mut world = reset_by_name(Cell::Answer, 3);
        let other = query("ground", "other/dot", CONTROL, Role::Control, 1);
        let met = vec![step(Operation::TcpConnect, None), Cell::Reset.last().step()];
        push(&mut world, contrast(&other, Variation::Both, 10), met);
        let of = query("ground", "one/dot", CONTROL, Role::Control, 1);
        world.ground.retain(|it| {
            let contrast = it.check.contrast.as_ref();
            contrast.is_none_or(|it| it.varies != Variation::Split)
        });
        for (trial, piece) in (1..).zip(pieces) {
            let steps = vec![step(Operation::TcpConnect, None), piece.last().step()];
            push(&mut world, contrast(&of, Variation::Split, trial), steps);
        }
        assert_eq!(!reported(&world).techniques.is_empty(), is_named);
    }
}

#[test]
fn a_resolver_that_is_cut_off_whatever_is_said_to_it_is_cut_off_each_time() {
    for (pieces, is_named) in [
        ([Cell::Reset, Cell::Reset, Cell::Reset], true),
        ([Cell::Reset, Cell::Answer, Cell::Reset], false),
    ] {
        let mut world = world();
        world.control("one/udp", 1);
        dot(&mut world, || Cell::Reset.last().step(), 3);
        let of = query("ground", "one/dot", CONTROL, Role::Control, 1);
        for (trial, piece) in (1..).zip(pieces) {
            for (varies, cell) in [
                (Variation::ServerName, Cell::Reset),
                (Variation::Split, piece),
                (Variation::Both, Cell::Answer),
            ] {
                let steps = vec![step(Operation::TcpConnect, None), cell.last().step()];
                push(&mut world, contrast(&of, varies, trial), steps);
            }
        }
        assert_eq!(!reported(&world).techniques.is_empty(), is_named);
    }
}

#[test]
fn a_resolver_whose_address_is_answered_by_somebody_else_is_no_sign_that_it_is_up() {
    for (is_hijacked, is_named) in [(false, true), (true, false)] {
        let mut world = world();
        world.control("one/udp", 1);
        dot(&mut world, lost, 3);
        if is_hijacked {
            for trial in 1..=3 {
                world.control("decoy", trial);
            }
        }
        assert_eq!(!reported(&world).techniques.is_empty(), is_named);
    }
}

#[test]
fn a_resolver_that_answers_at_another_address_alone_may_have_a_road_that_is_down() {
    for (last, is_named) in [
        (Failure::GenericTimeout, false),
        (Failure::ConnectionRefused, false),
        // Whoever resets a connection is no road.
        (Failure::ConnectionReset, true),
    ] {
        let mut world = world();
        world.control("one/udp", 1);
        for resolver in &mut world.catalog.resolvers {
            if resolver.transport == Transport::Dot {
                resolver.address = "203.0.113.99:853".parse().unwrap();
            }
        }
        let failed = || step(Operation::TcpConnect, Some(last.clone()));
        dot(&mut world, failed, 3);
        // Others fail so too: one that refuses alone may have been stopped.
        for id in ["two/dot", "three/dot"] {
            let other = resolver(id, ResolverRole::Public, Transport::Dot);
            world.catalog.resolvers.push(other);
            let check = query("ground", id, CONTROL, Role::Control, 1);
            push(&mut world, check, vec![failed()]);
        }
        let named = reported(&world).techniques;
        assert_eq!(!named.is_empty(), is_named, "{last:?}");
    }
}

#[test]
fn a_transport_that_one_operator_refuses_may_be_stopped_and_three_are_not() {
    for operators in [1, 3] {
        let mut world = world();
        world.control("one/udp", 1);
        let refused = || step(Operation::TcpConnect, Some(Failure::ConnectionRefused));
        dot(&mut world, refused, 3);
        for other in 1..operators {
            let id = format!("other{other}/dot");
            let resolver = resolver(&id, ResolverRole::Public, Transport::Dot);
            world.catalog.resolvers.push(resolver);
            let check = query("ground", &id, CONTROL, Role::Control, 1);
            push(&mut world, check, vec![refused()]);
        }
        let ids: Vec<String> = reported(&world)
            .techniques
            .into_iter()
            .map(|it| it.id)
            .collect();
        let named: &[&str] = if operators == 3 {
            &["resolver/refuse"]
        } else {
            &[]
        };
        assert_eq!(ids, named);
    }
}

#[test]
fn a_resolver_of_which_nothing_answers_is_down() {
    let mut world = world();
    dot(&mut world, lost, 3);
    let reported = reported(&world);
    assert!(reported.techniques.is_empty());
    assert_eq!(reported.status, Status::Inconclusive);
}

#[test]
fn a_family_that_does_not_work_here_blames_no_resolver() {
    let mut world = world();
    world.control("one/udp", 1);
    for resolver in &mut world.catalog.resolvers {
        if resolver.transport == Transport::Dot {
            resolver.address = "[2001:db8::7]:853".parse().unwrap();
        }
    }
    dot(&mut world, lost, 3);
    assert!(reported(&world).techniques.is_empty());
}

#[test]
fn a_transport_that_failed_once_names_nothing() {
    let mut world = world();
    world.control("one/udp", 1);
    dot(&mut world, lost, 1);
    assert!(reported(&world).techniques.is_empty());
}

#[test]
fn a_genuine_alert_of_a_resolver_names_nothing() {
    let mut world = world();
    world.control("one/udp", 1);
    dot(&mut world, || Cell::Alert(40).last().step(), 3);
    assert!(reported(&world).techniques.is_empty());
}

#[test]
fn a_local_firewall_is_no_interference() {
    let mut world = world();
    world.control("one/udp", 1);
    let own = || {
        let mut step = step(Operation::TcpConnect, Some(Failure::ConnectionRefused));
        step.tcp = Some(Box::new(TcpFacts {
            icmp: vec![blockprobe::model::observation::IcmpError {
                kind: 3,
                code: 3,
                offender: Some("[scrubbed]".to_owned()),
                offender_is_own: true,
            }],
            ..TcpFacts::default()
        }));
        step
    };
    dot(&mut world, own, 3);
    assert!(reported(&world).techniques.is_empty());
}

#[test]
fn a_line_of_which_only_a_list_passes_is_told_at_the_vantage_with_its_doubt() {
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
    let ground = world.ground();
    assert_eq!(ground.regime, Regime::AllowList);
    assert_eq!(ground.techniques[0].id, "everything/drop");
    assert_eq!(ground.techniques[0].confidence, Confidence::Likely);
    assert!(ground.techniques[0].doubt.is_some());
    assert!(World::new().ground().techniques.is_empty());
}
