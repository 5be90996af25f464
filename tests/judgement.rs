//! The rules, one by one: each names its technique, stays silent on every innocent explanation, and tells its doubt.

#[path = "judgement/chance.rs"]
mod chance;
#[path = "judgement/connections.rs"]
mod connections;
#[path = "judgement/contrasts.rs"]
mod contrasts;
#[path = "judgement/denials.rs"]
mod denials;
#[path = "judgement/described.rs"]
mod described;
#[path = "judgement/everybody.rs"]
mod everybody;
#[path = "judgement/found.rs"]
mod found;
#[path = "judgement/lines.rs"]
mod lines;
#[path = "judgement/names.rs"]
mod names;
#[path = "judgement/places.rs"]
mod places;
#[path = "judgement/quic.rs"]
mod quic;
#[path = "judgement/relays.rs"]
mod relays;
#[path = "judgement/roads.rs"]
mod roads;
#[path = "judgement/transports.rs"]
mod transports;
#[path = "judgement/world.rs"]
mod world;

use blockprobe::model::check::Role;
use blockprobe::model::failure::Failure;
use blockprobe::model::observation::Operation;
use blockprobe::model::report::{Confidence, EndpointStatus, Regime, Status, Verdict};

use crate::world::{HONEST, OTHER, World, ids, impostor, proven, silent, step};

// ---- what names each technique ------------------------------------------------------------------------------------

#[test]
fn a_name_denied_in_three_trials_is_confirmed_when_protected_resolvers_know_it() {
    for (failure, rcode, technique) in [
        (Failure::DnsNxdomain, 3, "domain_name/nxdomain"),
        (Failure::DnsNoAnswer, 0, "domain_name/no_answer"),
        (Failure::DnsRefused, 5, "domain_name/refused_answer"),
    ] {
        let mut world = World::new();
        world.honest_resolvers();
        for trial in 1..=3 {
            world.denial("isp", trial, &failure, rcode);
        }
        let verdict = world.judge();
        assert_eq!(verdict.status, Status::Blocked, "{technique}");
        assert_eq!(ids(&verdict), [technique]);
        assert_eq!(verdict.techniques[0].confidence, Confidence::Confirmed);
        assert_eq!(verdict.confidence, Confidence::Confirmed);
        assert_eq!(verdict.services[0].endpoints[0].failure, Some(failure));
        assert!(!verdict.techniques[0].evidence.is_empty());
    }
}

#[test]
fn a_lost_question_says_nothing_against_denials() {
    for (lost, denied, confidence) in [
        (1, vec![2, 3, 4], Confidence::Confirmed),
        (2, vec![1, 3], Confidence::Likely),
    ] {
        let mut world = World::new();
        world.honest_resolvers();
        world.silence("isp", lost);
        for trial in denied {
            world.denial("isp", trial, &Failure::DnsNxdomain, 3);
        }
        let verdict = world.judge();
        assert_eq!(ids(&verdict), ["domain_name/nxdomain"]);
        assert_eq!(verdict.techniques[0].confidence, confidence);
        let is_doubted = verdict.techniques[0].doubt.is_some();
        assert_eq!(is_doubted, confidence == Confidence::Likely);
    }
}

#[test]
fn failures_of_a_resolver_that_is_silent_now_and_then_are_its_own_trouble() {
    for (failure, rcode, denials) in [
        (Failure::DnsServfail, 2, 3),
        (Failure::DnsRefused, 5, 3),
        (Failure::DnsNxdomain, 3, 1),
    ] {
        let mut world = World::new();
        world.honest_resolvers();
        for trial in 1..=denials {
            world.denial("isp", trial, &failure, rcode);
        }
        world.silence("isp", denials + 1);
        silent(&world.judge(), Status::Inconclusive);
    }
}

