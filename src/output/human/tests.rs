//! The screen says what the report says, and hostile text stays text.

use proptest::prelude::*;

use super::*;
use crate::model::failure::Failure;
use crate::model::report::{EndpointReport, Report};
use crate::model::technique::Trigger;

const DETAILS: [Detail; 4] = [
    Detail::Quiet,
    Detail::Plain,
    Detail::Verbose,
    Detail::Everything,
];

fn screen(report: &Report, width: usize, colour: bool, detail: Detail) -> String {
    let facts = Facts::of(&report.observations);
    let told = Told {
        run: &report.run,
        vantage: &report.vantage,
        verdicts: &report.verdicts,
        facts: &facts,
        observations: &report.observations,
        measured: report.observations.len(),
    };
    render(
        &told,
        Manner {
            width,
            colour,
            detail,
        },
    )
}

#[test]
fn an_id_at_the_beginning_of_a_line_stays_as_it_is_written() {
    let manner = Manner {
        width: 80,
        colour: false,
        detail: Detail::Plain,
    };
    let page = Page::new(manner, 0);
    let id = "https://web.whatsapp.com/: It fails";
    assert_eq!(page.sentence(id), id);
    assert_eq!(page.sentence("works here"), "Works here");
}

/// The text without our colours.
fn bare(text: &str) -> String {
    let mut bare = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("\x1b[") {
        bare.push_str(before);
        let (codes, after) = after.split_once('m').expect("a whole colour");
        assert!(
            codes
                .bytes()
                .all(|byte| byte.is_ascii_digit() || byte == b';')
        );
        rest = after;
    }
    bare + rest
}

#[test]
fn every_situation_is_told_in_each_detail() {
    for (name, report) in [
        ("accessible", samples::accessible()),
        ("blocked", samples::blocked()),
        ("offline", samples::offline()),
        ("portal", samples::portal()),
        ("interrupted", samples::interrupted()),
    ] {
        insta::assert_snapshot!(
            format!("{name}_80"),
            screen(&report, 80, false, Detail::Plain)
        );
    }
    let contrasted = samples::contrasted();
    for (name, detail) in [
        ("contrasted", Detail::Plain),
        ("contrasted_verbose", Detail::Verbose),
        ("contrasted_everything", Detail::Everything),
    ] {
        insta::assert_snapshot!(name, screen(&contrasted, 100, false, detail));
    }
    let blocked = samples::blocked();
    insta::assert_snapshot!("blocked_120", screen(&blocked, 120, false, Detail::Plain));
    insta::assert_snapshot!("blocked_quiet", screen(&blocked, 80, false, Detail::Quiet));
    insta::assert_snapshot!(
        "blocked_verbose",
        screen(&blocked, 100, false, Detail::Verbose)
    );
}

#[test]
fn colours_change_nothing_but_colours() {
    for report in samples::all() {
        for detail in DETAILS {
            let coloured = screen(&report, 80, true, detail);
            assert!(coloured.contains("\x1b["));
            assert_eq!(bare(&coloured), screen(&report, 80, false, detail));
        }
    }
}

#[test]
fn no_line_is_wider_than_the_page() {
    let mut reports = samples::all();
    reports.push(long_names());
    for report in reports {
        for (columns, detail) in [40, 50, 60, 80, 120]
            .into_iter()
            .flat_map(|columns| [(columns, Detail::Plain), (columns, Detail::Verbose)])
        {
            for line in screen(&report, columns, false, detail).lines() {
                assert!(layout::width(line) <= columns, "{columns}: {line}");
            }
        }
    }
}

/// Names of services as long as the built-in definitions have them.
fn long_names() -> Report {
    let mut report = samples::blocked();
    for verdict in &mut report.verdicts {
        verdict.services[0].service = "data_centres_abroad".to_owned();
        verdict.services[1].service = "data_centre_alternatives".to_owned();
        // Another outcome than that of the next: they do not become one.
        verdict.services[1].endpoints[0].failure = Some(Failure::ConnectionReset);
    }
    report
}

#[test]
fn a_long_name_stands_apart_from_its_status_and_its_words_stay_whole() {
    let report = long_names();
    let wide = screen(&report, 100, false, Detail::Verbose);
    assert!(wide.contains("\n  data centres abroad (essential)  ✗ blocked\n"));
    assert!(wide.contains("\n  data centre alternatives         ✗ blocked\n"));
    for columns in [40, 44, 52, 60, 72] {
        let narrow = screen(&report, columns, false, Detail::Verbose);
        let words: Vec<&str> = narrow.split_whitespace().collect();
        for word in ["centres", "abroad", "alternatives", "(essential)"] {
            assert!(words.contains(&word), "{word} at {columns}:\n{narrow}");
        }
    }
}

