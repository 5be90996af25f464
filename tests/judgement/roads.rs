//! Rules of addresses and ports by how far packets come: what they name, what leaves them silent, what doubt they tell.

use std::net::SocketAddr;

use blockprobe::analysis::again::judge_report;
use blockprobe::model::catalog::{Endpoint, Protocol};
use blockprobe::model::check::{Ask, Check, Climb, Contrast, Role, Round, Variation};
use blockprobe::model::failure::Failure;
use blockprobe::model::observation::{IcmpError, Operation, Step, TcpFacts};
use blockprobe::model::report::{Confidence, Status, Verdict};

use crate::world::{World, climb_check, endpoint, ids, observation, proven, report, silent, step};

/// Four racks in two neighbourhoods.
const RANGE: [&str; 4] = ["93.184.1.1", "93.184.2.1", "93.184.3.1", "151.101.1.1"];
const CONTROLS: [&str; 3] = ["198.41.0.5", "198.41.0.6", "198.41.0.7"];
/// What a router says for whom it cannot reach, by code.
const HOST_UNREACHABLE: u8 = 1;
pub const PROHIBITED: u8 = 13;

/// How a road ends, and with how many hops that is first seen.
#[derive(Clone, Copy)]
pub enum End {
    Stands(u8),
    Refused(u8),
    Told(u8, u8),
    Never,
}

impl End {
    fn step(self, hops: u8, heard: u8, is_ipv4: bool) -> Step {
        match self {
            Self::Stands(end) if hops >= end => step(Operation::TcpConnect, None),
            Self::Refused(end) if hops >= end => refused(),
            Self::Told(end, code) if hops >= end => told(code, Some("62.115.0.9")),
            _ if hops <= heard => {
                let (kind, code) = if is_ipv4 { (11, 0) } else { (3, 0) };
                icmp(kind, code, None)
            }
            _ => lost(),
        }
    }
}

/// Controls that stand after six hops, with every router heard.
fn world() -> World {
    let mut world = World::reachable();
    world.fixed(&RANGE);
    for control in CONTROLS {
        road(&mut world, RANGE[0], control, 443, End::Stands(6), 5);
    }
    world
}

/// Every address of the range fails so, in three trials, and the first three have these roads.
pub fn dead(failed: fn() -> Step, roads: [(End, u8); 3]) -> World {
    let mut world = world();
    fails(&mut world, failed);
    for (address, (end, heard)) in RANGE.iter().skip(1).zip(roads) {
        road(&mut world, address, address, 443, end, heard);
    }
    world
}

fn fails(world: &mut World, failed: fn() -> Step) {
    for address in RANGE {
        for trial in 1..=3 {
            world.climb_again(address, trial, failed().into());
        }
    }
}

fn road(world: &mut World, of: &str, to: &str, port: u16, end: End, heard: u8) {
    for hops in 1..=8 {
        let to = SocketAddr::new(to.parse().unwrap(), port);
        let check = contrast(world, of, to, Variation::Hops, hops.into(), Some(hops));
        world.push(check, vec![end.step(hops, heard, to.is_ipv4())]);
    }
}

fn contrast(
    world: &World,
    of: &str,
    to: SocketAddr,
    varies: Variation,
    trial: u32,
    hops: Option<u8>,
) -> Check {
    let endpoint = &world.catalog.targets[0].services[0].endpoints[0];
    let failed = climb_check("target", endpoint, of, Role::Target);
    let Ask::Climb(climb) = failed.ask else {
        unreachable!("it was made so")
    };
    Check {
        id: format!("{}/{varies:?}@{to}#{trial}", failed.id),
        round: Round::Contrast,
        endpoints: Vec::new(),
        role: Role::Control,
        trial,
        contrast: Some(Contrast {
            of: failed.id,
            varies,
        }),
        ask: Ask::Climb(Climb {
            address: to,
            protocol: Protocol::Tcp,
            host: None,
            server_name: None,
            hops,
            ..climb
        }),
        subject: failed.subject,
    }
}

/// Port 443 of these addresses fails so, port 80 stands after six hops, and both have roads.
fn dead_port(addresses: &[&str], failed: fn() -> Step, end: End, heard: u8) -> World {
    dead_port_of(443, addresses, failed, end, heard)
}

