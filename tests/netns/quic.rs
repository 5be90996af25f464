//! QUIC on a real road: filtered by its version, shut out for everybody, or prohibited; TCP decides about the target.

use blockprobe::model::check::Hello;
use blockprobe::model::failure::Failure;
use blockprobe::model::observation::{Observation, Operation, QuicFacts};
use blockprobe::model::report::{Confidence, Regime, Status};

use crate::means::play;
use crate::played::Played;
use crate::road::ROUTER;
use crate::scene::Scene;

const OTHERS: &[&str] = &["telegram", "facetime", "max"];

/// A rule of the router for what goes through it.
fn rule(rule: &str) -> String {
    format!(
        "nft -f - <<'END'
            table ip censor {{
                chain forwarding {{
                    type filter hook forward priority filter;
                    {rule}
                }}
            }}
END"
    )
}

/// Everything WhatsApp's names met over QUIC.
fn met(played: &Played) -> Vec<(&Observation, &QuicFacts)> {
    played
        .observations("whatsapp")
        .filter_map(|it| {
            let step = it.step(Operation::QuicHandshake)?;
            Some((it, step.quic.as_deref()?))
        })
        .collect()
}

fn is_greased(observation: &Observation) -> bool {
    use blockprobe::model::check::Ask;
    matches!(&observation.check.ask, Ask::Climb(climb) if climb.hello == Hello::Greased)
}

fn only_confidence(played: &Played) -> (Confidence, bool) {
    let mut verdicts = played.report.verdicts.iter();
    let verdict = verdicts.find(|it| it.target == "whatsapp").unwrap();
    let technique = &verdict.techniques[0];
    (technique.confidence, technique.doubt.is_some())
}

#[test]
fn a_filter_that_knows_quics_first_version_is_told() {
    play(|| {
        let played = Scene {
            name: "quic_v1_drop",
            router: rule("udp dport 443 udp length >= 1009 @ih,8,32 0x00000001 drop"),
            ..Scene::default()
        }
        .play();
        played
            .expect_line(Regime::Open, 0)
            .expect("whatsapp", Status::Accessible, &["quic/drop"])
            .expect_accessible(OTHERS);
        assert_eq!(only_confidence(&played), (Confidence::Confirmed, false));
        for (observation, facts) in met(&played) {
            assert_eq!(facts.received > 0, is_greased(observation), "{facts:?}");
        }
    });
}

#[test]
fn a_firewall_that_shuts_quic_out_for_everybody_is_told_with_that_doubt() {
    play(|| {
        let played = Scene {
            name: "quic_firewall",
            router: rule("udp dport 443 drop"),
            ..Scene::default()
        }
        .play();
        played
            .expect_line(Regime::Open, 0)
            .expect("whatsapp", Status::Accessible, &["quic/drop"])
            .expect_accessible(OTHERS);
        assert_eq!(only_confidence(&played), (Confidence::Likely, true));
        let notes = &played.report.vantage.notes;
        assert!(
            notes.iter().any(|note| note.starts_with("QUIC")),
            "{notes:?}"
        );
    });
}

#[test]
fn a_router_that_prohibits_quic_is_heard_at_once_and_names_nobody() {
    play(|| {
        let played = Scene {
            name: "quic_prohibited",
            router: rule("udp dport 443 reject with icmp type admin-prohibited"),
            ..Scene::default()
        }
        .play();
        played
            .expect_line(Regime::Open, 0)
            .expect_nobody_accused()
            .expect_accessible(&["whatsapp"])
            .expect_accessible(OTHERS);
        let met = met(&played);
        assert!(!met.is_empty());
        for (observation, facts) in met {
            assert_eq!(observation.failure(), Some(&Failure::HostUnreachable));
            let told = &facts.icmp[0];
            assert_eq!((told.kind, told.code), (3, 13), "{facts:?}");
            assert_eq!(told.offender, Some(ROUTER.to_string()));
            let step = &observation.steps[0];
            assert!(step.t - step.t0 < 2.0, "{step:?}");
        }
    });
}
