//! Pages that have to be complete, and links that have to lead somewhere.

use std::collections::BTreeSet;

use blockprobe::model::report::Verdict;
use serde_json::Value;

use crate::text::{blocks_of, documents, read, root};

/// More is not read: the rest is in docs/.
const README_LINES: usize = 200;

#[test]
fn every_technique_of_the_lab_is_explained() {
    let text = read("docs/techniques.md");
    let explained: BTreeSet<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("## `")?.strip_suffix('`'))
        .collect();
    let expected = blockprobe::lab::scenarios().iter().flat_map(|scenario| {
        let targets = scenario.expected.targets.iter();
        let resolvers = scenario.expected.resolver_techniques.iter();
        targets
            .flat_map(|target| target.techniques.iter().copied())
            .chain(resolvers.map(|(_, technique)| *technique))
    });
    for technique in expected {
        assert!(
            explained.contains(technique),
            "docs/techniques.md does not explain {technique}"
        );
    }
}

#[test]
fn every_field_of_a_report_is_explained() {
    let text = read("docs/report.md");
    let code: String = text
        .split('`')
        .skip(1)
        .step_by(2)
        .collect::<Vec<_>>()
        .join(" ");
    let words: BTreeSet<&str> = code
        .split(|it: char| !it.is_ascii_alphanumeric() && it != '_')
        .collect();
    let schema: Value = serde_json::from_str(&read("docs/report.schema.json")).unwrap();
    let mut fields = BTreeSet::new();
    collect_fields(&schema, &mut fields);
    assert!(fields.len() > 100, "{fields:?}");
    for field in fields {
        assert!(
            words.contains(field),
            "docs/report.md does not explain {field}"
        );
    }
}

fn collect_fields<'a>(schema: &'a Value, fields: &mut BTreeSet<&'a str>) {
    match schema {
        Value::Object(object) => {
            if let Some(Value::Object(properties)) = object.get("properties") {
                fields.extend(properties.keys().map(String::as_str));
            }
            object.values().for_each(|it| collect_fields(it, fields));
        }
        Value::Array(items) => items.iter().for_each(|it| collect_fields(it, fields)),
        _ => {}
    }
}

#[test]
fn the_verdict_that_is_explained_is_one() {
    let blocks = blocks_of("docs/report.md", "json");
    let verdict: Verdict = serde_json::from_str(&blocks[0].text).expect("a verdict");
    assert_eq!(verdict.techniques[0].id, "address/drop");
}

#[test]
fn the_readme_is_short_and_warns_before_its_first_command() {
    let text = read("README.md");
    let lines = text.lines().count();
    assert!(lines <= README_LINES, "{lines} lines");
    let warning = text.find("held against you").expect("the warning");
    let command = text.find("```").expect("a command");
    assert!(
        warning < command,
        "the warning comes after the first command"
    );
}

#[test]
fn links_lead_to_files_and_headings_that_exist() {
    for document in documents() {
        let text = read(&document);
        let links = text
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split(')').next())
            .filter(|link| !link.starts_with("http"));
        let folder = root().join(&document);
        let folder = folder.parent().unwrap();
        for link in links {
            let (file, heading) = link.split_once('#').unwrap_or((link, ""));
            let target = if file.is_empty() {
                root().join(&document)
            } else {
                folder.join(file)
            };
            assert!(target.exists(), "{document} points at {link}");
            if !heading.is_empty() {
                let text = std::fs::read_to_string(&target).unwrap();
                let has = text
                    .lines()
                    .any(|line| anchor(line).as_deref() == Some(heading));
                assert!(has, "{document} points at {link}");
            }
        }
    }
}

/// What a heading is called in links.
fn anchor(line: &str) -> Option<String> {
    let title = line.trim_start_matches('#').strip_prefix(' ')?;
    line.starts_with('#').then(|| {
        let kept = title
            .chars()
            .filter(|it| it.is_alphanumeric() || " -_".contains(*it));
        kept.collect::<String>().to_lowercase().replace(' ', "-")
    })
}
