//! What is met by everybody, or by anybody at times, is nobody's doing: what names it, what leaves it silent, what doubt is told.

use blockprobe::model::catalog::Protocol;
use blockprobe::model::check::{Contrast, Role, Variation};
use blockprobe::model::observation::{Operation, Step};
use blockprobe::model::report::{Confidence, Status};

use crate::contrasts::{Answer, requests};
use crate::roads::{
    End, PROHIBITED, dead, dead_port_of, expect, expect_routes_may_be_withdrawn, forbidden, lost,
    reason, refused,
};
use crate::world::{
    Cell, HONEST, World, climb_check, endpoint, ids, in_turn, observation, silent, step,
};

const PORT: u16 = 5222;

/// The doubt of the first technique.
fn doubt(world: &World) -> String {
    let told = world.judge().techniques;
    told[0].doubt.clone().unwrap_or_default()
}

// ---- connections ----------------------------------------------------------------------------------------------------

#[test]
fn where_a_quarter_of_the_controls_fail_so_a_road_is_down_for_everybody() {
    for (failed, roads, technique) in [
        (lost as fn() -> Step, [(End::Never, 2); 3], "address/drop"),
        (refused, [(End::Refused(3), 2); 3], "address/refuse"),
        (
            forbidden,
            [(End::Told(3, PROHIBITED), 2); 3],
            "address/unreachable",
        ),
    ] {
        let mut world = dead(failed, roads);
        world.strangers(Protocol::Tcp, 10, 1, &failed());
        expect(&world, technique, Confidence::Likely);
        let doubt = doubt(&world);
        assert!(doubt.contains("1 of 12 controls fails so too"), "{doubt}");
        let mut world = dead(failed, roads);
        world.strangers(Protocol::Tcp, 6, 2, &failed());
        let verdict = world.judge();
        silent(&verdict, Status::Inconclusive);
        let told = reason(&verdict);
        assert!(told.contains("2 of 8 controls fail so too"), "{told}");
    }
}

#[test]
fn controls_that_fail_in_another_way_say_nothing_of_these() {
    let mut world = dead(lost, [(End::Never, 2); 3]);
    world.strangers(Protocol::Tcp, 8, 2, &refused());
    expect_routes_may_be_withdrawn(&world, "address/drop");
}

#[test]
fn a_port_that_is_shut_at_controls_too_is_shut_for_everybody() {
    let ports = || dead_port_of(PORT, &[HONEST, "93.184.216.1"], lost, End::Never, 2);
    assert_eq!(ids(&ports().judge()), ["address_port/drop"]);
    let mut world = ports();
    world.strangers(Protocol::Tcp, 6, 2, &lost());
    for control in &mut world.catalog.controls {
        control.endpoint.port = PORT;
    }
    let verdict = world.judge();
    silent(&verdict, Status::Inconclusive);
    let told = reason(&verdict);
    assert!(told.contains("shut for everybody"), "{told}");
    // On another port they say nothing of this one.
    for control in &mut world.catalog.controls {
        control.endpoint.port = 443;
    }
    assert_eq!(ids(&world.judge()), ["address_port/drop"]);
}

#[test]
fn what_is_turned_down_before_the_first_router_is_passed_may_be_this_machines_own_firewall() {
    let world = dead(refused, [(End::Refused(1), 0); 3]);
    expect(&world, "address/refuse", Confidence::Likely);
    assert!(doubt(&world).contains("firewall of this machine"));
    let world = dead_port_of(PORT, &[HONEST, "93.184.1.1"], refused, End::Refused(1), 0);
    expect(&world, "address_port/refuse", Confidence::Likely);
    assert!(doubt(&world).contains("firewall of this machine"));
}

#[test]
fn a_router_beside_the_servers_that_prohibits_them_is_their_operators() {
    let world = dead(forbidden, [(End::Told(5, PROHIBITED), 4); 3]);
    let verdict = world.judge();
    silent(&verdict, Status::Inconclusive);
    assert!(reason(&verdict).contains("beside where a server would stand"));
    let world = dead(forbidden, [(End::Told(2, PROHIBITED), 1); 3]);
    expect(&world, "address/unreachable", Confidence::Likely);
}

