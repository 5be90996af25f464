//! What everybody meets on a line, or anybody at times: a part of its roads is down, a box resets what it likes, a firewall stands
//! near by. Nobody is singled out, and nobody may be accused.

use blockprobe::model::report::{Confidence, Regime, Status};

use crate::means::play;
use crate::scene::Scene;

/// Connections to every other address, or to every other network of that kind.
fn every_other(bit: &str, verdict: &str) -> String {
    of_all(&format!("{bit} == {bit}"), verdict)
}

/// The same to every eighth address.
fn every_eighth(which: &str, verdict: &str) -> String {
    of_all(&format!("0.0.0.7 == 0.0.0.{which}"), verdict)
}

fn of_all(addresses: &str, verdict: &str) -> String {
    format!(
        "nft -f - <<'END'
            table ip roads {{
                chain forwarding {{
                    type filter hook forward priority filter;
                    iifname downlink meta l4proto tcp ip daddr & {addresses} {verdict}
                }}
            }}
END"
    )
}

#[test]
fn a_part_of_the_roads_that_is_down_singles_nobody_out() {
    play(|| {
        for (name, bit, verdict) in [
            ("every_other_network", "0.0.1.0", "drop"),
            ("every_other_address", "0.0.0.1", "drop"),
            (
                "every_other_address_refused",
                "0.0.0.1",
                "reject with tcp reset",
            ),
            (
                "every_other_address_unreachable",
                "0.0.0.1",
                "reject with icmp type host-unreachable",
            ),
        ] {
            Scene {
                name,
                is_long: true,
                router: every_other(bit, verdict),
                ..Scene::default()
            }
            .play()
            .expect_line(Regime::Open, 0)
            .expect_nobody_accused();
        }
    });
}

#[test]
fn a_few_roads_that_are_down_leave_their_doubt_where_no_control_is() {
    play(|| {
        // One address in eight, and none of the controls' among them, at the same hop of a long road.
        let played = Scene {
            name: "a_few_roads_down",
            is_long: true,
            router: every_eighth("4", "drop"),
            ..Scene::default()
        }
        .play();
        let mut told = 0;
        for verdict in &played.report.verdicts {
            assert_ne!(verdict.status, Status::Blocked);
            for technique in &verdict.techniques {
                assert_eq!(technique.id, "address/drop");
                assert_eq!(technique.confidence, Confidence::Likely);
                let doubt = technique.doubt.as_deref().unwrap();
                assert!(doubt.contains("to none of"), "{doubt}");
                told += 1;
            }
        }
        assert!(told > 0);
    });
}

#[test]
fn a_firewall_of_this_machine_leaves_its_doubt() {
    play(|| {
        let played = Scene {
            name: "own_firewall",
            is_long: true,
            client: "for range in 149.154.160.0/20 91.108.0.0/16 91.105.192.0/23 95.161.0.0/16; do
                iptables -A OUTPUT -p tcp -d $range -j REJECT --reject-with tcp-reset
            done
            iptables -A OUTPUT -p tcp -d 157.240.0.0/16 --dport 5222 -j REJECT --reject-with tcp-reset",
            ..Scene::default()
        }
        .play();
        let techniques = played.report.verdicts.iter().flat_map(|it| &it.techniques);
        for technique in techniques {
            let doubt = technique.doubt.as_deref().unwrap_or_default();
            assert!(
                technique.confidence == Confidence::Likely
                    && doubt.contains("firewall of this machine"),
                "{technique:#?}"
            );
        }
    });
}

/// A ClientHello begins so.
const CLIENT_HELLO: &str = "-m string --algo bm --to 80 --hex-string '|160301|'";
const AT_RANDOM: &str = "-m statistic --mode random --probability 0.7";

#[test]
fn a_box_that_resets_handshakes_at_random_looks_at_no_name() {
    play(|| {
        let scene = Scene {
            name: "handshakes_reset_at_random",
            router: format!(
                "iptables -A FORWARD -i downlink -p tcp {CLIENT_HELLO} {AT_RANDOM} -j REJECT --reject-with tcp-reset"
            ),
            ..Scene::default()
        };
        for played in scene.play_times(3) {
            played.expect_nobody_accused();
        }
    });
}

#[test]
fn servers_that_reset_handshakes_at_random_look_at_no_name() {
    play(|| {
        let scene = Scene {
            name: "overloaded_servers",
            server: format!(
                "iptables -A INPUT -p tcp -d 157.240.0.0/16 {CLIENT_HELLO} {AT_RANDOM} -j REJECT --reject-with tcp-reset"
            ),
            ..Scene::default()
        };
        for played in scene.play_times(3) {
            played.expect_line(Regime::Open, 0).expect_nobody_accused();
        }
    });
}

#[test]
fn the_last_router_before_the_servers_is_their_own() {
    play(|| {
        Scene {
            name: "prohibited_beside_the_servers",
            is_long: true,
            last_router: "iptables -A FORWARD -p tcp -d 149.154.160.0/20 -j REJECT --reject-with icmp-admin-prohibited"
                .to_owned(),
            ..Scene::default()
        }
        .play()
        .expect_line(Regime::Open, 0)
        .expect_nobody_accused();
    });
}

#[test]
fn a_port_of_the_web_that_is_shut_for_everybody_names_nobody() {
    play(|| {
        Scene {
            name: "port_80_shut",
            router: "iptables -A FORWARD -i downlink -p tcp --dport 80 -j DROP".to_owned(),
            ..Scene::default()
        }
        .play()
        .expect_line(Regime::Open, 0)
        .expect_nobody_accused();
    });
}

#[test]
fn names_that_are_filtered_over_ipv6_alone_are_told() {
    play(|| {
        let played = Scene {
            name: "names_over_ipv6",
            has_ipv6: true,
            router: "ip6tables -A FORWARD -p tcp --dport 443 -m string --string whatsapp --algo bm -j REJECT --reject-with tcp-reset"
                .to_owned(),
            ..Scene::default()
        }
        .play();
        let technique = "server_name_at_address/reset";
        played.expect("whatsapp", Status::Accessible, &[technique]);
        let told = &played.verdict("whatsapp").techniques[0];
        let doubt = told.doubt.as_deref().unwrap_or_default();
        assert!(doubt.contains("family"), "{told:#?}");
    });
}
