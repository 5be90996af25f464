//! Lines without any censor, however bad: nobody may be accused.

use blockprobe::lab::fault::Aim;
use blockprobe::model::report::{Regime, Status};

use crate::means::play;
use crate::scene::Scene;

const ALL: &[&str] = &["whatsapp", "telegram", "facetime", "max"];

#[test]
fn on_an_open_line_everything_works() {
    play(|| {
        Scene {
            name: "open",
            ..Scene::default()
        }
        .play()
        .expect_line(Regime::Open, 0)
        .expect_nobody_accused()
        .expect_accessible(ALL);
    });
}

#[test]
fn on_an_open_line_with_ipv6_everything_works() {
    play(|| {
        let played = Scene {
            name: "open_with_ipv6",
            has_ipv6: true,
            ..Scene::default()
        }
        .play();
        played
            .expect_line(Regime::Open, 0)
            .expect_nobody_accused()
            .expect_accessible(ALL);
        assert_eq!(played.report.vantage.address_families, ["ipv4", "ipv6"]);
    });
}

#[test]
fn a_line_that_drops_everything_is_offline() {
    play(|| {
        Scene {
            name: "offline",
            router: "nft -f - <<'END'
                table ip outage {
                    chain forwarding { type filter hook forward priority filter; policy drop; }
                }
END",
            ..Scene::default()
        }
        .play()
        .expect_line(Regime::Offline, 3)
        .expect_nobody_accused()
        .expect_within(15);
    });
}

#[test]
fn a_machine_without_a_route_is_offline() {
    play(|| {
        Scene {
            name: "no_route",
            client: "ip route del default",
            ..Scene::default()
        }
        .play()
        .expect_line(Regime::Offline, 3)
        .expect_nobody_accused()
        .expect_within(10);
    });
}

#[test]
fn a_line_that_loses_one_packet_in_twenty_is_open() {
    play(|| {
        let scene = Scene {
            name: "loss_5",
            router: "nft -f - <<'END'
                table ip loss {
                    chain forwarding {
                        type filter hook forward priority filter;
                        numgen random mod 100 < 5 drop
                    }
                }
END",
            ..Scene::default()
        };
        for played in scene.play_times(3) {
            played.expect_line(Regime::Open, 0).expect_nobody_accused();
        }
    });
}

#[test]
fn a_line_that_loses_three_packets_in_twenty_is_open() {
    play(|| {
        let scene = Scene {
            name: "loss_15",
            router: "nft -f - <<'END'
                table ip loss {
                    chain forwarding {
                        type filter hook forward priority filter;
                        numgen random mod 100 < 15 drop
                    }
                }
END",
            ..Scene::default()
        };
        for played in scene.play_times(3) {
            assert_eq!(played.report.vantage.regime, Regime::Open);
            played.expect_nobody_accused();
        }
    });
}

#[test]
fn a_dead_resolver_is_no_censor() {
    play(|| {
        Scene {
            name: "dead_resolver",
            is_resolver_dead: true,
            ..Scene::default()
        }
        .play()
        .expect_line(Regime::Open, 0)
        .expect_nobody_accused()
        // Telegram's apps know its data centres by address.
        .expect_accessible(&["telegram"])
        .expect("whatsapp", Status::Inconclusive, &[]);
    });
}

#[test]
fn a_filter_of_the_household_is_no_censor() {
    play(|| {
        Scene {
            name: "pihole",
            household: Some(Aim::Target("whatsapp")),
            ..Scene::default()
        }
        .play()
        .expect_line(Regime::Open, 0)
        .expect_nobody_accused()
        .expect_accessible(&["telegram", "facetime", "max"])
        .expect("whatsapp", Status::Inconclusive, &[]);
    });
}

#[test]
fn a_captive_portal_is_no_censor() {
    play(|| {
        Scene {
            name: "captive_portal",
            has_portal: true,
            ..Scene::default()
        }
        .play()
        .expect_line(Regime::CaptivePortal, 3)
        .expect_nobody_accused();
    });
}

#[test]
fn broken_ipv6_is_no_censor() {
    play(|| {
        Scene {
            name: "broken_ipv6",
            has_ipv6: true,
            router: "nft -f - <<'END'
                table ip6 hole {
                    chain forwarding { type filter hook forward priority filter; policy drop; }
                }
END",
            ..Scene::default()
        }
        .play()
        .expect_line(Regime::Open, 0)
        .expect_nobody_accused()
        .expect_accessible(ALL);
    });
}
