//! Some of many roads, some of many handshakes: what may be those by chance names nothing, and what hardly can be is told.

use blockprobe::model::catalog::Protocol;
use blockprobe::model::check::{Ask, Contrast, Role, Variation};
use blockprobe::model::observation::{Observation, Operation, Step};
use blockprobe::model::report::{Confidence, Verdict};

use crate::roads::{End, dead, expect, expect_routes_may_be_withdrawn, lost, refused, unreachable};
use crate::world::{Cell, HONEST, World, climb_check, ids, in_turn, proven, step};

// ---- roads ------------------------------------------------------------------------------------------------------------

/// Where the silent addresses of a target are.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Lie {
    /// In one service and one network with those that answer.
    Among,
    /// In a service of their own.
    InAService,
    /// The same, with one in it that answers.
    InPart,
    /// In a network of their own.
    InANetwork,
    /// Among those that answer over IPv6.
    InAFamily,
}

/// A target of which so many addresses are silent and so many answer, beside thirteen controls of which so many are silent.
fn roads(silent: usize, answering: usize, controls: usize, lie: Lie) -> World {
    let mut world = World::reachable();
    world.observations.clear();
    world.more_names(1);
    if matches!(lie, Lie::InAService | Lie::InPart) {
        let mut other = world.catalog.targets[0].services[0].clone();
        "calls".clone_into(&mut other.id);
        other.endpoints.remove(0);
        let services = &mut world.catalog.targets[0].services;
        services[0].endpoints.truncate(1);
        services.push(other);
    }
    let around = match lie {
        Lie::InANetwork => "93.184.217",
        _ => "93.184.216",
    };
    let addresses: Vec<String> = (0..silent).map(|at| format!("{around}.{at}")).collect();
    let services = world.catalog.targets[0].services.iter_mut();
    let other = services.flat_map(|it| &mut it.endpoints).nth(1).unwrap();
    other.host = None;
    other.addresses = addresses.iter().map(|it| it.parse().unwrap()).collect();
    let target = world.catalog.targets[0].clone();
    let endpoints: Vec<_> = target
        .services
        .iter()
        .flat_map(|it| &it.endpoints)
        .collect();
    for address in &addresses {
        let check = climb_check("target", endpoints[1], address, Role::Target);
        for trial in 1..=3 {
            let mut again = check.clone();
            if trial > 1 {
                again.id = format!("{}#{trial}", check.id);
                again.trial = trial;
                again.contrast = Some(Contrast {
                    of: check.id.clone(),
                    varies: Variation::Nothing,
                });
            }
            world.push(again, vec![lost()]);
        }
    }
    for at in 0..answering {
        let address = match lie {
            Lie::InAFamily => format!("2001:db8::{at:x}"),
            _ => format!("93.184.216.{}", 100 + at),
        };
        let of = usize::from(lie == Lie::InPart && at == 0);
        let check = climb_check("target", endpoints[of], &address, Role::Target);
        let steps = vec![step(Operation::TcpConnect, None), proven().step()];
        world.push(check, steps);
    }
    world.strangers(Protocol::Tcp, 11, controls, &lost());
    apart(&mut world);
    world
}

/// Every stranger stands at an address of its own.
fn apart(world: &mut World) {
    for (at, observation) in world.ground.iter_mut().enumerate() {
        if let Ask::Climb(climb) = &mut observation.check.ask
            && climb.address.ip().to_string() == "198.41.7.7"
        {
            climb.address = format!("198.41.{at}.7:443").parse().unwrap();
        }
    }
}

/// What is told of the endpoint whose addresses are silent.
fn reason_of(verdict: &Verdict) -> String {
    let mut endpoints = verdict.services.iter().flat_map(|it| &it.endpoints);
    let failed = endpoints.nth(1).and_then(|it| it.reason.clone());
    failed.unwrap_or_default()
}

