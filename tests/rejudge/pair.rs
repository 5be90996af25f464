//! A report and another vantage's: what is down, what is blocked, what is geography.

use blockprobe::analysis::again::judge_report;
use blockprobe::model::catalog::Protocol;
use blockprobe::model::check::{Contrast, Role, Variation};
use blockprobe::model::failure::Failure;
use blockprobe::model::observation::Operation;
use blockprobe::model::report::{Confidence, EndpointStatus, Status, Verdict};

use crate::world::{
    Cell, HONEST, Last, OTHER, World, climb_check, dns, endpoint, ids, impostor, proven, reply,
    report, silent, step,
};

const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;

/// What is said here with a control that looked so many seconds earlier, and the notes of the line.
fn settled(here: &World, there: &World, earlier: i64) -> (Verdict, Vec<String>) {
    let mut judged = report(here, "here", 30 * DAY);
    judge_report(
        &mut judged,
        Some(report(there, "there", 30 * DAY - earlier)),
    )
    .unwrap();
    (judged.verdicts.remove(0), judged.vantage.notes)
}

/// An address in a network of its own.
const FAR: &str = "151.101.1.69";

fn not_standing(failure: &Failure) -> Last {
    step(Operation::TcpConnect, Some(failure.clone())).into()
}

/// A world in which connections to these addresses, and to the host's own, fail so in three trials each.
fn failing(addresses: &[&str], failure: &Failure) -> World {
    let mut world = World::reachable();
    world.fixed(addresses);
    for address in [&[HONEST], addresses].concat() {
        for trial in 1..=3 {
            world.climb_again(address, trial, not_standing(failure));
        }
    }
    world
}

fn working(addresses: &[&str]) -> World {
    let mut world = World::reachable();
    world.fixed(addresses);
    for address in [&[HONEST], addresses].concat() {
        world.climb(address, proven());
    }
    world
}

#[test]
fn what_fails_at_both_vantages_is_down() {
    for (here, there) in [
        (Failure::GenericTimeout, Failure::GenericTimeout),
        (Failure::ConnectionRefused, Failure::GenericTimeout),
    ] {
        let (verdict, notes) = settled(&failing(&[], &here), &failing(&[], &there), HOUR);
        silent(&verdict, Status::Down);
        assert_eq!(verdict.confidence, Confidence::Likely);
        let endpoint = &verdict.services[0].endpoints[0];
        assert_eq!(endpoint.status, EndpointStatus::Down);
        assert!(endpoint.reason.as_deref().unwrap().contains("there"));
        assert!(
            notes.iter().any(|note| note.contains("60 minutes before")),
            "{notes:?}"
        );
    }
}

#[test]
fn a_silent_range_is_down_where_it_is_silent_from_elsewhere_too() {
    let range = ["93.184.216.1", "93.184.216.2", "93.184.216.3"];
    let here = failing(&range, &Failure::GenericTimeout);
    assert_eq!(ids(&here.judge()), ["address/drop"]);
    silent(&settled(&here, &here, HOUR).0, Status::Down);
}

#[test]
fn a_relay_that_offers_no_tcp_is_no_trial_of_a_connection() {
    let failure = Failure::GenericTimeout;
    let mut here = World::reachable();
    for trial in 1..=2 {
        here.climb_again(HONEST, trial, not_standing(&failure));
        let mut relay = climb_check(
            "target",
            &endpoint(Protocol::StunTcp, 3478),
            HONEST,
            Role::Control,
        );
        relay.id = format!("{}#{trial}", relay.id);
        relay.endpoints.clear();
        relay.contrast = Some(Contrast {
            of: "target/stun".to_owned(),
            varies: Variation::Transport,
        });
        here.push(relay, vec![not_standing(&failure).step()]);
    }
    let (verdict, _) = settled(&here, &working(&[]), HOUR);
    assert_eq!(verdict.techniques[0].confidence, Confidence::Likely);
    let doubt = verdict.techniques[0].doubt.as_deref().unwrap();
    assert!(doubt.contains("Too few connections"), "{doubt}");
}

