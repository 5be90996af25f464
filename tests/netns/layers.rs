//! What boxes on the way read above TCP, on real packets: requests in clear, apps' first bytes, resolvers' names, and several at
//! once; and lines whose trouble looks like it.

use blockprobe::lab::censor::{Censor, Lie, Resolvers, Sight};
use blockprobe::lab::fault::Aim;
use blockprobe::model::report::{Confidence, Regime, Status};
use blockprobe::model::technique::{Interference, Technique, Trigger};

use crate::means::play;
use crate::played::Played;
use crate::scene::Scene;

/// A box on the router, by iptables rules of its own.
fn with_box(name: &'static str, rules: &str) -> Played {
    Scene {
        name,
        router: rules.to_owned(),
        ..Scene::default()
    }
    .play()
}

#[test]
fn a_host_in_clear_that_is_reset_is_named() {
    play(|| {
        with_box(
            "http_host_reset",
            "iptables -A FORWARD -p tcp --dport 80 -m string --algo bm --string 'Host: static.ess.apple.com' \
             -j REJECT --reject-with tcp-reset",
        )
        .expect_line(Regime::Open, 0)
        .expect_confirmed("facetime", Status::Accessible, &["http_host/reset"])
        .expect_accessible(&["whatsapp", "telegram", "max"]);
    });
}

#[test]
fn first_bytes_that_vanish_wherever_they_lead_are_known() {
    play(|| {
        let played = with_box(
            "first_bytes_of_whatsapp",
            "for port in 443 5222 80; do
                 iptables -A FORWARD -p tcp --dport $port -m string --algo bm --hex-string '|57410603|' -j DROP
             done",
        );
        played
            .expect_line(Regime::Open, 0)
            .expect_confirmed("whatsapp", Status::Blocked, &["protocol/drop"])
            .expect_accessible(&["telegram", "facetime", "max"])
            .expect_within(20);
    });
}

#[test]
fn datagrams_with_the_magic_cookie_that_vanish_cut_calls_and_leave_chat() {
    play(|| {
        with_box(
            "stun_cookie",
            "iptables -A FORWARD -p udp -m u32 --u32 '0>>22&0x3C@12=0x2112A442' -j DROP",
        )
        .expect_line(Regime::Open, 0)
        .expect_confirmed("whatsapp", Status::Degraded, &["protocol/drop"])
        .expect_accessible(&["telegram", "facetime"]);
    });
}

#[test]
fn a_resolvers_name_in_tls_that_is_reset_is_told_at_the_resolver() {
    play(|| {
        let played = with_box(
            "doh_name_reset",
            "iptables -A FORWARD -p tcp --dport 443 -m string --algo bm --string dns.google -j REJECT --reject-with tcp-reset",
        );
        played
            .expect_line(Regime::Open, 0)
            .expect_accessible(&["whatsapp", "telegram", "facetime", "max"]);
        assert!(
            played
                .techniques_of_resolver("google")
                .contains("resolver/reset"),
            "{}",
            played.tell()
        );
        assert!(played.techniques_of_resolver("cloudflare").is_empty());
    });
}

#[test]
fn three_layers_are_three_techniques() {
    play(|| {
        Scene {
            name: "three_layers",
            censor: Some(Censor {
                technique: Technique::new(Trigger::DomainName, Interference::Nxdomain),
                at: Resolvers::System,
                names: Aim::Target("whatsapp"),
                lie: Lie::Bogon,
                sight: Sight::Whole,
            }),
            router: "
                iptables -A FORWARD -p tcp -d 157.240.0.0/16 --syn -j DROP
                iptables -A FORWARD -p tcp --dport 443 -m string --string whatsapp --algo bm -j REJECT --reject-with tcp-reset"
                .to_owned(),
            ..Scene::default()
        }
        .play()
        .expect_line(Regime::Open, 0)
        .expect_confirmed(
            "whatsapp",
            Status::Blocked,
            &["domain_name/nxdomain", "address/drop", "server_name/reset"],
        )
        .expect_accessible(&["telegram", "facetime", "max"])
        .expect_within(20);
    });
}

#[test]
fn a_box_that_remembers_is_still_named() {
    play(|| {
        let played = with_box(
            "residual",
            "iptables -A FORWARD -m recent --name res --rdest --rcheck --seconds 20 -j DROP
             iptables -A FORWARD -p tcp --dport 443 -m string --string ess.apple.com --algo bm \
                 -m recent --name res --rdest --set -j REJECT --reject-with tcp-reset",
        );
        let facetime = played.verdict("facetime");
        let ids: Vec<&str> = facetime
            .techniques
            .iter()
            .map(|it| it.id.as_str())
            .collect();
        assert_eq!(ids, ["server_name/reset"], "{}", played.tell());
    });
}