#[test]
fn silent_addresses_that_lie_among_others_as_chance_would_have_it_name_nothing() {
    use Lie::{Among, InAFamily, InANetwork, InAService, InPart};
    for (silent, answering, controls, lie, is_named) in [
        // All of them, and a control or two: four are beyond chance, one control in four is everybody.
        (4, 0, 1, Among, true),
        (4, 0, 2, Among, true),
        (4, 0, 4, Among, false),
        // Some of them, and none of the controls, or one.
        (12, 6, 1, Among, false),
        (14, 4, 1, Among, true),
        (4, 18, 0, Among, true),
        // All of a service, or of a network, is no chance beside one control; some of it may be.
        (5, 18, 1, InAService, false),
        (14, 18, 1, InAService, true),
        (14, 18, 1, InPart, false),
        (18, 18, 2, InAService, false),
        (14, 18, 1, InANetwork, true),
        (14, 18, 1, Among, false),
        // IPv6 says nothing of IPv4.
        (6, 6, 1, InAFamily, true),
        (6, 6, 1, Among, false),
    ] {
        let verdict = roads(silent, answering, controls, lie).judge();
        let named: &[&str] = if is_named { &["address/drop"] } else { &[] };
        let case = format!("{silent} {answering} {controls}");
        assert_eq!(ids(&verdict), named, "{case}");
        let reason = reason_of(&verdict);
        let is_told = reason.contains("may be chance");
        assert_eq!(
            is_told,
            !is_named && controls < 4 && lie != InPart,
            "{case}: {reason}"
        );
    }
}

#[test]
fn a_few_addresses_among_others_may_have_roads_that_are_down_where_no_control_tells() {
    for (silent, answering, lie, is_doubted) in [
        (4, 18, Lie::Among, true),
        (14, 2, Lie::Among, false),
        (5, 0, Lie::Among, false),
        (4, 18, Lie::InAService, false),
        (4, 18, Lie::InANetwork, false),
    ] {
        let verdict = roads(silent, answering, 0, lie).judge();
        assert_eq!(ids(&verdict), ["address/drop"]);
        let doubt = verdict.techniques[0].doubt.as_deref().unwrap();
        let case = format!("{silent} {answering}: {doubt}");
        assert_eq!(
            doubt.contains("to none of 13 controls"),
            is_doubted,
            "{case}"
        );
    }
}

#[test]
fn addresses_that_are_turned_down_as_controls_are_name_nothing_either() {
    let turned = [
        (End::Refused(3), "address/refuse"),
        (End::Told(3, 1), "address/unreachable"),
    ];
    for (end, technique) in turned {
        let failed: fn() -> Step = match end {
            End::Refused(_) => refused,
            _ => unreachable,
        };
        let scene = |controls| {
            let mut world = dead(failed, [(end, 2); 3]);
            world.strangers(Protocol::Tcp, 11, controls, &failed());
            apart(&mut world);
            stand_beside(&mut world);
            world
        };
        expect(&scene(0), technique, Confidence::Likely);
        let verdict = scene(1).judge();
        assert!(ids(&verdict).is_empty(), "{technique}");
        let endpoint = &verdict.services[0].endpoints[0];
        let reason = endpoint.reason.as_deref().unwrap_or_default();
        assert!(reason.contains("may be chance"), "{technique}: {reason}");
    }
}

#[test]
fn roads_that_end_at_one_hop_are_no_proof_where_a_few_of_many_do() {
    // Packets to four addresses vanish at one hop: a router's dead branch does so, too.
    let mut world = dead(lost, [(End::Never, 2); 3]);
    expect_routes_may_be_withdrawn(&world, "address/drop");
    world.strangers(Protocol::Tcp, 8, 0, &lost());
    stand_beside(&mut world);
    let verdict = expect(&world, "address/drop", Confidence::Likely);
    let doubt = verdict.techniques[0].doubt.as_deref().unwrap();
    assert!(doubt.contains("4 of 15 addresses"), "{doubt}");
}

/// Eleven more addresses of the target's service, which answer.
fn stand_beside(world: &mut World) {
    let service = &mut world.catalog.targets[0].services[0];
    let mut other = service.endpoints[0].clone();
    "target/other".clone_into(&mut other.id);
    service.endpoints.push(other.clone());
    for at in 1..12 {
        let address = format!("93.184.{at}.200");
        let check = climb_check("target", &other, &address, Role::Target);
        let steps = vec![step(Operation::TcpConnect, None), proven().step()];
        world.push(check, steps);
    }
}

