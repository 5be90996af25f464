//! A road of four routers: who turns packets down or swallows them on the way is told from servers that do so themselves.

use blockprobe::model::report::{Confidence, Regime, Status};

use crate::means::play;
use crate::played::Played;
use crate::scene::Scene;

const TELEGRAM: &str = "91.105.192.0/23, 91.108.0.0/16, 149.154.160.0/20, 95.161.64.0/20";
const OTHERS: &[&str] = &["whatsapp", "facetime", "max"];

/// Rules for connections to Telegram, where packets are passed on or where they arrive.
fn telegram(hook: &str, verdict: &str) -> String {
    format!(
        "nft -f - <<'END'
            table ip telegram {{
                set telegram {{ type ipv4_addr; flags interval; elements = {{ {TELEGRAM} }}; }}
                chain packets {{
                    type filter hook {hook} priority filter;
                    ip daddr @telegram tcp flags & (syn | ack) == syn {verdict}
                }}
            }}
END"
    )
}

/// A router's loss, of so many packets of a hundred.
fn loss(percent: u32) -> String {
    format!(
        "nft -f - <<'END'
            table ip loss {{
                chain forwarding {{
                    type filter hook forward priority filter;
                    numgen random mod 100 < {percent} drop
                }}
            }}
END"
    )
}

fn long(name: &'static str) -> Scene {
    Scene {
        name,
        is_long: true,
        ..Scene::default()
    }
}

/// The technique's confidence, and that its evidence holds a road.
#[track_caller]
fn expect_road(played: &Played, target: &str, technique: &str, confidence: Confidence) {
    let mut verdicts = played.report.verdicts.iter();
    let verdict = verdicts.find(|it| it.target == target).expect("a verdict");
    let mut techniques = verdict.techniques.iter();
    let told = techniques
        .find(|it| it.id == technique)
        .expect("the technique");
    assert_eq!(told.confidence, confidence, "{told:#?}\n{}", played.tell());
    assert!(
        told.evidence.iter().any(|id| id_is_of_a_road(played, id)),
        "{told:#?}"
    );
}

/// Routers near by are the customer's own equipment, or the network it stands in.
#[track_caller]
fn expect_no_router_named(played: &Played) {
    let steps = played.report.observations.iter().flat_map(|it| &it.steps);
    let errors = steps.filter_map(|it| it.tcp.as_deref());
    let mut expired: Vec<_> = errors.flat_map(|tcp| &tcp.icmp).collect();
    expired.retain(|error| (error.kind, error.code) == (11, 0));
    assert!(!expired.is_empty());
    assert!(expired.iter().all(|error| error.offender.is_none()));
}

fn id_is_of_a_road(played: &Played, id: &str) -> bool {
    let mut all = played.report.observations.iter();
    all.any(|it| it.id == id && it.check.id.contains("/hops@"))
}

#[test]
fn on_an_open_long_road_nothing_is_traced() {
    play(|| {
        let played = long("long_open").play();
        played
            .expect_line(Regime::Open, 0)
            .expect_nobody_accused()
            .expect_accessible(&["telegram", "whatsapp", "facetime", "max"]);
        let all = &played.report.observations;
        assert!(!all.iter().any(|it| it.check.id.contains("/hops@")));
    });
}

#[test]
fn a_range_swallowed_on_the_way_is_told_by_its_road() {
    play(|| {
        let played = Scene {
            router: telegram("forward", "drop"),
            ..long("long_drop")
        }
        .play();
        played
            .expect_line(Regime::Open, 0)
            .expect("telegram", Status::Blocked, &["address/drop"])
            .expect_accessible(OTHERS);
        expect_road(&played, "telegram", "address/drop", Confidence::Likely);
        expect_no_router_named(&played);
    });
}

#[test]
fn three_targets_swallowed_on_the_way_end_in_time() {
    play(|| {
        let all = format!("{TELEGRAM}, 157.240.0.0/16, 17.0.0.0/8");
        let played = Scene {
            router: telegram("forward", "drop").replace(TELEGRAM, &all),
            ..long("long_drop_three")
        }
        .play();
        played.expect_within(15);
        for target in ["telegram", "whatsapp", "facetime"] {
            played.expect(target, Status::Blocked, &["address/drop"]);
        }
        played.expect_accessible(&["max"]);
    });
}

#[test]
fn a_range_refused_on_the_way_is_named() {
    play(|| {
        let played = Scene {
            router: telegram("forward", "reject with tcp reset"),
            ..long("long_refuse")
        }
        .play();
        played
            .expect_line(Regime::Open, 0)
            .expect("telegram", Status::Blocked, &["address/refuse"])
            .expect_accessible(OTHERS);
        expect_road(&played, "telegram", "address/refuse", Confidence::Confirmed);
    });
}

#[test]
fn servers_that_were_stopped_are_not_refused_on_the_way() {
    play(|| {
        let played = Scene {
            server: telegram("input", "reject with tcp reset"),
            ..long("long_stopped")
        }
        .play();
        played
            .expect_line(Regime::Open, 0)
            .expect_nobody_accused()
            .expect("telegram", Status::Inconclusive, &[])
            .expect_accessible(OTHERS);
        let told = on_one_line(&played.tell());
        assert!(
            told.contains("refused where a server would stand"),
            "{told}"
        );
    });
}

#[test]
fn servers_that_are_silent_themselves_are_not_swallowed_on_the_way() {
    play(|| {
        let played = Scene {
            server: telegram("input", "drop"),
            ..long("long_silent")
        }
        .play();
        played
            .expect_line(Regime::Open, 0)
            .expect_nobody_accused()
            .expect("telegram", Status::Inconclusive, &[])
            .expect_accessible(OTHERS);
        let told = on_one_line(&played.tell());
        assert!(told.contains("as far as a server would stand"), "{told}");
    });
}

