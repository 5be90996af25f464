//! JUnit XML, as build servers read it (the schema of Jenkins' xUnit plugin): one test case for each scenario.

use std::fmt::Write as _;

use crate::output::selftest::{Ending, Play, Selftest};

/// The whole document.
pub fn document(selftest: &Selftest) -> String {
    let Selftest {
        started_at,
        duration_s,
        failed,
        scenarios,
        software,
        ..
    } = selftest;
    let counts = format!(
        "tests=\"{}\" failures=\"{failed}\" errors=\"0\" time=\"{duration_s:.3}\"",
        scenarios.len()
    );
    let (name, time) = (escaped(&software.name), escaped(started_at));
    let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let _ = writeln!(text, "<testsuites name=\"{name} selftest\" {counts}>");
    let _ = writeln!(
        text,
        "  <testsuite name=\"{name} selftest\" {counts} skipped=\"0\" timestamp=\"{time}\">"
    );
    for play in scenarios {
        text += &case(play);
    }
    text.push_str("  </testsuite>\n</testsuites>\n");
    text
}

fn case(play: &Play) -> String {
    let differences = escaped(&play.differences.join("\n"));
    let inside = match play.ending {
        Ending::Ok => String::new(),
        Ending::OkAlone => format!(
            "      <system-out>It came out right when it was played alone: the machine was busy. At first:\n{differences}</system-out>\n"
        ),
        Ending::Failed => {
            let first = play.differences.first().map_or("", String::as_str);
            let first = escaped(first).replace('\n', " ");
            format!(
                "      <failure type=\"otherwise\" message=\"{first}\">{differences}</failure>\n"
            )
        }
    };
    format!(
        "    <testcase classname=\"blockprobe.lab\" name=\"{}\" time=\"{:.3}\">\n{inside}    </testcase>\n",
        escaped(&play.scenario),
        play.took_s
    )
}

/// Text of an element or an attribute. XML 1.0 has no way to write most control characters.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\n' | '\t' => escaped.push(letter),
            '\u{fffe}' | '\u{ffff}' => escaped.push('\u{fffd}'),
            _ if letter.is_control() => escaped.push('\u{fffd}'),
            _ => escaped.push(letter),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::selftest::tests::three;

    #[test]
    fn what_is_no_xml_is_escaped() {
        assert_eq!(
            escaped("a<b> & \"c\"\u{1b}\n"),
            "a&lt;b&gt; &amp; &quot;c&quot;\u{fffd}\n"
        );
    }

    #[test]
    fn every_scenario_is_a_case_and_only_what_failed_is_a_failure() {
        let text = document(&three());
        assert_eq!(text.matches("<testcase ").count(), 3);
        assert_eq!(text.matches("<failure ").count(), 1);
        assert!(text.contains("tests=\"3\" failures=\"1\" errors=\"0\" time=\"4.500\""));
        assert!(text.contains("the machine was busy. At first:\nmax: expected a, got b<"));
    }
}
