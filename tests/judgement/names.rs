//! Names whose answers contradict each other, or what this machine itself makes of them.

use blockprobe::model::check::Role;
use blockprobe::model::failure::Failure;
use blockprobe::model::observation::{DnsReply, Operation};
use blockprobe::model::report::{Confidence, Status};

use crate::world::{
    CONTROL, HONEST, HOST, OTHER, World, dns, ids, impostor, proven, query, reply, resolve, silent,
    step,
};

/// One question about a name of the target, or about a control name, to which these replies came.
fn replies(world: &mut World, role: Role, trial: u32, replies: &[DnsReply]) {
    let facts = dns(replies, &[]);
    let failure = match replies[0].rcode {
        2 => Some(Failure::DnsServfail),
        3 => Some(Failure::DnsNxdomain),
        5 => Some(Failure::DnsRefused),
        _ => None,
    };
    let name = match role {
        Role::Control => CONTROL,
        _ => HOST,
    };
    let check = query("target", "isp", name, role, trial);
    world.push(check, vec![resolve(facts, failure)]);
}

/// Three questions about the name with that code before the honest answer, on a line where every resolver knows it.
fn raced(code: u16) -> World {
    let mut world = World::new();
    world.honest_resolvers();
    for trial in 1..=3 {
        let both = [reply(code, &[]), reply(0, &[HONEST])];
        replies(&mut world, Role::Target, trial, &both);
    }
    world
}

#[test]
fn a_denial_before_the_honest_answer_is_an_injection_where_control_names_get_one_version() {
    let mut world = raced(3);
    let verdict = world.judge();
    assert_eq!(ids(&verdict), ["domain_name/injected_answer"]);
    assert_eq!(verdict.confidence, Confidence::Confirmed);
    // A line that doubles questions gives two answers for everything, but not two versions.
    let same = [reply(0, &["198.41.0.4"]), reply(0, &["198.41.0.4"])];
    replies(&mut world, Role::Control, 2, &same);
    let verdict = world.judge();
    assert_eq!(verdict.confidence, Confidence::Confirmed);
}

#[test]
fn a_resolver_that_contradicts_itself_for_control_names_too_injects_nothing() {
    for code in [2, 3, 5] {
        for in_between in [false, true] {
            let mut world = raced(code);
            let both = [reply(0, &["198.41.0.4"]), reply(code, &[])];
            replies(&mut world, Role::Control, 2, &both);
            if !in_between {
                let asked = world.observations.pop().unwrap();
                world.ground.push(asked);
            }
            silent(&world.judge(), Status::Inconclusive);
        }
    }
}

#[test]
fn what_a_resolver_says_of_itself_beside_the_honest_answer_is_doubted() {
    for code in [2, 5] {
        let verdict = raced(code).judge();
        assert_eq!(ids(&verdict), ["domain_name/injected_answer"]);
        assert_eq!(verdict.confidence, Confidence::Likely);
        let doubt = verdict.techniques[0].doubt.as_deref().unwrap_or_default();
        assert!(doubt.contains("failed or refused"), "{doubt}");
    }
}

#[test]
fn half_a_resolver_that_fails_for_one_name_on_a_line_that_doubles_questions_is_nobodys_forgery() {
    for code in [2, 5] {
        for in_between in [false, true] {
            let mut world = raced(code);
            let same = [reply(0, &["198.41.0.4"]), reply(0, &["198.41.0.4"])];
            replies(&mut world, Role::Control, 2, &same);
            if !in_between {
                let asked = world.observations.pop().unwrap();
                world.ground.push(asked);
            }
            silent(&world.judge(), Status::Inconclusive);
        }
    }
}

#[test]
fn a_lost_question_for_a_control_says_nothing_against_what_was_said_of_the_name() {
    for (failure, code, technique) in [
        (Failure::DnsNxdomain, 3, "domain_name/nxdomain"),
        (Failure::DnsNoAnswer, 0, "domain_name/no_answer"),
    ] {
        for (between, is_told) in [
            (&[Some(Failure::GenericTimeout), None][..], true),
            (&[None, Some(Failure::GenericTimeout)], true),
            // Nothing is known of the resolver at that time.
            (&[Some(Failure::GenericTimeout)], false),
            // It failed for everybody.
            (&[Some(Failure::DnsServfail), None], false),
            (&[Some(failure.clone()), None], false),
        ] {
            let mut world = World::new();
            world.honest_resolvers();
            for trial in 1..=3 {
                world.denial("isp", trial, &failure, code);
            }
            for (trial, failure) in (2..).zip(between) {
                world.control_between("isp", trial, failure.as_ref());
            }
            let verdict = world.judge();
            if is_told {
                assert_eq!(ids(&verdict), [technique]);
                assert_eq!(verdict.confidence, Confidence::Confirmed);
            } else {
                silent(&verdict, Status::Inconclusive);
            }
        }
    }
}

