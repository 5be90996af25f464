//! Options that the environment gives: `BLOCKPROBE_` and the option's long name in capitals.

use std::env;
use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue};

/// What every variable of ours begins with.
const PREFIX: &str = "BLOCKPROBE_";

/// Where an option of this error came from the environment: which variable it was.
pub fn hint(error: &clap::Error) -> Option<String> {
    let given: Vec<OsString> = env::args_os().skip(1).collect();
    blamed(error)
        .into_iter()
        .find(|option| {
            !given.iter().any(|word| is_option(word, option))
                && env::var_os(variable(option)).is_some()
        })
        .map(|option| {
            format!(
                "hint: --{option} comes from the environment variable {}",
                variable(&option)
            )
        })
}

/// The long names of the options that an error is about.
fn blamed(error: &clap::Error) -> Vec<String> {
    let long = |text: &str| {
        let option = text.split(' ').next()?.strip_prefix("--")?;
        let end = option.find(['=', '<', '[']).unwrap_or(option.len());
        Some(option[..end].to_owned())
    };
    [ContextKind::InvalidArg, ContextKind::PriorArg]
        .into_iter()
        .filter_map(|kind| error.get(kind))
        .flat_map(|value| match value {
            ContextValue::String(text) => vec![text.clone()],
            ContextValue::Strings(texts) => texts.clone(),
            _ => Vec::new(),
        })
        .filter_map(|text| long(&text))
        .collect()
}

fn is_option(word: &OsString, option: &str) -> bool {
    let word = word.to_string_lossy();
    word.strip_prefix("--")
        .and_then(|word| word.strip_prefix(option))
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('='))
}

fn variable(option: &str) -> String {
    format!("{PREFIX}{}", option.to_uppercase().replace('-', "_"))
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};

    use super::*;
    use crate::cli::arguments::Arguments;

    #[test]
    fn every_variable_is_the_long_name_of_its_option() {
        let mut command = Arguments::command();
        command.build();
        for command in [&command, command.find_subcommand("analyze").unwrap()] {
            for argument in command.get_arguments() {
                let Some(long) = argument.get_long() else {
                    continue;
                };
                if ["help", "version", "summary"].contains(&long) {
                    continue;
                }
                let set = argument.get_env().map(|name| name.to_string_lossy());
                assert_eq!(set.as_deref(), Some(variable(long).as_str()));
                assert!(argument.is_hide_env_values_set(), "{long}");
            }
        }
    }

    #[test]
    fn an_error_names_its_options() {
        let refused = |line: &str| {
            let error = Arguments::try_parse_from(line.split(' ')).unwrap_err();
            blamed(&error)
        };
        assert_eq!(refused("blockprobe --timeout soon"), ["timeout"]);
        assert_eq!(
            refused("blockprobe --lab open --resolver 192.0.2.1"),
            ["lab", "resolver"]
        );
    }
}