/// What is said of a name for which the provider's resolver fails or is silent in every trial.
fn asked_in_vain(
    silent: bool,
    others: impl FnOnce(&mut World, &dyn Fn(&mut World, &str, u32)),
) -> Verdict {
    let fails = |world: &mut World, resolver: &str, trial: u32| {
        if silent {
            world.silence(resolver, trial);
        } else {
            world.denial(resolver, trial, &Failure::DnsServfail, 2);
        }
    };
    let mut world = World::new();
    world.answer("google", 1, &[HONEST]);
    for trial in 1..=if silent { 4 } else { 3 } {
        fails(&mut world, "isp", trial);
    }
    others(&mut world, &fails);
    let verdict = world.judge();
    let technique = if silent {
        "domain_name/drop"
    } else {
        "domain_name/servfail"
    };
    assert_eq!(ids(&verdict), [technique]);
    assert_eq!(verdict.status, Status::Blocked);
    assert_eq!(verdict.confidence, verdict.techniques[0].confidence);
    verdict
}

#[test]
fn a_resolver_that_asks_in_vain_may_be_cut_off_from_the_servers_of_the_name() {
    for silent in [false, true] {
        let verdict = asked_in_vain(silent, |_, _| {});
        assert_eq!(verdict.confidence, Confidence::Likely);
        let doubt = verdict.techniques[0].doubt.as_deref().unwrap_or_default();
        assert!(doubt.contains("unable to reach the servers"), "{doubt}");
    }
}

#[test]
fn resolvers_of_several_operators_do_not_share_a_cut() {
    for silent in [false, true] {
        for (others, confidence) in [
            (&["one", "two"][..], Confidence::Confirmed),
            (&["one"], Confidence::Likely),
            // Of one operator.
            (&["one", "one"], Confidence::Likely),
            // One that does not answer control names either.
            (&["one", "mute"], Confidence::Likely),
        ] {
            let verdict = asked_in_vain(silent, |world, fails| {
                for (at, operator) in (1_u8..).zip(others) {
                    let id = format!("{operator}{at}");
                    world.witness(&id, operator, at);
                    if *operator != "mute" {
                        world.control(&id, 1);
                    }
                    fails(world, &id, 1);
                }
            });
            assert_eq!(verdict.confidence, confidence, "{others:?}");
            let is_doubted = verdict.techniques[0].doubt.is_some();
            assert_eq!(is_doubted, confidence == Confidence::Likely);
        }
    }
}

#[test]
fn where_some_that_are_asked_in_clear_know_the_name_a_cache_may_speak() {
    for silent in [false, true] {
        let verdict = asked_in_vain(silent, |world, fails| {
            for (at, operator) in (1_u8..).zip(["one", "two"]) {
                world.witness(operator, operator, at);
                world.control(operator, 1);
                fails(world, operator, 1);
            }
            world.answer("quad9", 1, &[HONEST]);
        });
        assert_eq!(verdict.confidence, Confidence::Likely);
        let doubt = verdict.techniques[0].doubt.as_deref().unwrap_or_default();
        assert!(doubt.contains("from a cache"), "{doubt}");
    }
}

#[test]
fn where_a_protected_resolver_fails_too_the_names_own_servers_do() {
    for fails_too in [false, true] {
        let mut world = World::new();
        world.answer("quad9", 1, &[HONEST]);
        world.witness("one", "one", 1);
        world.control("one", 1);
        world.answer("one", 1, &[HONEST]);
        for trial in 1..=3 {
            world.denial("isp", trial, &Failure::DnsServfail, 2);
        }
        if fails_too {
            world.denial("google", 1, &Failure::DnsServfail, 2);
            silent(&world.judge(), Status::Inconclusive);
        } else {
            assert_eq!(ids(&world.judge()), ["domain_name/servfail"]);
        }
    }
}