pub fn dead_port_of(
    port: u16,
    addresses: &[&str],
    failed: fn() -> Step,
    end: End,
    heard: u8,
) -> World {
    let mut world = World::reachable();
    let endpoint = &mut world.catalog.targets[0].services[0].endpoints[0];
    (endpoint.host, endpoint.port) = (None, port);
    world.fixed(addresses);
    for address in addresses {
        for trial in 1..=3 {
            world.climb_again(address, trial, failed().into());
        }
        let other = SocketAddr::new(address.parse().unwrap(), 80);
        let check = contrast(&world, address, other, Variation::Port, 1, None);
        world.push(check, vec![step(Operation::TcpConnect, None)]);
        road(&mut world, address, address, port, end, heard);
        road(&mut world, address, address, 80, End::Stands(6), 5);
    }
    world
}

pub fn lost() -> Step {
    step(Operation::TcpConnect, Some(Failure::GenericTimeout))
}

pub fn refused() -> Step {
    step(Operation::TcpConnect, Some(Failure::ConnectionRefused))
}

pub fn unreachable() -> Step {
    told(HOST_UNREACHABLE, Some("62.115.0.9"))
}

pub fn forbidden() -> Step {
    told(PROHIBITED, Some("62.115.0.9"))
}

fn told(code: u8, offender: Option<&str>) -> Step {
    icmp(3, code, offender)
}

fn icmp(kind: u8, code: u8, offender: Option<&str>) -> Step {
    let mut step = step(Operation::TcpConnect, Some(Failure::HostUnreachable));
    step.tcp = Some(Box::new(TcpFacts {
        icmp: vec![IcmpError {
            kind,
            code,
            offender: offender.map(str::to_owned),
            offender_is_own: false,
        }],
        ..TcpFacts::default()
    }));
    step
}

pub fn expect(world: &World, technique: &str, confidence: Confidence) -> Verdict {
    let verdict = world.judge();
    assert_eq!(ids(&verdict), [technique], "{verdict:#?}");
    let told = &verdict.techniques[0];
    assert_eq!(told.confidence, confidence, "{told:#?}");
    // Whose box it is that intercepts is never certain.
    let is_certain = confidence == Confidence::Confirmed && !technique.ends_with("/intercept");
    assert_eq!(told.doubt.is_none(), is_certain, "{told:#?}");
    verdict
}

/// The same where packets end at one hop as they would if routes were withdrawn, and nothing else is left to doubt.
pub fn expect_routes_may_be_withdrawn(world: &World, technique: &str) -> Verdict {
    let verdict = expect(world, technique, Confidence::Likely);
    let doubt = verdict.techniques[0].doubt.as_deref().unwrap();
    assert!(doubt.contains("withdrawn their routes"), "{doubt}");
    assert!(!doubt.contains(". "), "{doubt}");
    verdict
}

pub fn reason(verdict: &Verdict) -> &str {
    verdict.services[0].endpoints[0].reason.as_deref().unwrap()
}

// ---- addresses that refuse ------------------------------------------------------------------------------------------

#[test]
fn a_range_refused_nearer_than_controls_stand_is_confirmed() {
    let world = dead(refused, [(End::Refused(3), 2); 3]);
    let verdict = expect(&world, "address/refuse", Confidence::Confirmed);
    assert_eq!(verdict.status, Status::Blocked);
    let seen = &verdict.techniques[0].seen;
    assert!(
        seen.contains("after 3 hops, and others connect at hop 6"),
        "{seen}"
    );
}

#[test]
fn refusals_at_different_hops_are_likely_and_tell_the_doubt() {
    let roads = [
        (End::Refused(3), 2),
        (End::Refused(4), 3),
        (End::Refused(4), 3),
    ];
    let verdict = expect(&dead(refused, roads), "address/refuse", Confidence::Likely);
    let doubt = verdict.techniques[0].doubt.as_deref().unwrap();
    assert!(doubt.contains("nearer than all controls"), "{doubt}");
}

#[test]
fn refusals_in_one_neighbourhood_may_be_one_machine_room() {
    let mut world = world();
    fails(&mut world, refused);
    for address in &RANGE[..3] {
        road(&mut world, address, address, 443, End::Refused(3), 2);
    }
    expect(&world, "address/refuse", Confidence::Likely);
}