#[test]
fn that_it_works_is_told_as_likely_where_it_is_no_more() {
    for (confidence, is_told) in [(Confidence::Confirmed, false), (Confidence::Likely, true)] {
        let mut report = samples::accessible();
        for verdict in &mut report.verdicts {
            verdict.confidence = confidence;
        }
        for detail in DETAILS {
            let told = screen(&report, 80, false, detail);
            assert_eq!(told.contains("likely"), is_told, "{told}");
        }
    }
}

#[test]
fn an_open_question_stands_under_the_technique_it_is_open_of() {
    let mut report = samples::blocked();
    let verdict = &mut report.verdicts[0];
    let mut second = verdict.techniques[0].clone();
    second.trigger = Trigger::Address;
    second.doubt = Some("They may be down".to_owned());
    verdict.techniques.truncate(1);
    verdict.techniques[0].doubt = None;
    verdict.techniques.insert(0, second);
    let question = |report: &Report| {
        let text = screen(report, 100, false, Detail::Plain);
        let at = |word: &str| text.find(word).expect(word);
        let label = text[at("Open question")..].split(':').next();
        (
            at("Open question") < at("  DNS  "),
            label.map(str::to_owned),
        )
    };
    assert_eq!(question(&report), (true, Some("Open question".to_owned())));
    report.verdicts[0].techniques[1].doubt = Some("They may be down".to_owned());
    let both = Some("Open question (Address, DNS)".to_owned());
    assert_eq!(question(&report), (false, both));
}

#[test]
fn a_technique_says_what_failed_and_what_passed_with_one_thing_changed() {
    let mut report = samples::contrasted();
    let text = screen(&report, 160, false, Detail::Plain).replace('\n', " ");
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(line.contains("(1 name, 3 of 3 handshakes)"), "{line}");
    assert!(
        line.contains("Control servers answer other names (3 of 3), not these (0 of 3)."),
        "{line}"
    );
    let verbose = screen(&report, 100, false, Detail::Verbose);
    for (kind, marks) in [
        ("failed", "✗✗✗ reset (RST)"),
        ("passed", "✓✓✓ certificate of another name"),
    ] {
        let is_row = |line: &&str| line.trim_start().starts_with(kind) && line.contains(marks);
        assert!(
            verbose.lines().any(|line| is_row(&line)),
            "{kind}: {verbose}"
        );
    }
    // One of the target's own handshakes gets through: it is counted.
    report.observations[2].steps[1].failure = None;
    let text = screen(&report, 160, false, Detail::Plain);
    assert!(text.contains("2 of 3 handshakes"), "{text}");
}

#[test]
fn services_that_fail_in_the_same_way_are_one_and_others_stand_apart() {
    let mut report = samples::blocked();
    let text = screen(&report, 100, false, Detail::Verbose);
    assert!(
        text.contains("\n  web, media              ✗ blocked\n    ✗ web, media .whatsapp"),
        "{text}"
    );
    assert!(
        text.contains("\n  chat (essential)        ✗ blocked\n"),
        "{text}"
    );
    report.verdicts[0].services[2].endpoints[0].failure = Some(Failure::ConnectionReset);
    let text = screen(&report, 100, false, Detail::Verbose);
    assert!(
        text.contains("\n  media                   ✗ blocked\n"),
        "{text}"
    );
}

#[test]
fn what_several_targets_share_is_said_once() {
    let text = screen(&samples::interrupted(), 100, false, Detail::Plain);
    assert_eq!(
        text.matches("interrupted before this target").count(),
        1,
        "{text}"
    );
}

#[test]
fn a_reason_that_lists_services_again_is_left_out_and_any_other_is_shown() {
    let mut report = samples::blocked();
    report.verdicts[0].reason =
        Some("Still working: chat, web. Of chat 1 of 5 places is reached".to_owned());
    let text = screen(&report, 100, false, Detail::Plain);
    assert!(!text.contains("Still working"), "{text}");
    assert!(text.contains("Of chat 1 of 5 places is reached"), "{text}");
}

