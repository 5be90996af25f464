//! The screen says what the report says, and hostile text stays text.

use proptest::prelude::*;

use super::*;
use crate::model::report::Report;

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
    }
    report
}

#[test]
fn a_long_name_stands_apart_from_its_status_and_is_broken_between_its_words() {
    let report = long_names();
    let told = screen(&report, 100, false, Detail::Verbose);
    assert!(told.contains("\n  data_centres_abroad (essential)  ✗ blocked\n"));
    assert!(told.contains("\n  data_centre_alternatives         ✗ blocked\n"));
    for detail in [Detail::Plain, Detail::Verbose] {
        let wide = screen(&report, 120, false, detail);
        for columns in [40, 44, 52, 60, 72] {
            let narrow = screen(&report, columns, false, detail);
            for part in ["data_", "centres_", "abroad", "centre_", "alternatives"] {
                let count = |text: &str| text.matches(part).count();
                assert_eq!(
                    count(&narrow),
                    count(&wide),
                    "{part} at {columns}:\n{narrow}"
                );
            }
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
fn a_doubt_says_whose_it_is_where_there_are_several_techniques() {
    let mut report = samples::blocked();
    let verdict = &mut report.verdicts[0];
    let mut second = verdict.techniques[0].clone();
    second.id = "address/drop".to_owned();
    second.doubt = Some("They may be down".to_owned());
    verdict.techniques.truncate(1);
    verdict.techniques[0].doubt = None;
    verdict.techniques.push(second);
    let told = screen(&report, 120, false, Detail::Plain);
    assert!(
        told.contains("Doubt left of address/drop: They may be down"),
        "{told}"
    );
    report.verdicts[0].techniques.remove(0);
    let told = screen(&report, 120, false, Detail::Plain);
    assert!(told.contains("Doubt left: They may be down"), "{told}");
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
    let mut sink = Human::new(Destination::whole(&path).unwrap(), manner);
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
