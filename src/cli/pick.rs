//! Picks what the user named out of what there is, and helps where the name is unknown.

use std::path::Path;

use clap::CommandFactory;

use crate::catalog::{self, LoadError};
use crate::cli::arguments::Arguments;
use crate::cli::trouble::Trouble;
use crate::model::catalog::Catalog;

/// The built-in definitions, or those of a file.
///
/// # Errors
/// Where the file cannot be read or is wrong, with line and column.
pub fn catalog(definitions: Option<&Path>) -> Result<Catalog, Trouble> {
    let Some(path) = definitions else {
        return Ok(catalog::embedded());
    };
    catalog::load_file(path).map_err(|error| match error {
        LoadError::Invalid(errors) => Trouble::located(&errors),
        error @ LoadError::Read { .. } => Trouble::new(&error),
    })
}

/// Leaves only these targets, in the order of the definitions; all where none is named.
///
/// # Errors
/// Where a target is unknown, with those that are known.
pub fn targets(catalog: &mut Catalog, wanted: &[String]) -> Result<(), Trouble> {
    let known: Vec<String> = catalog
        .targets
        .iter()
        .map(|target| target.id.clone())
        .collect();
    for name in wanted {
        if !catalog.targets.iter().any(|target| is_called(target, name)) {
            return Err(misplaced(name).unwrap_or_else(|| unknown("target", name, &known)));
        }
    }
    if !wanted.is_empty() {
        catalog
            .targets
            .retain(|target| wanted.iter().any(|name| is_called(target, name)));
    }
    Ok(())
}

/// An unknown word, the known ones, and the one that was probably meant.
pub fn unknown(kind: &str, name: &str, known: &[String]) -> Trouble {
    let near = known
        .iter()
        .map(|known| (strsim::jaro_winkler(known, &name.to_lowercase()), known))
        .filter(|(likeness, _)| *likeness > 0.7)
        .max_by(|(left, _), (right, _)| left.total_cmp(right));
    let list = format!("there are {}", known.join(", "));
    let hint = near.map_or_else(
        || list.clone(),
        |(_, near)| format!("did you mean `{near}`? {list}"),
    );
    Trouble::new(format!("no {kind} is called `{}`", name.escape_debug())).hint(hint)
}

/// A subcommand after a flag reads as a target.
fn misplaced(name: &str) -> Option<Trouble> {
    let command = Arguments::command();
    command.find_subcommand(name).map(|_| {
        Trouble::new(format!("`{name}` comes after a flag"))
            .hint(format!("put it first: blockprobe {name} ..."))
    })
}

fn is_called(target: &crate::model::catalog::Target, name: &str) -> bool {
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

    #[test]
    fn an_unknown_target_is_answered_with_the_known_ones() {
        let trouble = targets(&mut three(), &["watsap".to_owned()]).unwrap_err();
        assert_eq!(
            trouble.to_string(),
            "error: no target is called `watsap`\n\
             hint: did you mean `whatsapp`? there are whatsapp, telegram, max"
        );
        let trouble = targets(&mut three(), &["list".to_owned()]).unwrap_err();
        assert!(
            trouble.to_string().contains("hint: put it first"),
            "{trouble}"
        );
        let trouble = targets(&mut three(), &["signal".to_owned()]).unwrap_err();
        assert!(!trouble.to_string().contains("did you mean"));
    }
}