#[test]
fn what_works_there_at_the_same_addresses_is_blocked_here() {
    for (failure, technique) in [
        (Failure::GenericTimeout, "address/drop"),
        (Failure::ConnectionRefused, "address/refuse"),
        (Failure::HostUnreachable, "address/unreachable"),
    ] {
        let here = failing(&[FAR], &failure);
        silent(&here.judge(), Status::Inconclusive);
        let (verdict, _) = settled(&here, &working(&[FAR]), HOUR);
        assert_eq!(ids(&verdict), [technique]);
        assert_eq!(verdict.status, Status::Blocked);
        assert_eq!(verdict.confidence, Confidence::Likely, "{technique}");
        let doubt = verdict.techniques[0].doubt.as_deref().unwrap();
        assert!(doubt.contains("60 minutes before this run"), "{doubt}");
        assert!(
            doubt.contains("The place on the path is not known"),
            "{doubt}"
        );
        let roads = failure != Failure::ConnectionRefused;
        assert_eq!(doubt.contains("this provider has lost"), roads, "{doubt}");
        assert_eq!(verdict.techniques[0].evidence.len(), 6);
    }
}

#[test]
fn roads_that_are_down_here_do_not_show_there() {
    let others: Vec<String> = (1..=12).map(|at| format!("93.184.{at}.200")).collect();
    let others: Vec<&str> = others.iter().map(String::as_str).collect();
    for (lost, is_named) in [(0, true), (1, false)] {
        let mut here = failing(&[FAR], &Failure::GenericTimeout);
        for address in &others {
            let mut check = climb_check(
                "target",
                &endpoint(Protocol::Tcp, 443),
                address,
                Role::Control,
            );
            check.endpoints.clear();
            here.push(check, vec![step(Operation::TcpConnect, None)]);
        }
        let silent = not_standing(&Failure::GenericTimeout).step();
        here.strangers(Protocol::Tcp, 11, lost, &silent);
        let (verdict, _) = settled(&here, &working(&[FAR]), HOUR);
        if is_named {
            assert_eq!(ids(&verdict), ["address/drop"]);
            assert_eq!(verdict.confidence, Confidence::Likely);
            let doubt = verdict.techniques[0].doubt.as_deref().unwrap();
            assert!(doubt.contains("2 of 14 addresses"), "{doubt}");
        } else {
            assert!(ids(&verdict).is_empty(), "{:?}", ids(&verdict));
        }
    }
}

#[test]
fn every_doubt_that_is_left_is_told() {
    let on_an_odd_port = |mut world: World| {
        world.catalog.targets[0].services[0].endpoints[0].port = 5222;
        world.fixed(&[FAR]);
        world
    };
    let mut here = on_an_odd_port(World::reachable());
    let mut there = on_an_odd_port(World::reachable());
    let silent = Failure::GenericTimeout;
    for address in [HONEST, FAR] {
        there.climb(address, proven());
        for trial in 1..=3 {
            here.climb_again(address, trial, not_standing(&silent));
        }
    }
    let (verdict, _) = settled(&here, &there, HOUR);
    assert_eq!(ids(&verdict), ["address/drop"]);
    let doubt = verdict.techniques[0].doubt.as_deref().unwrap();
    assert!(doubt.contains("allows only some ports"), "{doubt}");
    assert!(
        doubt.contains("The place on the path is not known"),
        "{doubt}"
    );
}

#[test]
fn one_address_alone_is_likely_for_it_may_have_failed_since() {
    let here = failing(&[], &Failure::GenericTimeout);
    let (verdict, _) = settled(&here, &working(&[]), HOUR);
    assert_eq!(ids(&verdict), ["address/drop"]);
    assert_eq!(verdict.confidence, Confidence::Likely);
    assert!(
        verdict.techniques[0]
            .doubt
            .as_deref()
            .unwrap()
            .contains("servers that failed meanwhile")
    );
}

