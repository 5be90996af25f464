//! Resolvers that deny, cut or falsify names of everybody: what still names it, what leaves it silent, what doubt is told.

use blockprobe::model::check::Role;
use blockprobe::model::failure::Failure;
use blockprobe::model::report::{Confidence, Status, Verdict};

use crate::world::{HONEST, HOST, World, dns, ids, observation, query, reply, resolve, silent};

/// So many of a target's names are denied, of so many; and of seventeen names of controls those that are asked for.
fn denied(own: usize, of: usize, controls: &[&str], failure: &Failure, rcode: u16) -> World {
    let mut world = World::new();
    world.honest_resolvers();
    for trial in 1..=3 {
        world.denial("isp", trial, failure, rcode);
    }
    world.more_names(of - 1);
    for at in 0..of - 1 {
        let name = format!("{at}.{HOST}");
        for resolver in ["google", "quad9"] {
            let facts = dns(&[reply(0, &[HONEST])], &[]);
            let check = query("target", resolver, &name, Role::Target, 1);
            world.push(check, vec![resolve(facts, None)]);
        }
        for trial in 1..=3 {
            let check = query("target", "isp", &name, Role::Target, trial);
            let is_denied = at + 1 < own;
            let (rcode, met) = if is_denied {
                (rcode, Some(failure.clone()))
            } else {
                (0, None)
            };
            let told: &[&str] = if is_denied { &[] } else { &[HONEST] };
            world.push(check, vec![resolve(dns(&[reply(rcode, told)], &[]), met)]);
        }
    }
    let names = (0..17 - controls.len()).map(|at| (format!("www.stranger{at}.test"), false));
    let others = controls.iter().map(|it| ((*it).to_owned(), true));
    for (name, is_denied) in names.chain(others) {
        let check = query("ground", "isp", &name, Role::Control, 1);
        let (rcode, met) = if is_denied {
            (rcode, Some(failure.clone()))
        } else {
            (0, None)
        };
        let told: &[&str] = if is_denied { &[] } else { &[HONEST] };
        let id = format!("o{}", 2000 + world.ground.len());
        let facts = dns(&[reply(rcode, told)], &[]);
        world
            .ground
            .push(observation(id, check, vec![resolve(facts, met)]));
    }
    world
}

fn doubt(verdict: &Verdict) -> &str {
    verdict.techniques[0].doubt.as_deref().unwrap_or_default()
}

#[test]
fn a_resolver_that_denies_names_of_controls_as_well_looks_for_nobodys() {
    let everybody = [
        "a.one.test",
        "b.two.test",
        "c.three.test",
        "d.four.test",
        "e.five.test",
    ];
    for (failure, rcode) in [
        (Failure::DnsNxdomain, 3),
        (Failure::DnsRefused, 5),
        (Failure::DnsServfail, 2),
    ] {
        // A quarter of the controls' names, be all of the target's denied.
        let verdict = denied(6, 6, &everybody, &failure, rcode).judge();
        silent(&verdict, Status::Inconclusive);
        let reason = verdict.services[0].endpoints[0].reason.as_deref().unwrap();
        assert!(reason.contains("5 of 18 control names"), "{reason}");
        // Two of them, and as many of the target's as chance would have it.
        silent(
            &denied(1, 6, &everybody[..2], &failure, rcode).judge(),
            Status::Inconclusive,
        );
        // All of the target's, and two of eighteen: that is no chance.
        let verdict = denied(6, 6, &everybody[..2], &failure, rcode).judge();
        assert_eq!(ids(&verdict).len(), 1);
        assert!(!doubt(&verdict).contains("control names"));
    }
}

#[test]
fn one_control_name_that_is_denied_too_leaves_a_doubt() {
    let nxdomain = Failure::DnsNxdomain;
    let verdict = denied(1, 6, &["a.one.test"], &nxdomain, 3).judge();
    assert_eq!(ids(&verdict), ["domain_name/nxdomain"]);
    assert_eq!(verdict.techniques[0].confidence, Confidence::Likely);
    assert!(doubt(&verdict).contains("1 of 18 control names"));
    let verdict = denied(1, 6, &[], &nxdomain, 3).judge();
    assert_eq!(verdict.techniques[0].confidence, Confidence::Confirmed);
    // A name of the target's own operator is no stranger's.
    let own = format!("captive.{HOST}");
    let verdict = denied(1, 6, &[&own], &nxdomain, 3).judge();
    assert_eq!(verdict.techniques[0].confidence, Confidence::Confirmed);
}

#[test]
fn a_top_level_that_a_resolver_does_not_reach_is_no_matter_of_one_name() {
    let nxdomain = Failure::DnsNxdomain;
    let scene = |controls: &[&str]| {
        let mut world = denied(6, 6, controls, &nxdomain, 3);
        // The control that answers is under the target's own top level.
        world
            .ground
            .retain(|it| !it.check.id.contains("control.example"));
        world.judge()
    };
    silent(
        &scene(&["a.one.example", "b.two.example"]),
        Status::Inconclusive,
    );
    let verdict = scene(&["a.one.example"]);
    assert_eq!(verdict.techniques[0].confidence, Confidence::Likely);
    assert!(doubt(&verdict).contains("control names"));
    let verdict = scene(&["a.one.test", "b.two.test"]);
    assert_eq!(verdict.techniques[0].confidence, Confidence::Confirmed);
}

#[test]
fn false_addresses_that_controls_are_told_too_are_no_censors() {
    for (others, confidence) in [
        (0, Some(Confidence::Confirmed)),
        (1, Some(Confidence::Likely)),
        (5, None),
    ] {
        let mut world = World::new();
        world.honest_resolvers();
        for trial in 1..=3 {
            world.bogon("isp", trial, "10.10.34.35");
        }
        for at in 0..17 {
            let name = format!("www.stranger{at}.test");
            let check = query("ground", "isp", &name, Role::Control, 1);
            let (told, met) = if at < others {
                ("192.168.1.1", Some(Failure::DnsBogon))
            } else {
                (HONEST, None)
            };
            let bogons: &[&str] = if at < others { &[told] } else { &[] };
            let facts = dns(&[reply(0, &[told])], bogons);
            let id = format!("o{}", 2000 + world.ground.len());
            world
                .ground
                .push(observation(id, check, vec![resolve(facts, met)]));
        }
        let verdict = world.judge();
        let told = verdict.techniques.first().map(|it| it.confidence);
        assert_eq!(told, confidence, "{others}");
    }
}

#[test]
fn an_answer_that_was_cut_is_not_an_empty_one() {
    let mut world = World::new();
    world.honest_resolvers();
    for trial in 1..=3 {
        world.denial("isp", trial, &Failure::DnsNoAnswer, 0);
    }
    assert_eq!(ids(&world.judge()), ["domain_name/no_answer"]);
    for observation in &mut world.observations {
        for step in &mut observation.steps {
            for reply in step.dns.iter_mut().flat_map(|it| &mut it.replies) {
                reply.truncated = reply.answers.is_empty();
            }
        }
    }
    let verdict = world.judge();
    silent(&verdict, Status::Inconclusive);
    let reason = verdict.services[0].endpoints[0].reason.as_deref().unwrap();
    assert!(reason.contains("was cut"), "{reason}");
}
