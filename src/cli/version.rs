//! What `--version` says: which program this is, and from what it was built.

use crate::catalog;

/// The number, and under it where the program comes from.
pub fn long() -> String {
    let commit = match (env!("BLOCKPROBE_COMMIT"), env!("BLOCKPROBE_COMMIT_DATE")) {
        (commit, "unknown") => commit.to_owned(),
        (commit, date) => format!("{commit} ({date})"),
    };
    format!(
        "{}\ncommit:      {commit}\ndefinitions: {}\ntarget:      {}\nrustc:       {}",
        env!("CARGO_PKG_VERSION"),
        definitions(),
        env!("BLOCKPROBE_TARGET"),
        env!("BLOCKPROBE_RUSTC"),
    )
}

/// When the program was last changed; of its definitions where the commit is unknown.
pub fn date() -> &'static str {
    let commit = env!("BLOCKPROBE_COMMIT_DATE");
    if commit.starts_with("20") {
        commit
    } else {
        definitions()
    }
}

/// The date that the built-in definitions say of themselves.
fn definitions() -> &'static str {
    let said = catalog::EMBEDDED.split("State of knowledge: ").nth(1);
    let date = said.and_then(|rest| rest.get(..10));
    date.unwrap_or("unknown")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definitions_say_their_date() {
        let date: jiff::civil::Date = definitions().parse().expect("a date");
        assert!(date.year() >= 2026);
    }
}
