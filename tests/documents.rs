//! What is written for people is kept true.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

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
fn files_that_the_readme_points_at_exist() {
    let text = read("README.md");
    let links = text
        .split("](")
        .skip(1)
        .filter_map(|rest| rest.split(')').next())
        .filter(|link| !link.starts_with("http"));
    for link in links {
        assert!(root().join(link).exists(), "README.md points at {link}");
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(name: &str) -> String {
    fs::read_to_string(root().join(name)).unwrap()
}
