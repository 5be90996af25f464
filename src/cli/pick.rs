//! Picks what the user named out of what there is, and helps where the name is unknown.

use std::path::{Path, PathBuf};

use crate::catalog::{self, files, files::LoadError};
use crate::cli::arguments;
use crate::cli::trouble::Trouble;
use crate::lab;
use crate::lab::scenarios::Scenario;
use crate::model::catalog::{Catalog, Target};

/// The built-in definitions, or those of these files together.
///
/// # Errors
/// Where a file cannot be read or is wrong, with line and column.
pub fn catalog(definitions: &[PathBuf]) -> Result<Catalog, Trouble> {
    if definitions.is_empty() {
        return Ok(catalog::embedded());
    }
    stdin_once(definitions)?;
    files::load_files(definitions).map_err(|error| match error {
        LoadError::Invalid(errors) => Trouble::definitions(&errors),
        error @ LoadError::Twice { .. } => {
            Trouble::new(&error).hint("give one of them another id, or leave one file out")
        }
        error @ LoadError::Read { .. } => Trouble::new(&error),
    })
}

/// Standard input is empty when it is read again.
///
/// # Errors
/// Where it is given twice.
pub fn stdin_once(files: &[PathBuf]) -> Result<(), Trouble> {
    let times = files
        .iter()
        .filter(|file| *file == Path::new(files::STDIN))
        .count();
    if times < 2 {
        return Ok(());
    }
    Err(Trouble::new("standard input (`-`) is given twice")
        .hint("it can be read only once: leave one `-` out"))
}

/// Leaves only these targets, in the order of the definitions; all where none is given.
///
/// # Errors
/// Where a target is unknown, with those that are known.
pub fn targets(catalog: &mut Catalog, wanted: &[String]) -> Result<(), Trouble> {
    for name in wanted {
        if !catalog.targets.iter().any(|target| is_called(target, name)) {
            return Err(no_target(name, catalog));
        }
    }
    if !wanted.is_empty() {
        catalog
            .targets
            .retain(|target| wanted.iter().any(|name| is_called(target, name)));
    }
    Ok(())
}

/// The scenario of the lab that has this name.
///
/// # Errors
/// Where there is none, with the nearest.
pub fn scenario(name: &str) -> Result<&'static Scenario, Trouble> {
    let names = || lab::scenarios().iter().map(|scenario| scenario.name);
    lab::find(name).ok_or_else(|| {
        let all = "`blockprobe selftest --list` shows all scenarios";
        unknown("scenario", name, names(), all)
    })
}

/// An unknown word: the nearest of those that are known, and where the others stand.
pub fn unknown<'a>(
    kind: &str,
    name: &str,
    known: impl IntoIterator<Item = &'a str>,
    all: &str,
) -> Trouble {
    let hint = suggestion(&nearest(name, known)).map_or_else(
        || all.to_owned(),
        |suggestion| format!("{suggestion} {}", capitalized(all)),
    );
    Trouble::new(format!("there is no {kind} `{}`", name.escape_debug())).hint(hint)
}

/// The three words that are most like this one, if any are like it at all.
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    /// Less alike than this, a word is another word and not a slip of the finger.
    const ALIKE: f64 = 0.75;
    let name = name.to_lowercase();
    let mut near: Vec<(f64, &str)> = known
        .into_iter()
        .map(|known| (likeness(&name, known), known))
        .filter(|(likeness, _)| *likeness > ALIKE)
        .collect();
    near.sort_by(|(one, _), (other, _)| other.total_cmp(one));
    near.into_iter().take(3).map(|(_, known)| known).collect()
}

/// From 0 to 1; a part of a word is very much like it.
fn likeness(name: &str, known: &str) -> f64 {
    const PART: usize = 3;
    let is_part = name.len() >= PART && known.contains(name);
    let least = if is_part { 0.95 } else { 0.0 };
    strsim::jaro_winkler(known, name).max(least)
}

/// `did you mean a, b or c?`
pub fn suggestion(near: &[&str]) -> Option<String> {
    let (last, others) = near.split_last()?;
    let mut text = String::from("did you mean ");
    if !others.is_empty() {
        let others: Vec<String> = others.iter().map(|word| format!("`{word}`")).collect();
        text += &others.join(", ");
        text += " or ";
    }
    Some(format!("{text}`{last}`?"))
}