#[test]
fn a_resolver_that_is_silent_for_a_control_may_fail_or_refuse_for_the_same_reason() {
    for (failure, code) in [(Failure::DnsRefused, 5), (Failure::DnsServfail, 2)] {
        let mut world = World::new();
        world.honest_resolvers();
        for trial in 1..=3 {
            world.denial("isp", trial, &failure, code);
        }
        world.control_between("isp", 2, Some(&Failure::GenericTimeout));
        world.control_between("isp", 3, None);
        silent(&world.judge(), Status::Inconclusive);
    }
}

/// The name is denied or left unanswered at the provider's resolver, and this system's own lookup of it ends so.
fn looked_up(failure: &Failure, code: u16, addresses: &[&str]) -> World {
    let mut world = World::new();
    world.honest_resolvers();
    world.ground_lookup();
    let is_found = !addresses.is_empty();
    let view = dns(&[reply(0, addresses)][..usize::from(is_found)], &[]);
    world.lookup(1, view, (!is_found).then_some(Failure::DnsTemporaryFailure));
    for trial in 1..=4 {
        if *failure == Failure::GenericTimeout {
            world.silence("isp", trial);
        } else {
            world.denial("isp", trial, failure, code);
        }
    }
    world
}

#[test]
fn a_resolver_that_answers_who_waits_or_asks_again_drops_nothing() {
    for (failure, code, technique) in [
        (Failure::GenericTimeout, 0, "domain_name/drop"),
        (Failure::DnsServfail, 2, "domain_name/servfail"),
    ] {
        let mut world = looked_up(&failure, code, &[HONEST]);
        world.climb(HONEST, proven());
        silent(&world.judge(), Status::Accessible);
        // What fails then fails for another reason.
        let mut world = looked_up(&failure, code, &[HONEST]);
        let lost = step(Operation::TcpConnect, Some(Failure::GenericTimeout));
        world.climb(HONEST, lost.into());
        silent(&world.judge(), Status::Inconclusive);
        // It is named where the lookups fail too, or lead to somebody else.
        let world = looked_up(&failure, code, &[]);
        assert_eq!(ids(&world.judge()), [technique]);
        let world = looked_up(&failure, code, &["62.33.207.197"]);
        assert_eq!(ids(&world.judge()), [technique]);
        let mut world = looked_up(&failure, code, &[OTHER]);
        world.climb(OTHER, impostor());
        assert_eq!(ids(&world.judge()), [technique]);
    }
}

#[test]
fn a_denied_name_that_this_system_resolves_all_the_same_is_doubted() {
    for (failure, code, technique) in [
        (Failure::DnsNxdomain, 3, "domain_name/nxdomain"),
        (Failure::DnsNoAnswer, 0, "domain_name/no_answer"),
        (Failure::DnsRefused, 5, "domain_name/refused_answer"),
    ] {
        for (addresses, confidence) in [
            (&[HONEST][..], Confidence::Likely),
            (&[], Confidence::Confirmed),
        ] {
            let verdict = looked_up(&failure, code, addresses).judge();
            assert_eq!(ids(&verdict), [technique]);
            assert_eq!(verdict.techniques[0].confidence, confidence);
            let doubt = verdict.techniques[0].doubt.as_deref();
            let is_told = doubt.is_some_and(|doubt| doubt.contains("own lookups resolve"));
            assert_eq!(is_told, confidence == Confidence::Likely, "{doubt:?}");
        }
        let mut world = looked_up(&failure, code, &[HONEST]);
        world.climb(HONEST, proven());
        assert_eq!(world.judge().status, Status::Accessible);
    }
}

#[test]
fn a_lost_question_says_nothing_against_false_answers() {
    for (lost, told, confidence) in [
        (&[][..], &[1, 2, 3][..], Some(Confidence::Confirmed)),
        (&[1][..], &[2, 3, 4][..], Some(Confidence::Confirmed)),
        (&[2][..], &[1, 3][..], Some(Confidence::Likely)),
        (&[1, 2][..], &[3][..], None),
    ] {
        let mut world = World::new();
        world.honest_resolvers();
        for trial in lost {
            world.silence("isp", *trial);
        }
        for trial in told {
            world.bogon("isp", *trial, "10.10.34.35");
        }
        // Nor does a lost question for a control, where another is answered.
        world.control_between("isp", 2, Some(&Failure::GenericTimeout));
        world.control_between("isp", 3, None);
        let verdict = world.judge();
        let Some(confidence) = confidence else {
            silent(&verdict, Status::Inconclusive);
            continue;
        };
        assert_eq!(ids(&verdict), ["domain_name/false_answer"]);
        assert_eq!(verdict.techniques[0].confidence, confidence, "{lost:?}");
        assert_eq!(
            verdict.techniques[0].doubt.is_some(),
            confidence == Confidence::Likely
        );
    }
    // One that failed otherwise is the resolver's or the line's own trouble.
    let mut world = World::new();
    world.honest_resolvers();
    for trial in 1..=3 {
        world.bogon("isp", trial, "10.10.34.35");
    }
    world.control_between("isp", 2, Some(&Failure::DnsServfail));
    world.control_between("isp", 3, None);
    silent(&world.judge(), Status::Inconclusive);
}