#[test]
fn an_address_that_is_dead_there_too_is_down_and_not_blocked() {
    let here = failing(&[FAR], &Failure::GenericTimeout);
    // Another one of the same names works there.
    let mut there = failing(&[FAR], &Failure::GenericTimeout);
    there.fixed(&[FAR, OTHER]);
    there.climb(OTHER, proven());
    silent(&settled(&here, &there, HOUR).0, Status::Inconclusive);
}

#[test]
fn one_place_of_servers_that_the_other_vantage_was_not_led_to_may_be_down() {
    let mut there = World::new();
    for resolver in ["isp", "google"] {
        there.answer(resolver, 1, &[OTHER]);
    }
    there.climb(OTHER, proven());
    let of_place = failing(&["93.184.216.1"], &Failure::GenericTimeout);
    silent(&settled(&of_place, &there, HOUR).0, Status::Inconclusive);
    let of_two = failing(&[FAR], &Failure::GenericTimeout);
    assert_eq!(ids(&settled(&of_two, &there, HOUR).0), ["address/drop"]);
}

#[test]
fn refusals_that_were_met_once_are_no_finding_whatever_works_there() {
    for (trials, is_named) in [(3, true), (2, false), (1, false)] {
        let mut here = World::reachable();
        here.fixed(&[FAR]);
        for address in [HONEST, FAR] {
            for trial in 1..=trials {
                here.climb_again(address, trial, not_standing(&Failure::ConnectionRefused));
            }
        }
        let (verdict, _) = settled(&here, &working(&[FAR]), HOUR);
        assert_eq!(!ids(&verdict).is_empty(), is_named, "{trials}");
    }
}

#[test]
fn a_name_that_is_not_resolved_there_shows_nothing_down_that_was_connected_to_here() {
    let here = failing(&[], &Failure::GenericTimeout);
    let mut there = World::new();
    for trial in 1..=3 {
        there.denial("isp", trial, &Failure::DnsServfail, 2);
    }
    silent(&settled(&here, &there, HOUR).0, Status::Inconclusive);
    // Nor where its addresses, which other resolvers tell, are answered there.
    let mut there_answered = World::without_control_at("isp");
    there_answered.honest_resolvers();
    for trial in 1..=3 {
        there_answered.denial("isp", trial, &Failure::DnsServfail, 2);
    }
    there_answered.climb(HONEST, proven());
    silent(
        &settled(&here, &there_answered, HOUR).0,
        Status::Inconclusive,
    );
    // Where it is not resolved here either it is, unless it is answered there.
    silent(&settled(&there, &there, HOUR).0, Status::Down);
    let mut misled = World::new();
    for trial in 1..=3 {
        misled.denial("isp", trial, &Failure::DnsServerMisbehaving, 4);
    }
    silent(&settled(&misled, &there, HOUR).0, Status::Down);
    silent(
        &settled(&misled, &there_answered, HOUR).0,
        Status::Inconclusive,
    );
}

#[test]
fn a_control_that_is_older_than_its_clock_says_is_told_by_the_servers_of_its_day() {
    let here = failing(&[FAR], &Failure::GenericTimeout);
    let timed = |world: &World, date: &str| {
        let mut world = world.clone();
        world.control_climb("", 200, "");
        world.control_climb("", 200, "");
        for observation in &mut world.ground {
            for step in &mut observation.steps {
                if let Some(http) = &mut step.http {
                    http.headers = vec![("date".to_owned(), date.to_owned())];
                }
            }
        }
        world
    };
    // Its own clock says an hour before this run, which began at midnight.
    for (date, is_told) in [
        ("Fri, 30 Jan 2026 23:00:00 GMT", true),
        ("Thu, 29 Jan 2026 22:00:00 GMT", false),
    ] {
        let (verdict, notes) = settled(&here, &timed(&working(&[FAR]), date), HOUR);
        assert_eq!(!ids(&verdict).is_empty(), is_told, "{notes:?}");
    }
    // On one machine both are wrong by as much.
    let here = timed(&here, "Fri, 30 Jan 2026 00:00:00 GMT");
    let there = timed(&working(&[FAR]), "Thu, 29 Jan 2026 23:00:00 GMT");
    let (verdict, notes) = settled(&here, &there, HOUR);
    assert_eq!(ids(&verdict), ["address/drop"], "{notes:?}");
}

