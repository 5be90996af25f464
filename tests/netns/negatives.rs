//! Lines without any censor, however bad: nobody may be accused.

use std::collections::BTreeSet;

use blockprobe::lab::fault::Aim;
use blockprobe::model::catalog::Region;
use blockprobe::model::report::{Confidence, Regime, Status};

use crate::means::play;
use crate::names::{PROVIDER, address_of};
use crate::scene::Scene;

const ALL: &[&str] = &["whatsapp", "telegram", "facetime", "max"];

#[test]
fn on_an_open_line_everything_works() {
    play(|| {
        let played = Scene {
            name: "open",
            ..Scene::default()
        }
        .play();
        played
            .expect_line(Regime::Open, 0)
            .expect_nobody_accused()
            .expect_accessible(ALL);
        // The lab has no key of WhatsApp's: whoever answers so may be anybody, as the lab is here.
        let whatsapp = played.verdict("whatsapp");
        let told = whatsapp.reason.as_deref().unwrap_or_default();
        assert!(
            whatsapp.confidence == Confidence::Likely && told.contains("known root"),
            "{}",
            played.tell()
        );
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
END"
            .to_owned(),
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
END"
            .to_owned(),
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
END"
            .to_owned(),
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
END"
            .to_owned(),
            ..Scene::default()
        }
        .play()
        .expect_line(Regime::Open, 0)
        .expect_nobody_accused()
        .expect_accessible(ALL);
    });
}

/// Addresses of what a domestic line still reaches: the domestic controls, the provider's resolver and MAX.
fn domestic() -> String {
    let catalog = blockprobe::catalog::embedded();
    let controls = catalog.controls.iter();
    let controls = controls.filter(|it| it.region == Region::Domestic);
    let max = catalog.targets.iter().filter(|it| it.id == "max");
    let max = max.flat_map(|it| &it.services).flat_map(|it| &it.endpoints);
    let names: BTreeSet<&str> = controls
        .map(|it| &it.endpoint)
        .chain(max)
        .filter_map(|it| it.host.as_deref())
        .collect();
    let addresses = names
        .iter()
        .map(|name| address_of(&catalog, name).to_string());
    let resolver = std::iter::once(PROVIDER.to_string());
    addresses.chain(resolver).collect::<Vec<_>>().join(", ")
}

#[test]
fn a_line_that_ends_at_the_border_accuses_nobody() {
    play(|| {
        let router = format!(
            "nft -f - <<'END'
                table ip border {{
                    set domestic {{ type ipv4_addr; elements = {{ {} }} }}
                    chain forwarding {{
                        type filter hook forward priority filter;
                        iifname \"downlink\" ip daddr != @domestic drop
                    }}
                }}
END",
            domestic()
        );
        Scene {
            name: "domestic_only",
            router,
            ..Scene::default()
        }
        .play()
        .expect_line(Regime::DomesticOnly, 0)
        .expect_nobody_accused()
        .expect_accessible(&["max"]);
    });
}

#[test]
fn a_list_of_what_may_pass_accuses_nobody() {
    play(|| {
        // As on Russian mobile networks: connections are let through, what is said on them is not.
        let router = format!(
            "nft -f - <<'END'
                table ip censor {{
                    set allowed {{ type ipv4_addr; elements = {{ {} }} }}
                    chain forwarding {{
                        type filter hook forward priority filter;
                        iifname \"downlink\" ip daddr != @allowed tcp dport {{ 80, 443 }} tcp flags & (syn | rst | fin) == 0 \
                            meta length > 60 drop
                    }}
                }}
END",
            domestic()
        );
        Scene {
            name: "allow_list",
            router,
            ..Scene::default()
        }
        .play()
        .expect_line(Regime::AllowList, 0)
        .expect_nobody_accused()
        .expect_accessible(&["max"]);
    });
}
