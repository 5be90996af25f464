//! Rules of connections and handshakes: what they name, what leaves them silent, what doubt they tell.

use blockprobe::model::failure::Failure;
use blockprobe::model::observation::Operation;
use blockprobe::model::report::{Confidence, Status};

use crate::world::{Cell, HONEST, World, ids, prohibited, proven, silent, step};

const RANGE: [&str; 5] = [
    "93.184.216.1",
    "93.184.216.2",
    "93.184.216.3",
    "93.184.216.4",
    HONEST,
];

#[test]
fn a_name_that_fails_at_controls_too_is_looked_at_everywhere() {
    for (cell, technique) in [
        (Cell::Silence, "server_name/drop"),
        (Cell::Reset, "server_name/reset"),
        (Cell::Close, "server_name/close"),
        (Cell::Alert(112), "server_name/alert"),
        (Cell::Impostor("censor"), "server_name/intercept"),
    ] {
        let mut world = World::reachable();
        world.matrix(cell, Cell::Answer, cell, Cell::Answer, 3);
        let verdict = world.judge();
        assert_eq!(ids(&verdict), [technique]);
        assert_eq!(verdict.status, Status::Blocked, "{technique}");
        let told = &verdict.techniques[0];
        assert_eq!(told.confidence, Confidence::Confirmed);
        // That somebody stands between is certain there; who he is, is not.
        let is_somebody = matches!(cell, Cell::Impostor(_));
        let doubt = told.doubt.as_deref().unwrap_or_default();
        assert_eq!(told.doubt.is_some(), is_somebody, "{told:#?}");
        assert_eq!(doubt.contains("parental control"), is_somebody);
    }
}

#[test]
fn a_name_that_fails_at_its_own_address_only_is_likely_and_tells_the_doubt() {
    for (cell, technique) in [
        (Cell::Silence, "server_name_at_address/drop"),
        (Cell::Reset, "server_name_at_address/reset"),
    ] {
        let mut world = World::reachable();
        world.matrix(cell, Cell::Answer, Cell::Answer, Cell::Answer, 3);
        let verdict = world.judge();
        assert_eq!(ids(&verdict), [technique]);
        assert_eq!(verdict.techniques[0].confidence, Confidence::Likely);
        assert!(
            verdict.techniques[0]
                .doubt
                .as_deref()
                .unwrap()
                .contains("vantage")
        );
    }
}

#[test]
fn what_a_censor_remembers_is_told_as_doubt() {
    let mut world = World::reachable();
    world.matrix(Cell::Reset, Cell::Silence, Cell::Reset, Cell::Answer, 3);
    let verdict = world.judge();
    assert_eq!(ids(&verdict), ["server_name/reset"]);
    assert!(
        verdict.techniques[0]
            .doubt
            .as_deref()
            .unwrap()
            .contains("remembers")
    );
}

#[test]
fn too_few_trials_of_a_name_are_likely() {
    let mut world = World::reachable();
    world.matrix(Cell::Reset, Cell::Answer, Cell::Reset, Cell::Answer, 1);
    let verdict = world.judge();
    assert_eq!(verdict.techniques[0].confidence, Confidence::Likely);
    assert!(
        verdict.techniques[0]
            .doubt
            .as_deref()
            .unwrap()
            .contains("chance")
    );
}

#[test]
fn a_whole_range_that_is_dead_is_likely_blocked_by_address() {
    let verdict = dead(&RANGE, &Failure::GenericTimeout).judge();
    assert_eq!(ids(&verdict), ["address/drop"]);
    assert_eq!(verdict.techniques[0].confidence, Confidence::Likely);
    assert!(
        verdict.techniques[0]
            .doubt
            .as_deref()
            .unwrap()
            .contains("vantage")
    );
    assert_eq!(verdict.status, Status::Blocked);
}