// ---- handshakes -----------------------------------------------------------------------------------------------------

/// A name that is reset at home, in so many trials; and so many innocuous ones that are reset at controls.
fn strayed(other: Cell, there: Cell, trials: u32, strays: u32) -> World {
    let mut world = World::reachable();
    world.matrix(Cell::Reset, other, there, Cell::Answer, trials);
    world.row(Variation::Split, Cell::Answer);
    world.row(Variation::Shape, Cell::Answer);
    for trial in 4..4 + strays {
        let control = format!("198.41.1.{trial}");
        world.contrast(&control, Variation::Both, trial, Cell::Reset.last());
    }
    in_turn(&mut world.observations);
    world
}

#[test]
fn controls_that_meet_the_same_may_be_filtered_by_name_too() {
    let scene = |trials: u32, strays: u32| {
        let mut world = strayed(Cell::Answer, Cell::Reset, trials, strays);
        world.strangers(Protocol::Tls, 6, 2, &Cell::Reset.last().step());
        world
    };
    expect(&scene(3, 0), "server_name/reset", Confidence::Confirmed);
    // Unless innocuous names were seen to meet it, or too few to pass.
    silent(&scene(3, 1).judge(), Status::Inconclusive);
    silent(&scene(2, 0).judge(), Status::Inconclusive);
}

#[test]
fn answers_that_a_controls_server_gives_to_names_it_does_not_know_are_no_chance() {
    for (cell, beside, technique) in [
        (Cell::Alert(112), Cell::Alert(112), "server_name/alert"),
        (
            Cell::Impostor("censor"),
            Cell::Impostor("own"),
            "server_name/intercept",
        ),
    ] {
        let mut world = World::reachable();
        world.matrix(cell, Cell::Answer, cell, Cell::Answer, 3);
        beside_others(&mut world, beside);
        expect(&world, technique, Confidence::Confirmed);
    }
}

/// Innocuous names at two more controls.
fn beside_others(world: &mut World, cell: Cell) {
    for trial in 4..6 {
        let control = format!("198.41.1.{trial}");
        world.contrast(&control, Variation::Both, trial, cell.last());
    }
    in_turn(&mut world.observations);
}

#[test]
fn a_stranger_who_answers_to_innocuous_names_too_is_everybodys_proxy() {
    let stranger = Cell::Impostor("proxy");
    let scene = || {
        let mut world = World::reachable();
        world.matrix(stranger, Cell::Answer, stranger, Cell::Answer, 3);
        world
    };
    expect(&scene(), "server_name/intercept", Confidence::Confirmed);
    // At a control.
    let mut world = scene();
    beside_others(&mut world, stranger);
    silent(&world.judge(), Status::Inconclusive);
    // At the target's own address, at times.
    let mut world = scene();
    world.contrast(HONEST, Variation::ServerName, 4, stranger.last());
    in_turn(&mut world.observations);
    silent(&world.judge(), Status::Inconclusive);
    // In pieces, at times.
    let mut world = scene();
    for (trial, cell) in [(1, stranger), (2, Cell::Answer)] {
        world.contrast(HONEST, Variation::Split, trial, cell.last());
    }
    in_turn(&mut world.observations);
    silent(&world.judge(), Status::Inconclusive);
}

#[test]
fn where_its_own_address_failed_one_control_alone_names_nothing() {
    for (hits, named) in [(1, &[][..]), (2, &["server_name/reset"][..])] {
        let mut world = World::reachable();
        for trial in 1..=3 {
            world.climb_again(HONEST, trial, refused().into());
        }
        for trial in 1..=hits {
            let control = format!("198.41.0.{trial}");
            world.contrast(&control, Variation::Both, trial, Cell::Answer.last());
            world.contrast(&control, Variation::Address, trial, Cell::Reset.last());
        }
        in_turn(&mut world.observations);
        assert_eq!(ids(&world.judge()), named);
    }
}