#[test]
fn a_router_on_the_long_way_that_prohibits_is_named() {
    play(|| {
        let played = Scene {
            router: telegram("forward", "reject with icmp type admin-prohibited"),
            ..long("long_prohibited")
        }
        .play();
        played
            .expect_line(Regime::Open, 0)
            .expect("telegram", Status::Blocked, &["address/unreachable"])
            .expect_accessible(OTHERS);
    });
}

#[test]
fn a_range_said_to_be_unreachable_on_the_way_is_named() {
    play(|| {
        let played = Scene {
            router: telegram("forward", "reject with icmp type host-unreachable"),
            ..long("long_unreachable")
        }
        .play();
        played
            .expect_line(Regime::Open, 0)
            .expect("telegram", Status::Blocked, &["address/unreachable"])
            .expect_accessible(OTHERS);
    });
}

#[test]
fn a_router_beside_the_servers_says_that_they_are_down() {
    play(|| {
        let played = Scene {
            last_router: telegram("forward", "reject with icmp type host-unreachable"),
            ..long("long_hosts_down")
        }
        .play();
        played
            .expect_line(Regime::Open, 0)
            .expect_nobody_accused()
            .expect("telegram", Status::Inconclusive, &[])
            .expect_accessible(OTHERS);
    });
}

const PORT: &str = "nft -f - <<'END'
    table ip port {
        chain packets {
            type filter hook HOOK priority filter;
            ip daddr 157.240.0.0/16 tcp dport 5222 tcp flags & (syn | ack) == syn VERDICT
        }
    }
END";

fn port(hook: &str, verdict: &str) -> String {
    PORT.replace("HOOK", hook).replace("VERDICT", verdict)
}

#[test]
fn a_port_refused_on_the_way_is_named() {
    play(|| {
        let played = Scene {
            router: port("forward", "reject with tcp reset"),
            ..long("long_port_refuse")
        }
        .play();
        played
            .expect_line(Regime::Open, 0)
            .expect("whatsapp", Status::Accessible, &["address_port/refuse"])
            .expect_accessible(&["telegram", "facetime", "max"]);
    });
}

#[test]
fn a_port_swallowed_on_the_way_is_named() {
    play(|| {
        let played = Scene {
            router: port("forward", "drop"),
            ..long("long_port_drop")
        }
        .play();
        played
            .expect_line(Regime::Open, 0)
            .expect("whatsapp", Status::Accessible, &["address_port/drop"])
            .expect_accessible(&["telegram", "facetime", "max"]);
        expect_road(
            &played,
            "whatsapp",
            "address_port/drop",
            Confidence::Confirmed,
        );
    });
}

#[test]
fn a_port_prohibited_on_the_way_is_named() {
    play(|| {
        let played = Scene {
            router: port("forward", "reject with icmp type admin-prohibited"),
            ..long("long_port_prohibited")
        }
        .play();
        played
            .expect_line(Regime::Open, 0)
            .expect(
                "whatsapp",
                Status::Accessible,
                &["address_port/unreachable"],
            )
            .expect_accessible(&["telegram", "facetime", "max"]);
    });
}

/// What the firewall of a company lets pass; everything else it turns down, whoever is asked.
const FIREWALL: &str = "nft -f - <<'END'
    table ip firewall {
        chain packets {
            type filter hook forward priority filter;
            tcp flags & (syn | ack) == syn tcp dport != { 25, 53, 80, 443, 465, 587, 853, 993, 3478, MORE } VERDICT
        }
    }
END";

#[test]
fn a_port_that_a_firewall_shuts_for_everybody_names_nobody() {
    play(|| {
        for (name, verdict, more) in [
            ("long_firewall_refuse", "reject with tcp reset", "5228"),
            ("long_firewall_drop", "drop", "5228"),
            (
                "long_firewall_told",
                "reject with icmp type admin-prohibited",
                "5228",
            ),
            (
                "long_firewall_calls",
                "reject with tcp reset",
                "5222, 5223, 5228",
            ),
            ("long_firewall_calls_drop", "drop", "5222, 5223, 5228"),
        ] {
            let router = FIREWALL.replace("VERDICT", verdict);
            let played = Scene {
                router: router.replace("MORE", more),
                ..long(name)
            }
            .play();
            played.expect_line(Regime::Open, 0).expect_nobody_accused();
        }
    });
}

#[test]
fn a_port_that_servers_have_given_up_names_nobody() {
    play(|| {
        for (name, verdict) in [
            ("long_port_stopped", "reject with tcp reset"),
            ("long_port_silent", "drop"),
        ] {
            let played = Scene {
                server: port("input", verdict),
                ..long(name)
            }
            .play();
            played.expect_line(Regime::Open, 0).expect_nobody_accused();
        }
    });
}

#[test]
fn servers_that_were_stopped_are_not_accused_on_a_lossy_road() {
    play(|| {
        for (name, percent) in [("long_loss_5", 5), ("long_loss_15", 15)] {
            let scene = Scene {
                router: loss(percent),
                server: telegram("input", "reject with tcp reset"),
                ..long(name)
            };
            for played in scene.play_times(3) {
                assert_eq!(played.report.vantage.regime, Regime::Open);
                played.expect_nobody_accused();
            }
        }
    });
}

/// The screen without its line breaks, which may fall anywhere in a sentence.
fn on_one_line(screen: &str) -> String {
    screen.split_whitespace().collect::<Vec<_>>().join(" ")
}