#[test]
fn an_address_that_the_other_vantage_was_not_led_to_is_no_contrast() {
    let mut there = World::new();
    there.answer("google", 1, &[OTHER]);
    there.answer("isp", 1, &[OTHER]);
    there.climb(OTHER, proven());
    let here = failing(&[], &Failure::GenericTimeout);
    silent(&settled(&here, &there, HOUR).0, Status::Inconclusive);
}

#[test]
fn an_older_control_leaves_a_doubt_and_an_old_one_says_nothing() {
    let here = failing(&[OTHER], &Failure::GenericTimeout);
    for earlier in [3 * HOUR, -3 * HOUR] {
        let (verdict, notes) = settled(&here, &working(&[OTHER]), earlier);
        assert_eq!(verdict.confidence, Confidence::Likely);
        assert!(
            verdict.techniques[0]
                .doubt
                .as_deref()
                .unwrap()
                .contains("3 hours")
        );
        assert!(
            notes.iter().any(|note| note.contains("3 hours")),
            "{notes:?}"
        );
    }
    for earlier in [25 * HOUR, -25 * HOUR] {
        let (verdict, notes) = settled(&here, &working(&[OTHER]), earlier);
        silent(&verdict, Status::Inconclusive);
        silent(&settled(&here, &here, earlier).0, Status::Inconclusive);
        assert!(
            notes.iter().any(|note| note.contains("is not used")),
            "{notes:?}"
        );
    }
}

#[test]
fn a_control_whose_own_line_is_not_open_says_nothing() {
    let mut there = failing(&[], &Failure::GenericTimeout);
    there.portal();
    let here = failing(&[], &Failure::GenericTimeout);
    let (verdict, notes) = settled(&here, &there, HOUR);
    silent(&verdict, Status::Inconclusive);
    assert!(
        notes.iter().any(|note| note.contains("captive_portal")),
        "{notes:?}"
    );
}

#[test]
fn a_control_of_which_nothing_was_measured_says_nothing() {
    let here = failing(&[], &Failure::GenericTimeout);
    let mut there = working(&[OTHER]);
    there.ground.clear();
    let (verdict, notes) = settled(&here, &there, HOUR);
    silent(&verdict, Status::Inconclusive);
    let words = "it reached no control server";
    assert!(notes.iter().any(|note| note.contains(words)), "{notes:?}");
}

#[test]
fn what_a_report_holds_twice_was_seen_once() {
    let mut here = World::new();
    here.denial("isp", 1, &Failure::DnsNxdomain, 3);
    here.answer("google", 1, &[HONEST]);
    let judged = |here: &World, times: usize| {
        let mut report = report(here, "here", 0);
        let all = report.observations.clone();
        report.observations = all
            .into_iter()
            .flat_map(|it| std::iter::repeat_n(it, times))
            .collect();
        judge_report(&mut report, None).unwrap();
        report.verdicts
    };
    let once = judged(&here, 1);
    assert_eq!(once, judged(&here, 3));
    here.denial("isp", 2, &Failure::DnsNxdomain, 3);
    here.denial("isp", 3, &Failure::DnsNxdomain, 3);
    assert_ne!(once, judged(&here, 1), "more trials would say more");
}

#[test]
fn a_report_is_no_control_of_itself() {
    let here = failing(&[], &Failure::GenericTimeout);
    let mut judged = report(&here, "here", 0);
    judge_report(&mut judged, Some(report(&here, "here", 0))).unwrap();
    silent(&judged.verdicts[0], Status::Inconclusive);
}