#[test]
fn an_innocuous_name_that_meets_the_same_at_controls_leaves_a_doubt_and_two_all() {
    let scene = |other, there, strays| strayed(other, there, 3, strays);
    for (other, there, technique, at_best) in [
        (
            Cell::Answer,
            Cell::Reset,
            "server_name/reset",
            Confidence::Confirmed,
        ),
        (
            Cell::Answer,
            Cell::Answer,
            "server_name_at_address/reset",
            Confidence::Confirmed,
        ),
        (
            Cell::Reset,
            Cell::Answer,
            "tls_fingerprint/reset",
            Confidence::Likely,
        ),
    ] {
        expect(&scene(other, there, 0), technique, at_best);
        expect(&scene(other, there, 1), technique, Confidence::Likely);
        silent(&scene(other, there, 2).judge(), Status::Inconclusive);
    }
    assert!(doubt(&scene(Cell::Answer, Cell::Reset, 1)).contains("chance"));
    // One doubt does not hide another.
    let remembered = scene(Cell::Silence, Cell::Reset, 1);
    expect(&remembered, "server_name/reset", Confidence::Likely);
    assert!(doubt(&remembered).contains("chance"));
    assert!(doubt(&remembered).contains("remembers"));
}

#[test]
fn what_an_innocuous_name_meets_after_the_targets_was_shown_is_what_a_censor_remembers() {
    let mut world = World::reachable();
    world.matrix(Cell::Reset, Cell::Answer, Cell::Reset, Cell::Answer, 3);
    for trial in 4..6 {
        world.contrast("198.41.0.5", Variation::Both, trial, Cell::Reset.last());
    }
    in_turn(&mut world.observations);
    expect(&world, "server_name/reset", Confidence::Confirmed);
    // Nor while it was shown.
    for observation in world.observations.iter_mut().rev().take(2) {
        for step in &mut observation.steps {
            (step.t0, step.t) = (1.35, 1.45);
        }
    }
    expect(&world, "server_name/reset", Confidence::Confirmed);
}

#[test]
fn servers_that_fail_at_some_handshakes_name_nothing_at_their_own_addresses() {
    let scene = |shapes: [Cell; 3]| {
        let mut world = World::reachable();
        world.matrix(Cell::Reset, Cell::Answer, Cell::Answer, Cell::Answer, 3);
        world.row(Variation::Split, Cell::Answer);
        for (trial, shape) in (1..).zip(shapes) {
            world.contrast(HONEST, Variation::Shape, trial, shape.last());
        }
        world
    };
    for uniform in [Cell::Answer, Cell::Reset] {
        let technique = "server_name_at_address/reset";
        expect(&scene([uniform; 3]), technique, Confidence::Confirmed);
    }
    let mixed = [Cell::Reset, Cell::Answer, Cell::Answer];
    silent(&scene(mixed).judge(), Status::Inconclusive);
}

#[test]
fn other_names_that_pass_when_tried_again_make_one_that_does_not_chance() {
    let scene = |others: usize| {
        let mut world = World::reachable();
        world.matrix(Cell::Reset, Cell::Answer, Cell::Answer, Cell::Answer, 3);
        world.row(Variation::Split, Cell::Answer);
        world.more_names(others);
        for at in 0..others {
            world.recovers(at + 1, Cell::Reset.last());
        }
        world
    };
    let technique = "server_name_at_address/reset";
    expect(&scene(0), technique, Confidence::Confirmed);
    expect(&scene(1), technique, Confidence::Likely);
    assert!(doubt(&scene(1)).contains("chance"));
    assert!(ids(&scene(2).judge()).is_empty());
}

#[test]
fn names_that_pass_when_tried_again_make_a_shape_chance_that_fails_each_time() {
    let scene = |others: usize| {
        let mut world = World::reachable();
        world.matrix(Cell::Reset, Cell::Reset, Cell::Answer, Cell::Answer, 3);
        world.row(Variation::Shape, Cell::Answer);
        world.more_names(others);
        for at in 0..others {
            world.recovers(at + 1, Cell::Reset.last());
        }
        world
    };
    for others in [0, 1] {
        expect(&scene(others), "tls_fingerprint/reset", Confidence::Likely);
    }
    assert!(ids(&scene(2).judge()).is_empty());
}