#[test]
fn servers_that_refuse_where_servers_stand_were_stopped() {
    for end in [5, 6, 7] {
        let world = dead(refused, [(End::Refused(end), end - 1); 3]);
        let verdict = world.judge();
        silent(&verdict, Status::Inconclusive);
        let reason = reason(&verdict);
        assert!(
            reason.contains("refused where a server would stand"),
            "{reason}"
        );
    }
}

#[test]
fn one_address_that_refuses_where_servers_stand_speaks_for_all() {
    let roads = [
        (End::Refused(3), 2),
        (End::Refused(3), 2),
        (End::Refused(6), 5),
    ];
    silent(&dead(refused, roads).judge(), Status::Inconclusive);
}

#[test]
fn refusals_without_a_road_name_nothing() {
    silent(
        &dead(refused, [(End::Never, 0); 3]).judge(),
        Status::Inconclusive,
    );
}

#[test]
fn a_single_server_that_refuses_near_by_names_nothing() {
    let mut world = world();
    fails(&mut world, refused);
    road(&mut world, RANGE[1], RANGE[1], 443, End::Refused(3), 2);
    silent(&world.judge(), Status::Inconclusive);
}

#[test]
fn on_a_short_road_refusals_name_nothing() {
    let mut world = World::reachable();
    world.fixed(&RANGE);
    fails(&mut world, refused);
    for control in CONTROLS {
        road(&mut world, RANGE[0], control, 443, End::Stands(2), 1);
    }
    for address in &RANGE[1..] {
        road(&mut world, address, address, 443, End::Refused(1), 0);
    }
    silent(&world.judge(), Status::Inconclusive);
}

#[test]
fn where_a_control_in_between_does_not_stand_nobody_is_named() {
    for (failed, roads) in [
        (refused as fn() -> Step, [(End::Refused(3), 2); 3]),
        (lost, [(End::Never, 2); 3]),
        (forbidden, [(End::Told(3, PROHIBITED), 2); 3]),
    ] {
        let mut world = dead(failed, roads);
        assert!(!ids(&world.judge()).is_empty());
        let control = "198.41.0.5:443".parse().unwrap();
        let check = contrast(&world, RANGE[0], control, Variation::Address, 2, None);
        world.push(check, vec![lost()]);
        let verdict = world.judge();
        silent(&verdict, Status::Inconclusive);
        assert!(reason(&verdict).contains("the line itself fails"));
    }
}

// ---- addresses that are silent --------------------------------------------------------------------------------------

#[test]
fn a_range_of_which_packets_vanish_at_one_hop_is_likely_for_its_routes_may_be_withdrawn() {
    let verdict = expect_routes_may_be_withdrawn(&dead(lost, [(End::Never, 2); 3]), "address/drop");
    let seen = &verdict.techniques[0].seen;
    assert!(seen.contains("after hop 2;"), "{seen}");
}

/// What is said of it beside a report from where every address works, an hour earlier.
fn settled(here: &World) -> Verdict {
    let mut there = World::reachable();
    there.fixed(&RANGE);
    for address in RANGE {
        there.climb(address, proven());
    }
    let mut judged = report(here, "here", 3600);
    judge_report(&mut judged, Some(report(&there, "there", 0))).unwrap();
    judged.verdicts.remove(0)
}

#[test]
fn where_another_vantage_is_answered_a_road_that_is_lost_here_is_left_to_doubt() {
    for (failed, end, technique) in [
        (lost as fn() -> Step, End::Never, "address/drop"),
        (
            unreachable,
            End::Told(3, HOST_UNREACHABLE),
            "address/unreachable",
        ),
    ] {
        let verdict = settled(&dead(failed, [(end, 2); 3]));
        assert_eq!(ids(&verdict), [technique]);
        assert_eq!(verdict.confidence, Confidence::Likely, "{technique}");
        let told = &verdict.techniques[0];
        assert!(told.seen.contains("the same endpoints work"), "{told:#?}");
        let doubt = told.doubt.as_deref().unwrap();
        assert!(
            doubt.contains("a path that this provider has lost"),
            "{doubt}"
        );
        assert!(!doubt.contains("another vantage"), "{doubt}");
    }
    // No router refuses for want of a road.
    let verdict = settled(&dead(refused, [(End::Refused(3), 2); 3]));
    assert_eq!(ids(&verdict), ["address/refuse"]);
    assert_eq!(verdict.confidence, Confidence::Confirmed);
    assert_eq!(verdict.techniques[0].doubt, None);
}