#[test]
fn the_providers_resolver_in_the_place_of_others_is_no_other_operator() {
    for silent in [false, true] {
        let verdict = asked_in_vain(silent, |world, fails| {
            for trial in 1..=3 {
                world.control("decoy", trial);
            }
            for (at, operator) in (1_u8..).zip(["one", "two"]) {
                world.witness(operator, operator, at);
                world.control(operator, 1);
                fails(world, operator, 1);
            }
        });
        assert_eq!(verdict.confidence, Confidence::Likely);
    }
}

#[test]
fn a_question_is_sent_as_often_as_the_loss_is_reckoned_by() {
    let limits = blockprobe::measure::limits::Limits::default();
    let sendings = limits.dns_resend.len() + 1;
    assert_eq!(sendings, blockprobe::analysis::chance::SENDINGS);
}

#[test]
fn silence_for_one_name_is_doubted_the_more_the_line_loses_and_then_says_nothing() {
    // A line that loses 5, 20 and 28 % of the datagrams each way; and 20 % where many names were asked.
    for (again, names, confidence) in [
        (6, 1, Some(Confidence::Confirmed)),
        (6, 40, Some(Confidence::Confirmed)),
        (20, 1, Some(Confidence::Likely)),
        (26, 1, None),
        (20, 40, None),
    ] {
        let mut world = World::new();
        world.answer("google", 1, &[HONEST]);
        for (at, operator) in (1..).zip(["one", "two"]) {
            world.witness(operator, operator, at);
            world.control(operator, 1);
            world.silence(operator, 1);
        }
        world.other_names(names - 1);
        world.loss(again);
        for trial in 1..=4 {
            world.silence("isp", trial);
        }
        let verdict = world.judge();
        let Some(confidence) = confidence else {
            silent(&verdict, Status::Inconclusive);
            continue;
        };
        assert_eq!(ids(&verdict), ["domain_name/drop"]);
        assert_eq!(verdict.techniques[0].confidence, confidence);
        let doubt = verdict.techniques[0].doubt.as_deref();
        let is_doubted = doubt.is_some_and(|doubt| doubt.contains("by chance"));
        assert_eq!(is_doubted, confidence == Confidence::Likely, "{doubt:?}");
    }
}

#[test]
fn a_bogon_where_others_know_the_address_is_a_false_answer() {
    let mut world = World::new();
    world.honest_resolvers();
    for trial in 1..=3 {
        world.bogon("isp", trial, "10.10.34.35");
    }
    let verdict = world.judge();
    assert_eq!(ids(&verdict), ["domain_name/false_answer"]);
    assert_eq!(verdict.confidence, Confidence::Confirmed);
}

#[test]
fn a_known_block_page_address_needs_no_repetition() {
    let mut world = World::new();
    world.honest_resolvers();
    world.answer("isp", 1, &["62.33.207.197"]);
    let verdict = world.judge();
    assert_eq!(ids(&verdict), ["domain_name/false_answer"]);
    assert_eq!(verdict.confidence, Confidence::Confirmed);
}

#[test]
fn an_address_where_somebody_else_answers_is_false_once_the_honest_one_proves_itself() {
    let mut world = World::new();
    world.honest_resolvers();
    for trial in 1..=3 {
        world.answer("isp", trial, &[OTHER]);
    }
    world.climb(OTHER, impostor());
    world.climb(HONEST, proven());
    let verdict = world.judge();
    assert_eq!(ids(&verdict), ["domain_name/false_answer"]);
    assert_eq!(verdict.status, Status::Blocked);
    assert_eq!(verdict.confidence, Confidence::Likely);
    let doubt = verdict.techniques[0].doubt.as_deref().unwrap_or_default();
    assert!(doubt.contains("one domain"), "{doubt}");

    // No mistake of an operator's sends another domain there as well.
    for (host, confidence) in [
        ("static.web.example", Confidence::Likely),
        ("elsewhere.test", Confidence::Confirmed),
    ] {
        let mut world = world.clone();
        let endpoints = &mut world.catalog.targets[0].services[0].endpoints;
        let mut second = endpoints[0].clone();
        second.id = format!("https://{host}/");
        second.host = Some(host.to_owned());
        endpoints.push(second);
        let told = world::dns(&[world::reply(0, &[OTHER])], &[]);
        let check = world::query("target", "isp", host, Role::Target, 1);
        world.push(check, vec![world::resolve(told, None)]);
        let verdict = world.judge();
        assert_eq!(verdict.techniques[0].confidence, confidence, "{host}");
    }
}