#[test]
fn failures_of_the_other_machine_itself_show_nothing_down() {
    let here = failing(&[], &Failure::GenericTimeout);
    for failure in [
        Failure::PermissionDenied,
        Failure::NetworkUnreachable,
        Failure::Interrupted,
    ] {
        let there = failing(&[], &failure);
        silent(&settled(&here, &there, HOUR).0, Status::Inconclusive);
    }
}

#[test]
fn a_name_that_nobody_here_knows_is_denied_if_it_is_known_elsewhere() {
    let mut here = World::new();
    for resolver in ["isp", "quad9"] {
        for trial in 1..=3 {
            here.denial(resolver, trial, &Failure::DnsNxdomain, 3);
        }
    }
    silent(&here.judge(), Status::Inconclusive);
    let (verdict, _) = settled(&here, &working(&[]), HOUR);
    assert_eq!(ids(&verdict), ["domain_name/nxdomain"]);
    assert_eq!(verdict.confidence, Confidence::Likely);
    assert!(verdict.techniques[0].doubt.is_some());

    // Nobody on the way can speak for a protected resolver: the name has gone, here at least.
    here.denial("google", 1, &Failure::DnsNxdomain, 3);
    silent(&settled(&here, &working(&[]), HOUR).0, Status::Inconclusive);
}

#[test]
fn a_name_that_every_resolver_asks_for_in_vain_has_failing_name_servers() {
    let scene = |in_protection: bool| {
        let mut here = World::new();
        let protected: &[&str] = if in_protection { &["google"] } else { &[] };
        for resolver in [&["isp", "quad9"], protected].concat() {
            for trial in 1..=3 {
                here.denial(resolver, trial, &Failure::DnsServfail, 2);
            }
        }
        settled(&here, &working(&[]), HOUR).0
    };
    silent(&scene(true), Status::Inconclusive);
    let verdict = scene(false);
    assert_eq!(ids(&verdict), ["domain_name/servfail"]);
    let doubt = verdict.techniques[0].doubt.as_deref().unwrap();
    assert!(doubt.contains("its own name servers may fail"), "{doubt}");
}

#[test]
fn silence_about_a_name_that_is_known_elsewhere_is_chance_on_a_line_that_loses_much() {
    for (again, named) in [(6, true), (26, false)] {
        let mut here = World::new();
        here.loss(again);
        for trial in 1..=4 {
            here.silence("isp", trial);
        }
        let (verdict, _) = settled(&here, &working(&[]), HOUR);
        if named {
            assert_eq!(ids(&verdict), ["domain_name/drop"]);
            assert_eq!(verdict.confidence, Confidence::Likely);
            assert!(verdict.techniques[0].doubt.is_some());
        } else {
            silent(&verdict, Status::Inconclusive);
        }
    }
}

#[test]
fn what_this_system_resolves_is_not_unanswered_whatever_is_known_elsewhere() {
    for (failure, technique) in [
        (Failure::GenericTimeout, None),
        (Failure::DnsServfail, None),
        (Failure::DnsNxdomain, Some("domain_name/nxdomain")),
    ] {
        let mut here = World::new();
        let view = dns(&[reply(0, &[HONEST])], &[]);
        here.lookup(1, view, None);
        for trial in 1..=4 {
            match failure {
                Failure::GenericTimeout => here.silence("isp", trial),
                _ => here.denial("isp", trial, &failure, 2),
            }
        }
        let (verdict, _) = settled(&here, &working(&[]), HOUR);
        assert_eq!(ids(&verdict), Vec::from_iter(technique));
        let doubts = verdict
            .techniques
            .iter()
            .filter_map(|it| it.doubt.as_deref());
        assert!(
            doubts
                .into_iter()
                .all(|doubt| doubt.contains("own lookups resolve"))
        );
    }
}