#[test]
fn another_vantage_does_not_take_away_the_doubts_that_it_cannot_settle() {
    for (failed, roads, doubt) in [
        (
            lost as fn() -> Step,
            [(End::Never, 5); 3],
            "where a server would stand",
        ),
        (
            refused,
            [(End::Refused(6), 5); 3],
            "where a server would stand",
        ),
        (lost, [(End::Never, 0); 3], "before the first router"),
        (
            refused,
            [(End::Refused(1), 0); 3],
            "before the first router",
        ),
        (
            forbidden,
            [(End::Told(3, PROHIBITED), 2); 3],
            "router's owner",
        ),
    ] {
        let verdict = settled(&dead(failed, roads));
        assert_eq!(verdict.confidence, Confidence::Likely, "{doubt}");
        let told = verdict.techniques[0].doubt.as_deref().unwrap();
        assert!(told.contains(doubt), "{doubt}: {told}");
    }
}

#[test]
fn another_vantage_blames_nobody_where_the_line_fails_or_a_limit_swallows() {
    let mut limited = dead(lost, [(End::Never, 2); 3]);
    let during = lost().t0;
    beside(&mut limited, &RANGE, &[(false, during); 2]);
    silent(&settled(&limited), Status::Inconclusive);
    let mut failing = dead(lost, [(End::Never, 2); 3]);
    let to = SocketAddr::new(CONTROLS[0].parse().unwrap(), 443);
    let check = contrast(&failing, RANGE[0], to, Variation::Address, 1, None);
    failing.push(check, vec![lost()]);
    silent(&settled(&failing), Status::Inconclusive);
}

#[test]
fn packets_that_vanish_at_different_hops_are_likely_and_tell_the_doubt() {
    let roads = [(End::Never, 2), (End::Never, 3), (End::Never, 2)];
    let verdict = expect(&dead(lost, roads), "address/drop", Confidence::Likely);
    assert!(verdict.techniques[0].seen.contains("Packets disappear"));
}

#[test]
fn servers_that_are_silent_where_servers_stand_may_be_down() {
    for roads in [
        [(End::Never, 5); 3],
        [(End::Never, 7); 3],
        // A router that was not heard is no evidence.
        [(End::Never, 5), (End::Never, 4), (End::Never, 4)],
    ] {
        let verdict = dead(lost, roads).judge();
        silent(&verdict, Status::Inconclusive);
        let reason = reason(&verdict);
        assert!(
            reason.contains("as far as a server would stand"),
            "{reason}"
        );
    }
}

#[test]
fn silence_whose_road_tells_nothing_is_judged_without_it() {
    // Of a road without routers that speak nothing can be said.
    let mut world = World::reachable();
    world.fixed(&RANGE);
    fails(&mut world, lost);
    for control in CONTROLS {
        road(&mut world, RANGE[0], control, 443, End::Stands(6), 0);
    }
    for address in &RANGE[1..] {
        road(&mut world, address, address, 443, End::Never, 0);
    }
    let verdict = expect(&world, "address/drop", Confidence::Likely);
    assert!(!verdict.techniques[0].seen.contains("Packets disappear"));
}

#[test]
fn a_report_with_impossible_hops_is_judged_all_the_same() {
    let mut world = dead(lost, [(End::Never, 2); 3]);
    for observation in &mut world.observations {
        if let Ask::Climb(Climb {
            hops: Some(hops), ..
        }) = &mut observation.check.ask
        {
            *hops = u8::MAX - *hops;
        }
    }
    let verdict = expect(&world, "address/drop", Confidence::Likely);
    assert!(!verdict.techniques[0].seen.contains("Packets disappear"));
}

/// Something else of the target stands at these addresses.
fn stands(world: &mut World, addresses: &[&str], port: u16) {
    for address in addresses {
        let to = SocketAddr::new(address.parse().unwrap(), port);
        let check = contrast(world, RANGE[0], to, Variation::Port, 1, None);
        world.push(check, vec![step(Operation::TcpConnect, None)]);
    }
}