#[test]
fn two_contradicting_answers_to_three_queries_are_an_injection() {
    let mut world = World::new();
    world.honest_resolvers();
    for trial in 1..=3 {
        world.two_answers("isp", trial, "10.10.34.35", HONEST);
    }
    let verdict = world.judge();
    assert_eq!(ids(&verdict), ["domain_name/injected_answer"]);
    assert_eq!(verdict.confidence, Confidence::Confirmed);
    assert_eq!(verdict.status, Status::Blocked);
}

#[test]
fn an_answer_from_where_no_resolver_is_has_no_innocent_explanation() {
    let mut world = World::new();
    world.honest_resolvers();
    world.denial("isp", 1, &Failure::DnsNxdomain, 3);
    world.denial("decoy", 1, &Failure::DnsNxdomain, 3);
    world.decoy_is_silent(0.75);
    let verdict = world.judge();
    assert_eq!(ids(&verdict), ["domain_name/injected_answer"]);
    assert_eq!(verdict.confidence, Confidence::Likely);
    let doubt = verdict.techniques[0].doubt.as_deref().unwrap();
    assert!(doubt.contains("fewer than three"), "{doubt}");
    for trial in 2..=3 {
        world.denial("decoy", trial, &Failure::DnsNxdomain, 3);
    }
    let verdict = world.judge();
    assert_eq!(verdict.techniques[0].confidence, Confidence::Likely);
    for trial in 2..=3 {
        world.decoy_is_silent_beside(trial);
    }
    let verdict = world.judge();
    assert_eq!(verdict.techniques[0].confidence, Confidence::Confirmed);
    assert_eq!(verdict.techniques[0].doubt, None);
}

#[test]
fn a_control_that_is_silent_beside_the_decoys_answer_needs_none_before() {
    let mut world = World::new();
    world.honest_resolvers();
    world.denial("isp", 1, &Failure::DnsNxdomain, 3);
    world.denial("decoy", 1, &Failure::DnsNxdomain, 3);
    assert!(!ids(&world.judge()).contains(&"domain_name/injected_answer"));
    world.decoy_is_silent_beside(2);
    assert_eq!(ids(&world.judge()), ["domain_name/injected_answer"]);
    // It was silent at another moment.
    for step in &mut world.observations.last_mut().unwrap().steps {
        (step.t0, step.t) = (2.0, 2.75);
    }
    assert!(!ids(&world.judge()).contains(&"domain_name/injected_answer"));
}

#[test]
fn what_the_decoy_says_later_than_it_was_waited_for_may_be_a_slow_lines_answer() {
    let denied = || {
        let mut world = World::new();
        world.honest_resolvers();
        world.denial("isp", 1, &Failure::DnsNxdomain, 3);
        world.denial("decoy", 1, &Failure::DnsNxdomain, 3);
        world
    };
    let is_named = |world: &World| ids(&world.judge()).contains(&"domain_name/injected_answer");
    let mut fair = denied();
    fair.decoy_is_silent(0.75);
    assert!(is_named(&fair));
    let mut late = denied();
    late.decoy_is_silent(0.75);
    let late_step = &mut late.observations.last_mut().unwrap().steps[0];
    late_step.dns.as_mut().unwrap().replies[0].t = 5.0;
    assert!(!is_named(&late));
    // Nobody else was heard while it was silent: the line may have been.
    let mut unheard = denied();
    unheard.decoy_is_silent(0.75);
    for observation in &mut unheard.ground {
        for step in &mut observation.steps {
            for reply in step.dns.iter_mut().flat_map(|dns| &mut dns.replies) {
                reply.t = 2.0;
            }
        }
    }
    assert!(!is_named(&unheard));
    assert!(!is_named(&denied()));
}