#[test]
fn controls_on_odd_ports_that_a_firewall_shuts_for_everybody_do_not_count() {
    for (port, is_named) in [(443, false), (5228, true)] {
        // Seven of ten addresses, and one control of thirteen.
        let mut world = roads(7, 3, 1, Lie::Among);
        let mut controls = world.catalog.controls.iter_mut();
        let silent = controls.find(|it| it.id == "stranger0").unwrap();
        silent.endpoint.port = port;
        for observation in &mut world.ground {
            if let Ask::Climb(climb) = &mut observation.check.ask
                && observation
                    .check
                    .endpoints
                    .iter()
                    .any(|it| it == "stranger0")
            {
                climb.address.set_port(port);
            }
        }
        assert_eq!(!ids(&world.judge()).is_empty(), is_named, "{port}");
    }
}

#[test]
fn controls_that_are_silent_over_ipv6_say_nothing_of_ipv4() {
    for (address, is_named) in [("93.184.9.9:443", false), ("[2001:db8::9]:443", true)] {
        // Seven of ten addresses, and a second address of a control that stands at its first.
        let mut world = roads(7, 3, 0, Lie::Among);
        let mut second = world.ground.last().unwrap().clone();
        if let Ask::Climb(climb) = &mut second.check.ask {
            climb.address = address.parse().unwrap();
        }
        second.check.id += "/second";
        second.steps = vec![lost()];
        world.ground.push(second);
        assert_eq!(!ids(&world.judge()).is_empty(), is_named, "{address}");
    }
}

#[test]
fn an_address_that_stands_on_another_port_has_no_road_that_is_down() {
    let mut world = roads(4, 8, 1, Lie::Among);
    assert!(reason_of(&world.judge()).contains("4 of 12"));
    // The first of them stands on port 80.
    let firsts: Vec<Observation> = world
        .observations
        .iter()
        .step_by(3)
        .take(1)
        .cloned()
        .collect();
    for mut other in firsts {
        if let Ask::Climb(climb) = &mut other.check.ask {
            climb.address.set_port(80);
        }
        other.check.id += ", another port";
        other.check.endpoints.clear();
        world.push(other.check, vec![step(Operation::TcpConnect, None)]);
    }
    let reason = reason_of(&world.judge());
    assert!(!reason.contains("chance"), "{reason}");
}

// ---- handshakes -------------------------------------------------------------------------------------------------------

/// A name that is met so at home and at so many controls, three times each, with an innocuous one that passes everywhere.
fn named(cell: Cell, controls: u32) -> World {
    let mut world = World::reachable();
    for trial in 1..=3 {
        world.climb_again(HONEST, trial, cell.last());
    }
    world.row(Variation::ServerName, Cell::Answer);
    for trial in 1..=controls {
        let control = format!("198.41.0.{trial}");
        world.contrast(&control, Variation::Both, trial, Cell::Answer.last());
        world.contrast(&control, Variation::Address, trial, cell.last());
    }
    world
}

/// Innocuous handshakes at a control of their own.
fn innocuous(world: &mut World, cells: &[Cell]) {
    for (trial, cell) in (10..).zip(cells) {
        world.contrast("198.41.9.9", Variation::Both, trial, cell.last());
    }
}

/// The last observations happen then, seconds.
fn last_at(observations: &mut [Observation], began: f64, ended: f64) {
    let last = observations.last_mut().unwrap();
    for step in &mut last.steps {
        (step.t0, step.t) = (began, ended);
    }
}