#[test]
fn innocuous_names_that_were_met_beside_resolvers_make_a_targets_chance_too() {
    let scene = |met: u32| {
        let mut world = World::reachable();
        world.matrix(Cell::Reset, Cell::Answer, Cell::Reset, Cell::Answer, 3);
        for trial in 1..=met {
            let asked = endpoint(Protocol::Https, 443);
            let mut check = climb_check("ground", &asked, "198.41.0.5", Role::Control);
            check.id = format!("ground/google/name#{trial}");
            check.endpoints.clear();
            check.trial = trial;
            check.contrast = Some(Contrast {
                of: "ground/google".to_owned(),
                varies: Variation::Both,
            });
            let steps = vec![step(Operation::TcpConnect, None), Cell::Reset.last().step()];
            let id = format!("o{}", 3000 + trial);
            world.ground.push(observation(id, check, steps));
        }
        world
    };
    for met in [0, 1] {
        expect(&scene(met), "server_name/reset", Confidence::Confirmed);
    }
    silent(&scene(2).judge(), Status::Inconclusive);
}

#[test]
fn names_that_pass_when_tried_again_make_one_chance_that_an_innocuous_one_met_later() {
    let scene = |others: usize, later: Cell| {
        let mut world = World::reachable();
        world.matrix(Cell::Reset, Cell::Answer, Cell::Reset, Cell::Answer, 3);
        world.more_names(others);
        for at in 0..others {
            world.recovers(at + 1, Cell::Reset.last());
        }
        // At a control at which the name was shown.
        world.contrast("198.41.0.5", Variation::Both, 9, later.last());
        in_turn(&mut world.observations);
        world
    };
    let technique = "server_name/reset";
    // What a censor remembers, and servers that fail at times, are each no chance alone.
    for (others, later) in [(0, Cell::Reset), (1, Cell::Reset), (2, Cell::Answer)] {
        expect(&scene(others, later), technique, Confidence::Confirmed);
    }
    assert!(ids(&scene(2, Cell::Reset).judge()).is_empty());
}

#[test]
fn other_names_whose_innocuous_twins_fail_at_times_make_one_chance_too() {
    let scene = |others: usize| {
        let mut world = World::reachable();
        world.matrix(Cell::Reset, Cell::Answer, Cell::Answer, Cell::Answer, 3);
        world.more_names(others);
        for at in 0..others {
            world.twins(at + 1, [Cell::Reset, Cell::Answer, Cell::Reset]);
        }
        world
    };
    let technique = "server_name_at_address/reset";
    expect(&scene(1), technique, Confidence::Likely);
    assert!(ids(&scene(2).judge()).is_empty());
}

#[test]
fn a_name_that_failed_once_at_its_own_address_is_no_finding() {
    for (cell, trials, is_named) in [
        (Cell::Silence, 1, false),
        (Cell::Silence, 2, false),
        (Cell::Silence, 3, true),
        (Cell::Reset, 1, false),
        (Cell::Reset, 2, true),
    ] {
        let mut world = World::reachable();
        world.matrix(cell, Cell::Answer, Cell::Answer, Cell::Answer, trials);
        assert_eq!(!ids(&world.judge()).is_empty(), is_named);
        if trials == 2 && is_named {
            assert!(doubt(&world).contains("Fewer than three trials"));
        }
    }
}

#[test]
fn a_name_that_was_asked_of_controls_over_the_other_family_alone_is_doubted() {
    let mut world = World::reachable();
    world.matrix(Cell::Reset, Cell::Answer, Cell::Answer, Cell::Answer, 3);
    world.row(Variation::Split, Cell::Answer);
    expect(
        &world,
        "server_name_at_address/reset",
        Confidence::Confirmed,
    );
    world.controls_over_ipv6();
    expect(&world, "server_name_at_address/reset", Confidence::Likely);
    assert!(doubt(&world).contains("family"));
}

// ---- requests in clear ----------------------------------------------------------------------------------------------

#[test]
fn where_a_quarter_of_the_controls_requests_end_so_no_host_is_looked_at() {
    let scene = |met| {
        let mut world = requests(
            Answer::Silence,
            Answer::NotFound,
            Answer::Silence,
            Answer::NotFound,
        );
        let failed = Answer::Silence.last().step();
        world.strangers(Protocol::Http, 6, met, &failed);
        world
    };
    assert_eq!(ids(&scene(1).judge()), ["http_host/drop"]);
    silent(&scene(2).judge(), Status::Inconclusive);
}