#[test]
fn a_hijacked_resolver_is_listed_at_the_resolver_and_is_no_contrast() {
    let mut world = World::new();
    for trial in 1..=3 {
        world.control("decoy", trial);
    }
    world.control("quad9", 1);
    let ground = world.ground();
    let quad9 = ground
        .resolvers
        .iter()
        .find(|resolver| resolver.name == "quad9")
        .unwrap();
    assert_eq!(quad9.techniques[0].id, "resolver/hijacked_resolver");
    assert_eq!(quad9.techniques[0].confidence, Confidence::Confirmed);
    assert!(quad9.techniques[0].doubt.is_some());

    // Its honest-looking answer proves nothing: it is not that resolver's.
    world.answer("quad9", 1, &[HONEST]);
    for trial in 1..=3 {
        world.denial("isp", trial, &Failure::DnsNxdomain, 3);
    }
    assert_eq!(world.judge().status, Status::Inconclusive);
}

// ---- what leaves each rule silent ---------------------------------------------------------------------------------

#[test]
fn a_name_that_nobody_knows_is_retired_and_not_blocked() {
    let mut world = World::new();
    for resolver in ["isp", "google", "quad9"] {
        for trial in 1..=3 {
            world.denial(resolver, trial, &Failure::DnsNxdomain, 3);
        }
    }
    silent(&world.judge(), Status::Inconclusive);
}

#[test]
fn a_resolver_that_answers_no_control_either_is_dead_and_not_a_censor() {
    let mut world = World::without_control_at("isp");
    world.honest_resolvers();
    for trial in 1..=4 {
        world.silence("isp", trial);
    }
    let verdict = world.judge();
    silent(&verdict, Status::Inconclusive);
    assert!(
        verdict.reason.unwrap().contains("control names"),
        "the reason names the resolver"
    );
}

#[test]
fn a_household_filter_that_answers_the_null_address_is_not_a_censor() {
    for null in ["0.0.0.0", "::"] {
        let mut world = World::new();
        world.honest_resolvers();
        for trial in 1..=3 {
            world.bogon("isp", trial, null);
        }
        silent(&world.judge(), Status::Inconclusive);
    }
}

#[test]
fn a_flapping_answer_names_nothing() {
    let mut world = World::new();
    world.honest_resolvers();
    world.denial("isp", 1, &Failure::DnsServfail, 2);
    world.answer("isp", 2, &[HONEST]);
    world.denial("isp", 3, &Failure::DnsServfail, 2);
    silent(&world.judge(), Status::Inconclusive);
}

#[test]
fn three_lost_queries_name_nothing() {
    let mut world = World::new();
    world.honest_resolvers();
    for trial in 1..=3 {
        world.silence("isp", trial);
    }
    silent(&world.judge(), Status::Inconclusive);
}

#[test]
fn another_address_that_proves_itself_is_honest_whatever_others_say() {
    let mut world = World::new();
    world.honest_resolvers();
    for trial in 1..=3 {
        world.answer("isp", trial, &[OTHER]);
    }
    world.climb(OTHER, proven());
    silent(&world.judge(), Status::Accessible);
}

#[test]
fn a_certificate_that_is_wrong_for_everybody_names_nothing() {
    let mut world = World::new();
    world.honest_resolvers();
    for trial in 1..=3 {
        world.answer("isp", trial, &[OTHER]);
    }
    world.climb(OTHER, impostor());
    world.climb(HONEST, impostor());
    silent(&world.judge(), Status::Inconclusive);
}

#[test]
fn a_resolver_that_repeats_itself_injects_nothing() {
    let mut world = World::new();
    world.honest_resolvers();
    for trial in 1..=3 {
        world.two_answers("isp", trial, HONEST, HONEST);
    }
    world.climb(HONEST, proven());
    silent(&world.judge(), Status::Accessible);
}