#[test]
fn what_is_wrong_with_the_network_stands_above_everything() {
    let mut report = samples::accessible();
    report.vantage.problem = Some("the clock is 365 days ahead. Set it.".to_owned());
    let text = screen(&report, 80, false, Detail::Plain);
    let problem = text.find("Problem     The clock is 365 days ahead. Set it.");
    assert!(problem < text.find("MAX") && problem.is_some(), "{text}");
    report.vantage.regime = Regime::CaptivePortal;
    let text = screen(&report, 80, false, Detail::Plain);
    assert!(
        text.starts_with("Network     The clock is 365 days"),
        "{text}"
    );
    assert!(text.contains("? No verdict for"), "{text}");
}

#[test]
fn a_quiet_line_counts_the_techniques_that_do_not_fit() {
    let mut report = samples::blocked();
    let techniques = &mut report.verdicts[0].techniques;
    let mut second = techniques[0].clone();
    second.id = "server_name/reset".to_owned();
    techniques.push(second);
    let first = |columns| {
        let text = screen(&report, columns, false, Detail::Quiet);
        text.lines().next().unwrap_or_default().to_owned()
    };
    assert!(first(usize::MAX).ends_with("domain_name/nxdomain server_name/reset"));
    assert!(
        first(72).ends_with("domain_name/nxdomain +1"),
        "{}",
        first(72)
    );
    assert!(first(50).ends_with("+2"), "{}", first(50));
}

#[test]
fn letters_of_two_columns_keep_the_columns() {
    let mut report = samples::blocked();
    report.verdicts[0].name = "测试名称".to_owned();
    let text = screen(&report, 100, false, Detail::Plain);
    let column = |status: &str| {
        let line = text
            .lines()
            .find(|line| line.contains(status))
            .expect(status);
        layout::width(line.split(status).next().unwrap_or_default())
    };
    assert_eq!(column("blocked, confirmed"), column("degraded, likely"));
    assert_eq!(column("blocked, confirmed"), column("works, confirmed"));
}

#[test]
fn thousands_of_endpoints_of_one_outcome_take_few_lines() {
    let mut report = samples::blocked();
    let service = &mut report.verdicts[0].services[0];
    let one = service.endpoints[0].clone();
    service.endpoints = (0..20_000)
        .map(|at| EndpointReport {
            endpoint: format!("https://{at}.net{}.example/", at % 700),
            ..one.clone()
        })
        .collect();
    let text = screen(&report, 100, false, Detail::Verbose);
    assert!(text.lines().count() < 600, "{}", text.lines().count());
    let text = screen(&report, 100, false, Detail::Everything);
    assert!(text.lines().count() > 20_000);
}

#[test]
fn trouble_comes_first() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("screen.txt");
    let manner = Manner {
        width: 80,
        colour: false,
        detail: Detail::Quiet,
    };
    let mut sink = Human::new(
        Destination::whole(&path, crate::output::destination::Packing::Plain).unwrap(),
        manner,
    );
    let mut report = samples::blocked();
    report.verdicts.reverse();
    samples::play(&report, &mut sink).unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    let names: Vec<_> = text
        .lines()
        .filter_map(|line| line.split(' ').next())
        .collect();
    assert_eq!(names, ["WhatsApp", "FaceTime", "MAX", "Telegram"]);
}

#[test]
fn quiet_tells_one_line_a_target_and_nothing_else() {
    for report in samples::all() {
        let text = screen(&report, 80, false, Detail::Quiet);
        assert_eq!(text.lines().count(), report.verdicts.len());
    }
}

proptest! {
    #[test]
    fn hostile_text_never_steers_the_terminal(
        text in prop_oneof![
            any::<String>(),
            "[\\x00-\\x1f\\x7f-\\u{9f}\\u{200b}-\\u{202e}\\u{2060}-\\u{206f}m0-9;\\[ ]{0,40}",
        ],
        width in 20..140_usize,
        colour in any::<bool>(),
        which in 0..4_usize,
    ) {
        let screen = screen(&samples::hostile(&text), width, colour, DETAILS[which]);
        let bare = bare(&screen);
        prop_assert!(colour || bare == screen, "no colour was asked for");
        for character in bare.chars().filter(|&character| character != '\n') {
            prop_assert!(!character.is_control(), "{:?}", character);
            prop_assert!(
                !matches!(character, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'),
                "{:?}", character
            );
        }
    }
}