#[test]
fn a_box_that_remembers_many_names_is_still_named() {
    play(|| {
        let reset = |text: &str| {
            format!(
                "iptables -A FORWARD -p tcp --dport 443 -m string --string {text} --algo bm \
                     -m recent --name res --rdest --set -j REJECT --reject-with tcp-reset\n"
            )
        };
        let rules = [
            "iptables -A FORWARD -m recent --name res --rdest --rcheck --seconds 60 -j DROP\n",
            &reset("whatsapp"),
            &reset("dns.google"),
        ];
        let played = with_box("residual_of_many", &rules.concat());
        let whatsapp = played.verdict("whatsapp");
        let mut ids = whatsapp.techniques.iter().map(|it| it.id.as_str());
        assert!(ids.any(|it| it == "server_name/reset"), "{}", played.tell());
        // Its chat shows no name and goes on.
        assert_eq!(whatsapp.status, Status::Degraded, "{}", played.tell());
        played.expect_accessible(&["telegram", "facetime", "max"]);
    });
}

#[test]
fn a_router_that_limits_new_connections_is_no_censor() {
    play(|| {
        with_box(
            "syn_rate",
            "iptables -A FORWARD -p tcp --syn -m hashlimit --hashlimit-above 30/sec --hashlimit-burst 30 \
             --hashlimit-mode srcip --hashlimit-name rate -j DROP",
        )
        .expect_nobody_accused();
    });
}

/// So many connections a minute, after so many at once, for each of what it counts by.
fn limited(name: &'static str, rate: &str, burst: u8, by: &str) -> Played {
    let rule = format!(
        "iptables -A FORWARD -p tcp --syn -m hashlimit --hashlimit-above {rate} --hashlimit-burst {burst} \
         --hashlimit-mode {by} --hashlimit-name limit -j DROP"
    );
    with_box(name, &rule)
}

#[test]
fn a_router_that_limits_new_connections_to_each_network_is_no_censor() {
    play(|| {
        for (name, rate, burst, by) in [
            ("rate_24", "12/min", 4, "dstip --hashlimit-dstmask 24"),
            ("rate_20", "12/min", 6, "dstip --hashlimit-dstmask 20"),
            ("rate_16", "4/min", 5, "dstip --hashlimit-dstmask 16"),
            (
                "rate_port",
                "12/min",
                3,
                "dstip,dstport --hashlimit-dstmask 24",
            ),
        ] {
            let played = limited(name, rate, burst, by);
            played.expect_nobody_accused();
            let silent = played.failed_tcp("telegram").count();
            assert!(silent > 5, "{}", played.tell());
        }
    });
}

#[test]
fn addresses_that_are_dropped_among_others_that_stand_meet_no_limit() {
    play(|| {
        let played = with_box(
            "some_of_a_network",
            "for last in 50 100; do iptables -A FORWARD -p tcp --syn -d 149.154.175.$last -j DROP; done
             for last in 41 51 91 92; do iptables -A FORWARD -p tcp --syn -d 149.154.167.$last -j DROP; done",
        );
        let verdict = played.verdict("telegram");
        let drop = verdict.techniques.iter().find(|it| it.id == "address/drop");
        let drop = drop.unwrap_or_else(|| panic!("{}", played.tell()));
        let doubt = drop.doubt.as_deref().unwrap_or_default();
        assert!(!doubt.contains("limit of connections"), "{}", played.tell());
    });
}

#[test]
fn a_firewall_that_lets_only_the_webs_ports_pass_is_no_censor() {
    play(|| {
        let played = with_box(
            "only_the_web",
            "iptables -A FORWARD -p udp ! --dport 53 -i downlink -j DROP
             iptables -A FORWARD -p tcp -i downlink -m multiport ! --dports 80,443 -j DROP",
        );
        for target in ["whatsapp", "telegram", "facetime", "max"] {
            let verdict = played.verdict(target);
            let is_quic = |id: &str| id == "quic/drop";
            let others = verdict.techniques.iter().filter(|it| !is_quic(&it.id));
            assert_eq!(others.count(), 0, "{}", played.tell());
            assert_ne!(verdict.status, Status::Blocked, "{}", played.tell());
        }
        // Its calls go over UDP, of which nothing passes: that is no reason to be sure that they work.
        let facetime = played.verdict("facetime");
        let told = facetime.reason.as_deref().unwrap_or_default();
        assert!(
            facetime.confidence < Confidence::Confirmed && told.contains("calls were not measured"),
            "{}",
            played.tell()
        );
    });
}
