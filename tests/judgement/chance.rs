//! Some of many roads, some of many handshakes: what may be those by chance names nothing, and what hardly can be is told.

use blockprobe::model::catalog::Protocol;
use blockprobe::model::check::{Ask, Contrast, Role, Variation};
use blockprobe::model::observation::{Observation, Operation};
use blockprobe::model::report::Confidence;

use crate::roads::{expect, lost, refused};
use crate::world::{Cell, World, climb_check, ids, in_turn, proven, step};

// ---- roads ------------------------------------------------------------------------------------------------------------

/// Where the silent addresses of a target are.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Lie {
    /// In one service and one network with those that answer.
    Among,
    /// In a service of their own.
    InAService,
    /// In a network of their own.
    InANetwork,
}

/// A target of which so many addresses are silent and so many answer, beside thirteen controls of which so many are silent.
fn roads(silent: usize, answering: usize, controls: usize, lie: Lie) -> World {
    let mut world = World::reachable();
    world.observations.clear();
    world.more_names(1);
    if lie == Lie::InAService {
        let mut other = world.catalog.targets[0].services[0].clone();
        "calls".clone_into(&mut other.id);
        other.endpoints.remove(0);
        world.catalog.targets[0].services[0].endpoints.truncate(1);
        world.catalog.targets[0].services.push(other);
    }
    let around = match lie {
        Lie::InANetwork => "93.184.217",
        Lie::Among | Lie::InAService => "93.184.216",
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
        let address = format!("93.184.216.{}", 100 + at);
        let check = climb_check("target", endpoints[0], &address, Role::Target);
        let steps = vec![step(Operation::TcpConnect, None), proven().step()];
        world.push(check, steps);
    }
    world.strangers(Protocol::Tcp, 11, controls, &lost());
    world
}

#[test]
fn silent_addresses_that_lie_among_others_as_chance_would_have_it_name_nothing() {
    use Lie::{Among, InANetwork, InAService};
    for (silent, answering, controls, lie, is_named) in [
        // All of them, and a control or two: four are beyond chance, one control in four is everybody.
        (4, 0, 1, Among, true),
        (4, 0, 2, Among, true),
        (4, 0, 4, Among, false),
        // Half of them, or a third, and none of the controls, or one.
        (12, 6, 1, Among, false),
        (14, 4, 1, Among, true),
        (4, 8, 0, Among, false),
        (9, 3, 0, Among, true),
        // All of a service, or of a network, is no chance; with a silent control it may be.
        (4, 8, 0, InAService, true),
        (4, 8, 1, InAService, false),
        (4, 8, 0, InANetwork, true),
        (4, 8, 1, InANetwork, false),
    ] {
        let verdict = roads(silent, answering, controls, lie).judge();
        let named: &[&str] = if is_named { &["address/drop"] } else { &[] };
        let case = format!("{silent} {answering} {controls}");
        assert_eq!(ids(&verdict), named, "{case}");
        let mut services = verdict.services.iter().flat_map(|it| &it.endpoints);
        let failed = services.nth(1).and_then(|it| it.reason.clone());
        let is_told = failed
            .as_deref()
            .is_some_and(|it| it.contains("may be chance"));
        assert_eq!(is_told, !is_named && controls < 4, "{case}: {failed:?}");
    }
}

// ---- handshakes -------------------------------------------------------------------------------------------------------

/// A name that is met so at home and at so many controls, three times each, with an innocuous one that passes everywhere.
fn named(cell: Cell, controls: u32) -> World {
    let mut world = World::reachable();
    for trial in 1..=3 {
        world.climb_again(crate::world::HONEST, trial, cell.last());
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
fn a_name_that_met_it_at_few_controls_and_passes_at_times_in_pieces_is_chance() {
    for (controls, pieces, is_named) in [
        (1, [Cell::Answer; 3], true),
        (1, [Cell::Silence; 3], true),
        (1, [Cell::Silence, Cell::Answer, Cell::Answer], false),
        (3, [Cell::Silence, Cell::Answer, Cell::Answer], true),
    ] {
        for row in [Variation::Split, Variation::Shape] {
            let mut world = named(Cell::Silence, controls);
            for (trial, cell) in (1..).zip(pieces) {
                world.contrast(crate::world::HONEST, row, trial, cell.last());
            }
            let named: &[&str] = if is_named { &["server_name/drop"] } else { &[] };
            assert_eq!(ids(&world.judge()), named, "{controls} {row:?}");
        }
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

#[test]
fn innocuous_names_that_were_lost_beside_those_of_resolvers_are_chance_too() {
    for (strays, confidence) in [(1, Some(Confidence::Likely)), (2, None)] {
        let mut world = named(Cell::Reset, 3);
        in_turn(&mut world.observations);
        innocuous(&mut world, &vec![Cell::Reset; strays]);
        let beside = world.observations.len() - strays;
        let strays = world.observations.split_off(beside);
        world.ground.extend(strays);
        let told = world.judge().techniques;
        assert_eq!(told.first().map(|it| it.confidence), confidence);
    }
}

#[test]
fn what_controls_are_met_with_by_their_own_names_is_chance_where_an_innocuous_one_ever_met_it() {
    let mut world = named(Cell::Reset, 3);
    in_turn(&mut world.observations);
    world.strangers(Protocol::Tls, 6, 2, &Cell::Reset.last().step());
    expect(&world, "server_name/reset", Confidence::Confirmed);
    // After the target's name was shown there, which a censor may remember where he filters no controls.
    world.contrast("198.41.0.1", Variation::Both, 20, Cell::Reset.last());
    last_at(&mut world.observations, 10.0, 10.1);
    assert!(ids(&world.judge()).is_empty());
    let mut alone = named(Cell::Reset, 3);
    in_turn(&mut alone.observations);
    alone.contrast("198.41.0.1", Variation::Both, 20, Cell::Reset.last());
    last_at(&mut alone.observations, 10.0, 10.1);
    expect(&alone, "server_name/reset", Confidence::Confirmed);
}

#[test]
fn roads_that_are_refused_name_nothing_where_controls_are_and_chance_would_do() {
    // Two of two addresses: with one control of thirteen that is refused too it is rare, with two it is not.
    for (controls, is_named) in [(0, true), (1, true), (2, false)] {
        let mut world = crate::roads::dead(refused, [(crate::roads::End::Refused(3), 2); 3]);
        world.observations.retain(|it| match &it.check.ask {
            Ask::Climb(climb) => {
                let address = climb.address.ip().to_string();
                address != "93.184.1.1" && address != "151.101.1.1"
            }
            _ => true,
        });
        world.strangers(Protocol::Tcp, 11, controls, &refused());
        assert_eq!(!ids(&world.judge()).is_empty(), is_named, "{controls}");
    }
}