#[test]
fn an_address_whose_neighbours_stand_may_meet_a_limit_by_rate() {
    let all = ["93.184.1.9", "93.184.2.9", "93.184.3.9", "151.101.1.9"];
    let around = ["93.184.7.9", "151.101.7.9"];
    let elsewhere = ["93.185.7.9", "151.102.7.9"];
    for (neighbours, port, is_doubted) in [
        (&all[..1], 443, true),
        (&all[..], 443, true),
        // A limit may count for wider networks.
        (&around[..], 443, true),
        // In other neighbourhoods, and on another port.
        (&elsewhere[..], 443, false),
        (&all[..], 80, false),
    ] {
        let mut world = dead(lost, [(End::Never, 2); 3]);
        stands(&mut world, neighbours, port);
        if is_doubted {
            let verdict = expect(&world, "address/drop", Confidence::Likely);
            let doubt = verdict.techniques[0].doubt.as_deref().unwrap();
            assert!(doubt.contains("limit of connections"), "{doubt}");
            assert!(doubt.contains("withdrawn"), "{doubt}");
        } else {
            expect_routes_may_be_withdrawn(&world, "address/drop");
        }
    }
}

/// Beside the trials of these addresses connections to a neighbour of each stood, or did not; at this time.
fn beside(world: &mut World, addresses: &[&str], stood: &[(bool, f64)]) {
    for address in addresses {
        let neighbour = format!("{}9", address.trim_end_matches('1'));
        let to = SocketAddr::new(neighbour.parse().unwrap(), 443);
        stands(world, &[&neighbour], 443);
        for (trial, (stood, at)) in (2..).zip(stood) {
            let check = contrast(world, address, to, Variation::Neighbour, trial, None);
            let step = if *stood {
                step(Operation::TcpConnect, None)
            } else {
                lost()
            };
            let (t0, t) = (*at, at + step.t - step.t0);
            world.push(check, vec![Step { t0, t, ..step }]);
        }
    }
}

#[test]
fn an_address_beside_which_a_neighbour_stands_meets_no_limit_by_rate() {
    let during = lost().t0;
    for (addresses, stood, is_free) in [
        (&RANGE[..], &[(true, during); 2][..], true),
        // One may have been lucky, one stood long afterwards, and three are too few.
        (&RANGE[..], &[(true, during)][..], false),
        (
            &RANGE[..],
            &[(true, during), (true, during + 100.0)][..],
            false,
        ),
        (&RANGE[..3], &[(true, during); 2][..], false),
    ] {
        let mut world = dead(lost, [(End::Never, 2); 3]);
        beside(&mut world, addresses, stood);
        if addresses.len() < RANGE.len() {
            stands(&mut world, &["151.101.1.9"], 443);
        }
        let verdict = expect(&world, "address/drop", Confidence::Likely);
        let doubt = verdict.techniques[0].doubt.as_deref().unwrap_or_default();
        let is_told = doubt.contains("limit of connections");
        assert_eq!(is_told, !is_free, "{doubt}");
    }
}

#[test]
fn an_address_beside_which_a_neighbour_is_silent_too_names_nothing() {
    let during = lost().t0;
    for stood in [[(false, during); 2], [(true, during), (false, during)]] {
        let mut world = dead(lost, [(End::Never, 2); 3]);
        // Three addresses are left of which nothing else is known.
        beside(&mut world, &RANGE[..1], &stood);
        let verdict = world.judge();
        silent(&verdict, Status::Inconclusive);
        let reason = verdict.reason.unwrap();
        assert!(reason.contains("limit of connections by rate"), "{reason}");
        // Four others that are silent by themselves elsewhere are named all the same.
        let others = ["23.1.1.1", "23.1.2.1", "23.2.1.1", "23.2.2.1"];
        world.fixed(&[&RANGE[..], &others[..]].concat());
        for address in others {
            for trial in 1..=3 {
                world.climb_again(address, trial, lost().into());
            }
        }
        assert_eq!(ids(&world.judge()), ["address/drop"]);
    }
}