#[test]
fn a_name_that_met_it_at_few_controls_and_passes_at_times_in_pieces_is_chance_where_another_was_lost()
 {
    for (controls, pieces, strays, is_named) in [
        (2, [Cell::Answer; 3], 1, true),
        (2, [Cell::Reset; 3], 1, true),
        (2, [Cell::Reset, Cell::Answer, Cell::Answer], 0, true),
        (2, [Cell::Reset, Cell::Answer, Cell::Answer], 1, false),
        // One control alone may be an accident, where the innocuous name was met so at another.
        (1, [Cell::Answer; 3], 0, true),
        (1, [Cell::Answer; 3], 1, false),
        (3, [Cell::Reset, Cell::Answer, Cell::Answer], 1, true),
    ] {
        for row in [Variation::Split, Variation::Shape] {
            let mut world = named(Cell::Reset, controls);
            for (trial, cell) in (1..).zip(pieces) {
                world.contrast(HONEST, row, trial, cell.last());
            }
            in_turn(&mut world.observations);
            innocuous(&mut world, &vec![Cell::Reset; strays]);
            let named: &[&str] = if is_named {
                &["server_name/reset"]
            } else {
                &[]
            };
            assert_eq!(ids(&world.judge()), named, "{controls} {row:?}");
        }
    }
}

#[test]
fn where_many_controls_are_met_so_little_is_chance_with_any_innocuous_name_that_was() {
    for (hits, controls, is_named) in [(2, 1, true), (2, 2, false), (3, 2, true)] {
        let mut world = named(Cell::Reset, hits);
        in_turn(&mut world.observations);
        // Ten innocuous names passed at a control where none was shown that is filtered.
        innocuous(&mut world, &[Cell::Answer; 10]);
        world.strangers(Protocol::Tls, 6, controls, &Cell::Reset.last().step());
        // After the target's name was shown there: a censor may remember it.
        world.contrast("198.41.0.1", Variation::Both, 30, Cell::Reset.last());
        last_at(&mut world.observations, 50.0, 50.1);
        assert_eq!(
            !ids(&world.judge()).is_empty(),
            is_named,
            "{hits} {controls}"
        );
    }
}

#[test]
fn an_innocuous_name_that_was_silent_long_before_the_targets_was_shown_is_chance() {
    // The answer was due at 10.2 s: silent since 10 s, while the target's name was shown at 10.1, 10.5 s, or never there.
    for (shown, strays) in [(Some(10.1), 0), (Some(10.5), 2), (None, 2)] {
        let mut world = named(Cell::Silence, 3);
        for _ in 0..2 {
            innocuous(&mut world, &[Cell::Silence]);
            last_at(&mut world.observations, 10.0, 15.0);
        }
        if let Some(shown) = shown {
            world.contrast("198.41.9.9", Variation::Address, 20, Cell::Silence.last());
            last_at(&mut world.observations, shown, shown + 5.0);
        }
        let verdict = world.judge();
        let named: &[&str] = if strays == 0 {
            &["server_name/drop"]
        } else {
            &[]
        };
        assert_eq!(ids(&verdict), named, "{shown:?}");
    }
}

#[test]
fn a_name_that_was_answered_at_a_control_is_none_that_a_censor_remembers() {
    for (cell, is_named) in [(Cell::Reset, true), (Cell::Answer, false)] {
        let mut world = named(Cell::Reset, 3);
        in_turn(&mut world.observations);
        world.contrast("198.41.9.9", Variation::Address, 20, cell.last());
        last_at(&mut world.observations, 9.0, 9.1);
        for _ in 0..2 {
            innocuous(&mut world, &[Cell::Reset]);
            last_at(&mut world.observations, 10.0, 10.1);
        }
        let named: &[&str] = if is_named {
            &["server_name/reset"]
        } else {
            &[]
        };
        assert_eq!(ids(&world.judge()), named);
    }
}

#[test]
fn one_innocuous_name_that_was_lost_is_chance_where_others_of_the_targets_come_and_go() {
    for (others, is_named) in [(0, true), (1, true), (2, false)] {
        let mut world = named(Cell::Reset, 3);
        in_turn(&mut world.observations);
        innocuous(&mut world, &[Cell::Reset]);
        world.more_names(2);
        for other in 1..=others {
            world.recovers(other, Cell::Reset.last());
        }
        if is_named {
            expect(&world, "server_name/reset", Confidence::Likely);
        } else {
            assert!(ids(&world.judge()).is_empty());
        }
    }
}