#[test]
fn a_router_that_prohibits_one_address_is_named_with_its_own() {
    let mut world = World::reachable();
    for trial in 1..=3 {
        world.climb_again(HONEST, trial, prohibited("10.9.8.7", false));
    }
    let verdict = world.judge();
    assert_eq!(ids(&verdict), ["address/unreachable"]);
    assert!(verdict.techniques[0].seen.contains("10.9.8.7"));
    assert!(verdict.techniques[0].doubt.is_some());
}

#[test]
fn a_server_that_fails_for_every_name_is_not_censored() {
    for cell in [
        Cell::Silence,
        Cell::Reset,
        Cell::Close,
        Cell::Alert(112),
        Cell::Impostor("itself"),
    ] {
        let mut world = World::reachable();
        world.matrix(cell, cell, Cell::Answer, Cell::Answer, 3);
        silent(&world.judge(), Status::Inconclusive);
    }
}

#[test]
fn a_genuine_alert_or_certificate_for_its_own_name_is_the_servers_business() {
    for cell in [Cell::Alert(112), Cell::Impostor("itself")] {
        let mut world = World::reachable();
        world.matrix(cell, Cell::Answer, Cell::Answer, Cell::Answer, 3);
        silent(&world.judge(), Status::Inconclusive);
    }
}

#[test]
fn controls_that_refuse_strangers_tell_nothing() {
    let mut world = World::reachable();
    let alert = Cell::Alert(112);
    world.matrix(alert, Cell::Answer, alert, alert, 3);
    silent(&world.judge(), Status::Inconclusive);
}

#[test]
fn a_server_that_stalls_for_every_name_is_slow() {
    let mut world = World::reachable();
    world.matrix(Cell::Stall, Cell::Stall, Cell::Answer, Cell::Answer, 3);
    silent(&world.judge(), Status::Inconclusive);
}

#[test]
fn a_handshake_that_works_once_names_nothing() {
    let mut world = World::reachable();
    world.matrix(Cell::Reset, Cell::Answer, Cell::Reset, Cell::Answer, 3);
    world.climb_again(HONEST, 4, proven());
    silent(&world.judge(), Status::Accessible);
}

#[test]
fn a_few_servers_that_are_down_are_no_range() {
    for failure in [Failure::GenericTimeout, Failure::ConnectionRefused] {
        silent(&dead(&RANGE[2..], &failure).judge(), Status::Inconclusive);
    }
}

#[test]
fn servers_that_were_stopped_refuse_and_name_nothing_however_many() {
    for failure in [Failure::ConnectionRefused, Failure::HostUnreachable] {
        silent(&dead(&RANGE, &failure).judge(), Status::Inconclusive);
    }
}

#[test]
fn a_range_that_was_tried_once_names_nothing() {
    let mut world = World::reachable();
    world.fixed(&RANGE);
    for address in RANGE {
        world.climb_again(
            address,
            1,
            step(Operation::TcpConnect, Some(Failure::GenericTimeout)).into(),
        );
    }
    silent(&world.judge(), Status::Inconclusive);
}

#[test]
fn a_local_firewall_is_not_a_censor() {
    let mut world = World::reachable();
    for trial in 1..=3 {
        world.climb_again(HONEST, trial, prohibited("[scrubbed]", true));
    }
    silent(&world.judge(), Status::Inconclusive);
}

#[test]
fn a_host_that_says_itself_that_it_prohibits_is_not_a_router_on_the_way() {
    let mut world = World::reachable();
    for trial in 1..=3 {
        world.climb_again(HONEST, trial, prohibited(HONEST, false));
    }
    silent(&world.judge(), Status::Inconclusive);
}

/// Addresses that fail in the same way in three trials each.
fn dead(addresses: &[&str], failure: &Failure) -> World {
    let mut world = World::reachable();
    world.fixed(addresses);
    for address in addresses {
        for trial in 1..=3 {
            let last = step(Operation::TcpConnect, Some(failure.clone()));
            world.climb_again(address, trial, last.into());
        }
    }
    world
}