#[test]
fn neighbours_that_are_silent_speak_for_their_whole_neighbourhood() {
    let during = lost().t0;
    // Four racks of one neighbourhood; beside two of them neighbours were silent, the others have none.
    let range = [
        "93.184.1.1",
        "93.184.2.1",
        "93.184.3.1",
        "93.184.4.1",
        "151.101.1.1",
    ];
    for (beside_at, is_named) in [(2, false), (1, true)] {
        let mut world = dead(lost, [(End::Never, 2); 3]);
        world.fixed(&[&range[..], &["151.101.2.1", "151.101.3.1"]].concat());
        for address in ["93.184.4.1", "151.101.2.1", "151.101.3.1"] {
            for trial in 1..=3 {
                world.climb_again(address, trial, lost().into());
            }
        }
        beside(&mut world, &range[..beside_at], &[(false, during)]);
        let verdict = world.judge();
        assert_eq!(verdict.techniques.is_empty(), !is_named, "{beside_at}");
        if !is_named {
            let reason = verdict.reason.unwrap();
            assert!(reason.contains("limit of connections by rate"), "{reason}");
        }
    }
}

#[test]
fn a_range_is_sure_where_four_of_it_have_no_neighbour_that_stands() {
    let mut world = dead(lost, [(End::Never, 2); 3]);
    let range = [&RANGE[..], &["93.190.9.1"]].concat();
    world.fixed(&range);
    for trial in 1..=3 {
        world.climb_again("93.190.9.1", trial, lost().into());
    }
    stands(&mut world, &["93.190.9.2"], 443);
    expect_routes_may_be_withdrawn(&world, "address/drop");
    // A limit by rate refuses nothing nearer than servers stand.
    let mut refusing = dead(refused, [(End::Refused(3), 2); 3]);
    stands(&mut refusing, &["93.184.2.9", "93.184.3.9"], 443);
    expect(&refusing, "address/refuse", Confidence::Confirmed);
}

// ---- addresses said to be unreachable -------------------------------------------------------------------------------

#[test]
fn hosts_said_to_be_unreachable_far_from_servers_are_named() {
    let world = dead(unreachable, [(End::Told(3, HOST_UNREACHABLE), 2); 3]);
    expect_routes_may_be_withdrawn(&world, "address/unreachable");
}

#[test]
fn many_networks_said_to_be_unreachable_by_one_router_are_likely() {
    let mut world = World::reachable();
    world.fixed(&RANGE);
    fails(&mut world, unreachable);
    expect(&world, "address/unreachable", Confidence::Likely);
}

#[test]
fn a_router_beside_the_servers_says_that_they_are_down() {
    for end in [5, 6] {
        let world = dead(
            unreachable,
            [(End::Told(end, HOST_UNREACHABLE), end - 1); 3],
        );
        silent(&world.judge(), Status::Inconclusive);
    }
}

#[test]
fn a_short_road_speaks_neither_for_servers_that_are_down_nor_against() {
    let mut world = World::reachable();
    world.fixed(&RANGE);
    fails(&mut world, unreachable);
    for control in CONTROLS {
        road(&mut world, RANGE[0], control, 443, End::Stands(2), 1);
    }
    for address in &RANGE[1..] {
        road(
            &mut world,
            address,
            address,
            443,
            End::Told(1, HOST_UNREACHABLE),
            0,
        );
    }
    expect(&world, "address/unreachable", Confidence::Likely);
}

#[test]
fn hosts_said_to_be_unreachable_by_routers_of_their_own_are_down() {
    let mut world = World::reachable();
    world.fixed(&RANGE);
    for (number, address) in RANGE.iter().enumerate() {
        let offender = format!("62.115.0.{number}");
        for trial in 1..=3 {
            let step = told(HOST_UNREACHABLE, Some(&offender));
            world.climb_again(address, trial, step.into());
        }
    }
    silent(&world.judge(), Status::Inconclusive);
}

// ---- ports ----------------------------------------------------------------------------------------------------------

#[test]
fn a_port_refused_nearer_than_another_stands_is_named_even_at_one_address() {
    let world = dead_port(&RANGE[..1], refused, End::Refused(3), 2);
    let verdict = expect(&world, "address_port/refuse", Confidence::Likely);
    let told = &verdict.techniques[0];
    assert!(told.doubt.as_deref().unwrap().contains("gateway"));
    assert!(told.seen.contains("after 3 hops"), "{}", told.seen);
    let world = dead_port(&RANGE[..2], refused, End::Refused(3), 2);
    expect(&world, "address_port/refuse", Confidence::Confirmed);
}

