//! Censors on a real road: each one named, for certain, and nobody else accused.

use std::net::Ipv4Addr;

use blockprobe::lab::censor::{BOGON, Censor, Lie, Resolvers, Sight};
use blockprobe::lab::fault::Aim;
use blockprobe::model::report::{Confidence, Regime, Status};
use blockprobe::model::technique::{Interference, Technique, Trigger};

use crate::means::play;
use crate::played::Played;
use crate::scene::Scene;

const OTHERS: &[&str] = &["telegram", "facetime", "max"];

/// The provider's resolver does that to WhatsApp's names.
const fn at_provider(interference: Interference) -> Censor {
    Censor {
        technique: Technique::new(Trigger::DomainName, interference),
        at: Resolvers::System,
        names: Aim::Target("whatsapp"),
        lie: Lie::Bogon,
        sight: Sight::Whole,
    }
}

fn expect_lying_provider(name: &'static str, interference: Interference, technique: &str) {
    play_lying_provider(name, interference)
        .expect_confirmed("whatsapp", Status::Blocked, &[technique])
        .expect_accessible(OTHERS);
}

/// Whether the resolver is cut off from the servers of the name cannot be seen from here.
fn expect_vain_provider(name: &'static str, interference: Interference, technique: &str) {
    let played = play_lying_provider(name, interference);
    played
        .expect("whatsapp", Status::Blocked, &[technique])
        .expect_accessible(OTHERS);
    let told = &played.verdict("whatsapp").techniques[0];
    assert_eq!(told.confidence, Confidence::Likely);
    assert!(told.doubt.is_some());
}

fn play_lying_provider(name: &'static str, interference: Interference) -> Played {
    let played = Scene {
        name,
        censor: Some(at_provider(interference)),
        ..Scene::default()
    }
    .play();
    played.expect_line(Regime::Open, 0);
    played
}

#[test]
fn a_provider_that_denies_names_is_told() {
    play(|| {
        expect_lying_provider("nxdomain", Interference::Nxdomain, "domain_name/nxdomain");
    });
}

#[test]
fn a_provider_that_refuses_names_is_told() {
    play(|| {
        let technique = "domain_name/refused_answer";
        expect_lying_provider("refused", Interference::RefusedAnswer, technique);
    });
}

#[test]
fn a_provider_that_fails_for_names_is_told() {
    play(|| {
        expect_vain_provider("servfail", Interference::Servfail, "domain_name/servfail");
    });
}

#[test]
fn a_provider_that_answers_without_addresses_is_told() {
    play(|| {
        let technique = "domain_name/no_answer";
        expect_lying_provider("no_answer", Interference::NoAnswer, technique);
    });
}

#[test]
fn a_provider_that_answers_with_an_address_of_nobody_is_told() {
    play(|| {
        let technique = "domain_name/false_answer";
        expect_lying_provider("bogon", Interference::FalseAnswer, technique);
    });
}

#[test]
fn a_provider_that_keeps_silent_is_told() {
    play(|| {
        expect_vain_provider("silence", Interference::Drop, "domain_name/drop");
    });
}

#[test]
fn plain_dns_taken_over_on_the_way_is_told_at_the_resolvers() {
    play(|| {
        let played = Scene {
            name: "hijack",
            censor: Some(at_provider(Interference::Nxdomain)),
            router: "nft -f - <<'END'
                table ip censor {
                    chain redirection {
                        type nat hook prerouting priority dstnat;
                        iifname \"downlink\" udp dport 53 dnat to 11.53.0.1
                    }
                }
END"
            .to_owned(),
            ..Scene::default()
        }
        .play();
        played
            .expect_line(Regime::Open, 0)
            .expect_confirmed("whatsapp", Status::Blocked, &["domain_name/nxdomain"])
            .expect_accessible(OTHERS);
        for name in [
            "google",
            "cloudflare",
            "quad9",
            "adguard",
            "opendns",
            "yandex",
        ] {
            assert!(
                played
                    .techniques_of_resolver(name)
                    .contains("resolver/hijacked_resolver"),
                "{name}\n{}",
                played.tell()
            );
        }
    });
}

#[test]
fn an_answer_forged_on_the_way_is_told() {
    play(|| {
        for (name, lie) in [
            ("forged_bogon", BOGON),
            ("forged_public", Ipv4Addr::new(11, 99, 99, 99)),
        ] {
            Scene {
                name,
                forger: Some((&["whatsapp.com", "whatsapp.net", "wa.me"], lie)),
                router: "iptables -A FORWARD -p tcp -d 11.99.99.99 -j DROP".to_owned(),
                ..Scene::default()
            }
            .play()
            .expect_line(Regime::Open, 0)
            .expect_confirmed(
                "whatsapp",
                Status::Blocked,
                &["domain_name/injected_answer"],
            )
            .expect_accessible(OTHERS);
        }
    });
}