#[test]
fn an_answer_that_honest_resolvers_give_elsewhere_is_geography() {
    let mut here = World::new();
    here.honest_resolvers();
    for trial in 1..=3 {
        here.answer("isp", trial, &[OTHER]);
    }
    here.climb(OTHER, impostor());
    here.climb(HONEST, proven());
    assert_eq!(ids(&here.judge()), ["domain_name/false_answer"]);
    let mut there = World::new();
    there.answer("google", 1, &[OTHER]);
    assert!(ids(&settled(&here, &there, HOUR).0).is_empty());
    // One that nobody gives elsewhere is not.
    let kept = settled(&here, &working(&[]), HOUR).0;
    assert_eq!(ids(&kept), ["domain_name/false_answer"]);
}

#[test]
fn a_name_that_fails_at_its_own_address_alone_and_is_proved_elsewhere_is_likely() {
    for (cell, technique) in [
        (Cell::Reset, "server_name_at_address/reset"),
        (Cell::Silence, "server_name_at_address/drop"),
        (Cell::Alert(112), "server_name_at_address/alert"),
        (Cell::Impostor("censor"), "server_name_at_address/intercept"),
    ] {
        let mut here = World::reachable();
        here.matrix(cell, Cell::Answer, Cell::Answer, Cell::Answer, 3);
        let (verdict, _) = settled(&here, &working(&[]), HOUR);
        assert_eq!(ids(&verdict), [technique]);
        assert_eq!(verdict.status, Status::Blocked, "{technique}");
        assert_eq!(verdict.confidence, Confidence::Likely, "{technique}");
        let told = &verdict.techniques[0];
        assert!(told.seen.contains("proves by TLS"), "{told:#?}");
        // The servers may have failed since, or treat those who come from here so; that they treat everybody so is answered.
        let doubt = told.doubt.as_deref().unwrap();
        assert!(doubt.starts_with("The other vantage looked"), "{doubt}");
        assert!(!doubt.contains("only another vantage"), "{doubt}");
        let is_somebody = matches!(cell, Cell::Impostor(_));
        assert_eq!(doubt.contains("parental control"), is_somebody);
        // One who answers so at times is no censor.
        here.contrast(HONEST, Variation::Shape, 4, cell.last());
        here.contrast(HONEST, Variation::Shape, 5, Cell::Answer.last());
        if matches!(cell, Cell::Alert(_) | Cell::Impostor(_)) {
            silent(&settled(&here, &working(&[]), HOUR).0, Status::Inconclusive);
        }
    }
}

#[test]
fn what_no_vantage_elsewhere_can_settle_is_still_doubted() {
    let mut here = World::reachable();
    here.matrix(Cell::Reset, Cell::Answer, Cell::Answer, Cell::Answer, 3);
    here.controls_over_ipv6();
    let (verdict, _) = settled(&here, &working(&[]), HOUR);
    assert_eq!(ids(&verdict), ["server_name_at_address/reset"]);
    assert_eq!(verdict.confidence, Confidence::Likely);
    let doubt = verdict.techniques[0].doubt.as_deref().unwrap();
    assert!(doubt.contains("family"), "{doubt}");
}

#[test]
fn a_server_that_does_so_to_its_name_everywhere_is_down_and_not_blocked() {
    for cell in [Cell::Alert(112), Cell::Silence, Cell::Reset, Cell::Close] {
        let mut world = World::reachable();
        world.matrix(cell, Cell::Answer, Cell::Answer, Cell::Answer, 3);
        silent(&settled(&world, &world, HOUR).0, Status::Down);
    }
}

#[test]
fn what_is_looked_for_on_any_address_at_both_vantages_is_blocked_at_both() {
    let mut world = World::reachable();
    world.matrix(Cell::Reset, Cell::Answer, Cell::Reset, Cell::Answer, 3);
    let verdict = settled(&world, &world, HOUR).0;
    assert_eq!(ids(&verdict), ["server_name/reset"]);
    assert_eq!(verdict.status, Status::Blocked);
}