#[test]
fn a_port_refused_where_the_server_is_or_beside_it_is_closed() {
    for end in [5, 6, 7] {
        let world = dead_port(&RANGE, refused, End::Refused(end), end - 1);
        silent(&world.judge(), Status::Inconclusive);
    }
    let world = dead_port(&RANGE, refused, End::Never, 0);
    silent(&world.judge(), Status::Inconclusive);
}

#[test]
fn a_port_that_is_silent_nearer_than_another_stands_is_confirmed_at_two_addresses() {
    let world = dead_port(&RANGE[..2], lost, End::Never, 2);
    expect(&world, "address_port/drop", Confidence::Confirmed);
}

#[test]
fn a_port_that_is_silent_without_telling_roads_is_likely_at_two_addresses() {
    let world = dead_port(&RANGE[..2], lost, End::Never, 0);
    let mut short = world;
    for observation in &mut short.observations {
        let is_road = matches!(&observation.check.ask, Ask::Climb(climb) if climb.hops.is_some());
        if is_road && observation.failure().is_some() {
            observation.steps = vec![lost()];
        }
    }
    let verdict = expect(&short, "address_port/drop", Confidence::Likely);
    assert!(
        verdict.techniques[0]
            .doubt
            .as_deref()
            .unwrap()
            .contains("given up")
    );
    silent(
        &dead_port(&RANGE[..1], lost, End::Never, 2).judge(),
        Status::Inconclusive,
    );
}

#[test]
fn a_port_whose_packets_come_to_the_server_is_closed_there() {
    let world = dead_port(&RANGE, lost, End::Never, 5);
    silent(&world.judge(), Status::Inconclusive);
}

#[test]
fn a_port_that_is_silent_beside_a_silent_neighbour_names_nothing() {
    let during = lost().t0;
    let world = |stood: bool| {
        let mut world = dead_port(&RANGE, lost, End::Never, 2);
        beside(&mut world, &RANGE, &[(stood, during); 2]);
        world
    };
    let verdict = world(true).judge();
    assert_eq!(ids(&verdict), ["address_port/drop"]);
    silent(&world(false).judge(), Status::Inconclusive);
}

#[test]
fn what_was_tried_on_a_prohibited_port_alone_is_no_prohibited_address() {
    for (other_port, technique) in [
        (443, "address_port/unreachable"),
        (444, "address/unreachable"),
    ] {
        let told = || told(PROHIBITED, Some("62.115.0.9"));
        let mut world = dead_port_of(443, &RANGE[..2], told, End::Told(3, PROHIBITED), 2);
        let mut alone = world.catalog.targets[0].services[0].endpoints[0].clone();
        alone.id = "alone".to_owned();
        alone.port = other_port;
        alone.addresses = vec!["93.184.9.1".parse().unwrap()];
        for trial in 1..=3 {
            let mut check = climb_check("target", &alone, "93.184.9.1", Role::Target);
            check.trial = trial;
            world.push(check, vec![told()]);
        }
        world.catalog.targets[0].services[0].endpoints.push(alone);
        let verdict = world.judge();
        assert!(ids(&verdict).contains(&technique), "{:?}", ids(&verdict));
        let names_address = ids(&verdict).contains(&"address/unreachable");
        assert_eq!(names_address, other_port != 443);
    }
}

#[test]
fn a_port_prohibited_by_a_router_on_the_way_is_named() {
    let world = dead_port(&RANGE[..1], forbidden, End::Told(3, PROHIBITED), 2);
    let verdict = expect(&world, "address_port/unreachable", Confidence::Likely);
    assert!(
        verdict.techniques[0]
            .doubt
            .as_deref()
            .unwrap()
            .contains("router's owner")
    );
}

#[test]
fn a_port_prohibited_beside_the_server_is_the_servers_business() {
    for end in [5, 6] {
        let world = dead_port(&RANGE, forbidden, End::Told(end, PROHIBITED), end - 1);
        silent(&world.judge(), Status::Inconclusive);
    }
}

