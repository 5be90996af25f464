//! Interference above DNS: named by its contrast, and told in facts that others can judge.

use std::collections::BTreeSet;

use blockprobe::model::check::Ask;
use blockprobe::model::failure::Failure;
use blockprobe::model::observation::{Observation, Operation};
use blockprobe::model::report::{Regime, Status};

use crate::means::play;
use crate::played::Played;
use crate::scene::Scene;

fn last_failures(played: &Played, target: &str) -> BTreeSet<String> {
    let failed = played.observations(target).filter(|it| is_climb(it));
    failed
        .filter_map(|it| it.failure().map(|failure| failure.word().into_owned()))
        .collect()
}

fn is_climb(observation: &Observation) -> bool {
    matches!(&observation.check.ask, Ask::Climb(climb) if climb.hops.is_none())
}

#[test]
fn connections_swallowed_are_told_as_silence() {
    play(|| {
        let played = Scene {
            name: "syn_drop",
            router: "nft -f - <<'END'
                table ip censor {
                    set telegram {
                        type ipv4_addr; flags interval;
                        elements = { 91.105.192.0/23, 91.108.0.0/16, 149.154.160.0/20, 95.161.64.0/20 }
                    }
                    chain forwarding {
                        type filter hook forward priority filter;
                        ip daddr @telegram tcp flags & (syn | ack) == syn drop
                    }
                }
END".to_owned(),
            ..Scene::default()
        }
        .play();
        played
            .expect_line(Regime::Open, 0)
            .expect("telegram", Status::Blocked, &["address/drop"]);
        played.expect_accessible(&["whatsapp", "facetime", "max"]);
        assert_eq!(
            last_failures(&played, "telegram"),
            [Failure::GenericTimeout.word().into_owned()].into()
        );
        for (observation, tcp) in played.failed_tcp("telegram") {
            assert!(tcp.icmp.is_empty(), "{observation:#?}");
            assert!(tcp.retransmits.unwrap_or(0) >= 2, "{observation:#?}");
        }
        assert!(played.failed_tcp("telegram").count() > 5);
    });
}

#[test]
fn connections_reset_at_once_are_told_as_refused() {
    play(|| {
        let played = Scene {
            name: "syn_reset",
            router: "iptables -A FORWARD -p tcp -d 157.240.0.0/16 --syn -j REJECT --reject-with tcp-reset".to_owned(),
            ..Scene::default()
        }
        .play();
        played
            .expect_line(Regime::Open, 0)
            .expect("whatsapp", Status::Inconclusive, &[]);
        played.expect_accessible(&["telegram", "facetime", "max"]);
        let failures = last_failures(&played, "whatsapp");
        assert_eq!(
            failures,
            [Failure::ConnectionRefused.word().into_owned()].into()
        );
        for (observation, tcp) in played.failed_tcp("whatsapp") {
            assert!(tcp.icmp.is_empty(), "{observation:#?}");
        }
    });
}

#[test]
fn a_router_that_prohibits_is_named_and_we_are_not() {
    play(|| {
        let played = Scene {
            name: "icmp_prohibited",
            router: "iptables -A FORWARD -p tcp -d 17.0.0.0/8 -j REJECT --reject-with icmp-admin-prohibited".to_owned(),
            ..Scene::default()
        }
        .play();
        played.expect_line(Regime::Open, 0).expect(
            "facetime",
            Status::Blocked,
            &["address/unreachable"],
        );
        played.expect_accessible(&["whatsapp", "telegram", "max"]);
        let failures = last_failures(&played, "facetime");
        assert_eq!(
            failures,
            [Failure::HostUnreachable.word().into_owned()].into()
        );
        let errors: Vec<_> = played
            .failed_tcp("facetime")
            .flat_map(|(_, tcp)| &tcp.icmp)
            .collect();
        assert!(!errors.is_empty(), "{}", played.tell());
        for error in errors {
            assert_eq!((error.kind, error.code), (3, 13));
            assert!(!error.offender_is_own);
            assert!(error.offender.is_some(), "{error:?}");
        }
    });
}

#[test]
fn a_client_hello_swallowed_is_told_as_never_acknowledged() {
    play(|| {
        let played = Scene {
            name: "client_hello_drop",
            router: "iptables -A FORWARD -p tcp --dport 443 -m string --string whatsapp.com --algo bm -j DROP".to_owned(),
            ..Scene::default()
        }
        .play();
        played.expect_line(Regime::Open, 0).expect(
            "whatsapp",
            Status::Degraded,
            &["server_name/drop"],
        );
        played.expect_accessible(&["telegram", "facetime", "max"]);
        let hellos: Vec<_> = played
            .failed_tcp("whatsapp")
            .filter(|(it, _)| it.failure() == Some(&Failure::GenericTimeout))
            .collect();
        assert!(!hellos.is_empty(), "{}", played.tell());
        for (observation, tcp) in hellos {
            assert!(
                observation.reached(Operation::TcpConnect),
                "{observation:#?}"
            );
            assert!(observation.step(Operation::TlsHandshake).is_some());
            assert!(tcp.unacked.unwrap_or(0) > 0, "{observation:#?}");
            assert!(tcp.retransmits.unwrap_or(0) > 0, "{observation:#?}");
            assert_eq!(tcp.bytes_received, Some(0), "{observation:#?}");
        }
    });
}

#[test]
fn a_reset_made_on_the_way_is_told_as_one() {
    play(|| {
        let played = Scene {
            name: "client_hello_reset",
            router:
                "iptables -A FORWARD -p tcp --dport 443 -m string --string whatsapp.com --algo bm \
                -j REJECT --reject-with tcp-reset"
                    .to_owned(),
            ..Scene::default()
        }
        .play();
        played.expect_line(Regime::Open, 0).expect(
            "whatsapp",
            Status::Degraded,
            &["server_name/reset"],
        );
        played.expect_accessible(&["telegram", "facetime", "max"]);
        let resets: Vec<_> = played
            .failed_tcp("whatsapp")
            .filter(|(it, _)| it.failure() == Some(&Failure::ConnectionReset))
            .collect();
        assert!(resets.len() > 3, "{}", played.tell());
        for (observation, tcp) in resets {
            assert!(
                observation.reached(Operation::TcpConnect),
                "{observation:#?}"
            );
            assert_eq!(tcp.bytes_received, Some(0), "{observation:#?}");
        }
    });
}

#[test]
fn an_answer_swallowed_is_told_as_a_client_hello_that_arrived() {
    play(|| {
        let played = Scene {
            name: "server_hello_drop",
            router: "
                iptables -A FORWARD -p tcp --dport 443 -m string --string whatsapp.com --algo bm \
                    -j CONNMARK --set-mark 1
                iptables -A FORWARD -p tcp --sport 443 -m connmark --mark 1 -m length --length 100:65535 -j DROP"
                .to_owned(),
            ..Scene::default()
        }
        .play();
        played.expect_line(Regime::Open, 0).expect(
            "whatsapp",
            Status::Degraded,
            &["server_name/drop"],
        );
        played.expect_accessible(&["telegram", "facetime", "max"]);
        let hellos: Vec<_> = played
            .failed_tcp("whatsapp")
            .filter(|(it, _)| it.failure() == Some(&Failure::GenericTimeout))
            .collect();
        assert!(hellos.len() > 3, "{}", played.tell());
        for (observation, tcp) in hellos {
            assert_eq!(tcp.unacked, Some(0), "{observation:#?}");
            assert!(tcp.bytes_acked.unwrap_or(0) > 100, "{observation:#?}");
            assert_eq!(tcp.bytes_received, Some(0), "{observation:#?}");
        }
    });
}