#[test]
fn a_path_that_answers_everything_is_no_injection() {
    let mut world = World::new();
    world.honest_resolvers();
    world.control("decoy", 1);
    world.denial("decoy", 1, &Failure::DnsNxdomain, 3);
    world.answer("isp", 1, &[HONEST]);
    world.climb(HONEST, proven());
    silent(&world.judge(), Status::Accessible);
}

#[test]
fn a_refused_connection_without_contrast_is_suspected_and_never_blocked() {
    for failure in [
        Failure::ConnectionRefused,
        Failure::GenericTimeout,
        Failure::HostUnreachable,
    ] {
        let mut world = World::new();
        world.honest_resolvers();
        world.answer("isp", 1, &[HONEST]);
        world.climb(
            HONEST,
            step(Operation::TcpConnect, Some(failure.clone())).into(),
        );
        let verdict = world.judge();
        silent(&verdict, Status::Inconclusive);
        assert_eq!(verdict.confidence, Confidence::Suspected);
        assert_eq!(verdict.services[0].endpoints[0].failure, Some(failure));
    }
}

#[test]
fn what_fails_is_said_also_where_nothing_is_essential() {
    for essential in [true, false] {
        let mut world = World::reachable();
        world.catalog.targets[0].services[0].essential = essential;
        let refused = step(Operation::TcpConnect, Some(Failure::ConnectionRefused));
        world.climb(HONEST, refused.into());
        let verdict = world.judge();
        silent(&verdict, Status::Inconclusive);
        assert!(
            verdict.summary.contains("may not work here: web fails"),
            "{}",
            verdict.summary
        );
    }
}

#[test]
fn under_a_captive_portal_nothing_is_blamed() {
    let mut world = World::new();
    world.portal();
    world.honest_resolvers();
    for trial in 1..=3 {
        world.denial("isp", trial, &Failure::DnsNxdomain, 3);
    }
    assert_eq!(world.ground().regime, Regime::CaptivePortal);
    silent(&world.judge(), Status::Inconclusive);
}

#[test]
fn a_line_on_which_nothing_answers_is_offline() {
    let mut world = World::bare();
    for control in world.catalog.controls.clone() {
        world.foreign_silence(&control, false);
    }
    assert_eq!(world.ground().regime, Regime::Offline);
    silent(&world.judge(), Status::Inconclusive);
}

// ---- what doubt is told -------------------------------------------------------------------------------------------

#[test]
fn fewer_than_three_trials_are_likely_and_say_why() {
    let mut world = World::new();
    world.honest_resolvers();
    world.denial("isp", 1, &Failure::DnsNxdomain, 3);
    let verdict = world.judge();
    assert_eq!(verdict.status, Status::Blocked);
    assert_eq!(verdict.techniques[0].confidence, Confidence::Likely);
    assert!(
        verdict.techniques[0]
            .doubt
            .as_deref()
            .unwrap()
            .contains("Too few queries")
    );
}

#[test]
fn one_plain_resolver_as_contrast_is_likely_and_says_so() {
    let mut world = World::new();
    world.answer("quad9", 1, &[HONEST]);
    for trial in 1..=3 {
        world.denial("isp", trial, &Failure::DnsNxdomain, 3);
    }
    let verdict = world.judge();
    assert_eq!(verdict.techniques[0].confidence, Confidence::Likely);
    assert!(verdict.techniques[0].doubt.is_some());
}

// ---- status ---------------------------------------------------------------------------------------------------------

#[test]
fn an_endpoint_that_was_never_run_is_not_a_failure() {
    let world = World::new();
    let verdict = world.judge();
    assert_eq!(
        verdict.services[0].endpoints[0].status,
        EndpointStatus::NotRun
    );
    silent(&verdict, Status::Inconclusive);
}