/// How connections end, how their road ends, and what that is called.
type Shut = (fn() -> Step, End, &'static str);

/// The ways in which a port that the web does not use is shut on the way, with what its roads show.
const SHUT: [Shut; 2] = [
    (lost, End::Never, "address_port/drop"),
    (refused, End::Refused(3), "address_port/refuse"),
];

#[test]
fn a_port_that_the_web_does_not_use_may_be_shut_for_everybody() {
    for (failed, end, technique) in SHUT {
        let world = dead_port_of(599, &RANGE[..2], failed, end, 2);
        let verdict = expect(&world, technique, Confidence::Likely);
        let doubt = verdict.techniques[0].doubt.as_deref().unwrap();
        assert!(doubt.contains("for everybody"), "{doubt}");
        assert!(!doubt.contains("given up") && !doubt.contains("gateway"));
    }
}

#[test]
fn where_every_control_on_such_a_port_fails_it_is_shut_for_everybody() {
    for (failed, end, technique) in SHUT {
        for control_failed in [lost as fn() -> Step, refused] {
            let mut world = dead_port_of(599, &RANGE[..2], failed, end, 2);
            assert_eq!(ids(&world.judge()), [technique]);
            let mut control = world.catalog.controls[0].clone();
            "odd".clone_into(&mut control.id);
            control.endpoint = Endpoint {
                id: "tcp://odd:5228".to_owned(),
                ..endpoint(Protocol::Tcp, 5228)
            };
            let check = climb_check("ground", &control.endpoint, "198.41.0.8", Role::Control);
            let id = "o3000".to_owned();
            world
                .ground
                .push(observation(id, check, vec![control_failed()]));
            world.catalog.controls.push(control);
            silent(&world.judge(), Status::Inconclusive);
        }
    }
}

/// The same port at controls' addresses, which stand on their own after six hops.
fn elsewhere(mut world: World, end: End, heard: u8) -> World {
    for control in &CONTROLS[..2] {
        road(&mut world, RANGE[0], control, 443, End::Stands(6), 5);
        road(&mut world, RANGE[0], control, 599, end, heard);
    }
    world
}

#[test]
fn a_port_that_comes_as_far_as_controls_are_is_shut_for_the_target_alone() {
    for (failed, end, technique) in SHUT {
        for (there, heard) in [(End::Refused(6), 5), (End::Stands(6), 5), (End::Never, 5)] {
            let world = dead_port_of(599, &RANGE[..2], failed, end, 2);
            let verdict = expect(
                &elsewhere(world, there, heard),
                technique,
                Confidence::Confirmed,
            );
            let evidence = &verdict.techniques[0].evidence;
            assert!(evidence.len() > 8, "{evidence:?}");
        }
    }
}

#[test]
fn a_port_that_ends_at_the_same_hop_on_the_way_to_controls_is_shut_for_everybody() {
    for (failed, end, _) in SHUT {
        for (there, heard) in [
            (end, 2),
            (End::Never, 2),
            (End::Never, 3),
            (End::Refused(3), 2),
            (End::Told(3, PROHIBITED), 2),
        ] {
            let world = dead_port_of(599, &RANGE[..2], failed, end, 2);
            let verdict = elsewhere(world, there, heard).judge();
            silent(&verdict, Status::Inconclusive);
            assert!(reason(&verdict).contains("for everybody"));
        }
    }
    let world = dead_port_of(599, &RANGE[..1], forbidden, End::Told(3, PROHIBITED), 2);
    assert_eq!(ids(&world.judge()), ["address_port/unreachable"]);
    silent(
        &elsewhere(world, End::Told(3, PROHIBITED), 2).judge(),
        Status::Inconclusive,
    );
}

#[test]
fn a_port_that_ends_somewhere_else_on_the_way_to_controls_leaves_the_doubt() {
    for ((failed, end, technique), there) in SHUT.into_iter().zip([End::Never, End::Refused(1)]) {
        let world = dead_port_of(599, &RANGE[..2], failed, end, 2);
        let verdict = expect(&elsewhere(world, there, 0), technique, Confidence::Likely);
        let doubt = verdict.techniques[0].doubt.as_deref().unwrap();
        assert!(doubt.contains("for everybody"), "{doubt}");
    }
}