/// A word that is no target may be a command: one in the wrong place, or one that is misspelt.
fn no_target(name: &str, catalog: &Catalog) -> Trouble {
    let program = arguments::command();
    let commands: Vec<&str> = program
        .get_subcommands()
        .map(clap::Command::get_name)
        .collect();
    if commands.contains(&name) {
        return Trouble::new(format!("`{name}` is a command, not a target")).hint(format!(
            "the command comes first, and only once: blockprobe {name} ..."
        ));
    }
    let ids: Vec<&str> = catalog
        .targets
        .iter()
        .map(|target| target.id.as_str())
        .collect();
    let near = nearest(name, ids.iter().chain(&commands).copied());
    if let Some(command) = near.first().filter(|near| commands.contains(*near)) {
        return Trouble::new(format!(
            "there is no command or target `{}`",
            name.escape_debug()
        ))
        .hint(format!(
            "did you mean the command `{command}`? blockprobe {command} ..."
        ));
    }
    let near: Vec<&str> = near.into_iter().filter(|word| ids.contains(word)).collect();
    let all = known_targets(&ids);
    let hint = suggestion(&near).map_or_else(
        || format!("{all}. `blockprobe --help` shows the commands"),
        |suggestion| format!("{suggestion} {}", capitalized(&all)),
    );
    let kind = if near.is_empty() {
        "command or target"
    } else {
        "target"
    };
    Trouble::new(format!("there is no {kind} `{}`", name.escape_debug())).hint(hint)
}

/// All of them, where they fit on a line.
fn known_targets(ids: &[&str]) -> String {
    const FEW: usize = 8;
    if ids.len() > FEW {
        return format!("`blockprobe list` shows all {} targets", ids.len());
    }
    format!("the targets are {}", ids.join(", "))
}

fn capitalized(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(letters).collect()
    })
}

fn is_called(target: &Target, name: &str) -> bool {
    target.id.eq_ignore_ascii_case(name) || target.name.eq_ignore_ascii_case(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::catalog::Target;

    fn three() -> Catalog {
        let targets = [
            ("whatsapp", "WhatsApp"),
            ("telegram", "Telegram"),
            ("max", "MAX"),
        ];
        Catalog {
            targets: targets
                .map(|(id, name)| Target {
                    id: id.to_owned(),
                    region: crate::model::catalog::Region::Foreign,
                    name: name.to_owned(),
                    services: Vec::new(),
                })
                .to_vec(),
            ..Catalog::default()
        }
    }

    #[test]
    fn named_targets_stay_in_the_order_of_the_definitions() {
        let mut catalog = three();
        targets(&mut catalog, &["MAX".to_owned(), "whatsapp".to_owned()]).unwrap();
        let left: Vec<_> = catalog
            .targets
            .iter()
            .map(|target| target.id.as_str())
            .collect();
        assert_eq!(left, ["whatsapp", "max"]);
    }

    fn refused(name: &str) -> String {
        let trouble = targets(&mut three(), &[name.to_owned()]).unwrap_err();
        trouble.to_string()
    }

    #[test]
    fn an_unknown_target_is_answered_with_the_nearest() {
        assert_eq!(
            refused("watsap"),
            "error: there is no target `watsap`\n\
             hint: did you mean `whatsapp`? The targets are whatsapp, telegram, max"
        );
        assert!(!refused("signal").contains("did you mean"));
        assert!(
            refused("signal").contains("The targets are")
                || refused("signal").contains("the targets are")
        );
    }

    #[test]
    fn a_word_that_is_meant_as_a_command_is_seen_as_one() {
        assert!(refused("analyse").contains("did you mean the command `analyze`?"));
        assert_eq!(
            refused("list"),
            "error: `list` is a command, not a target\n\
             hint: the command comes first, and only once: blockprobe list ..."
        );
        assert!(refused("diff").contains("no command or target `diff`"));
    }

    #[test]
    fn an_unknown_scenario_is_answered_with_three_and_not_with_all() {
        let told = scenario("opne").unwrap_err().to_string();
        assert!(told.contains("`open`"), "{told}");
        assert!(told.contains("selftest --list"), "{told}");
        assert!(told.len() < 300, "{told}");
        let told =
            scenario("throttl").map_or_else(|trouble| trouble.to_string(), |_| String::new());
        assert!(told.matches('`').count() <= 10, "{told}");
    }

    #[test]
    fn what_is_like_nothing_gets_no_suggestion() {
        assert_eq!(suggestion(&nearest("zzzz", ["open", "offline"])), None);
        assert_eq!(
            suggestion(&["a", "b", "c"]).unwrap(),
            "did you mean `a`, `b` or `c`?"
        );
    }
}
