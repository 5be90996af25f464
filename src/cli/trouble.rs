//! What goes wrong on the user's side: what happened, where, and what to do.

use std::fmt;
use std::io;

use crate::catalog::problem::CatalogErrors;
use crate::output::terminal::escape;

/// An error of usage, definitions or output; always exit status 2.
#[derive(Debug)]
pub struct Trouble {
    message: String,
    hint: Option<String>,
    closed_pipe: bool,
}

impl Trouble {
    /// What happened and where, in one sentence.
    pub fn new(message: impl fmt::Display) -> Self {
        Self {
            message: format!("error: {message}"),
            hint: None,
            closed_pipe: false,
        }
    }

    /// What is wrong at one place of a file. The place stands as compilers write it, so that editors find it.
    pub fn at(file: &str, line: usize, column: usize, message: impl fmt::Display) -> Self {
        Self::new(format!("{message}\n  --> {file}:{line}:{column}"))
    }

    /// Everything that is wrong with definitions, each with its place and hint.
    pub fn definitions(errors: &CatalogErrors) -> Self {
        Self {
            message: errors.to_string(),
            hint: None,
            closed_pipe: false,
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The reader of standard output went away, which is no error.
    pub const fn is_closed_pipe(&self) -> bool {
        self.closed_pipe
    }
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        Self {
            closed_pipe: error.kind() == io::ErrorKind::BrokenPipe,
            ..Self::new(format!("cannot write the output: {error}"))
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // It may quote a file, or its name: only lines and tabs are ours.
        for piece in self.message.trim_end().split_inclusive(['\n', '\t']) {
            let text = piece.trim_end_matches(['\n', '\t']);
            write!(formatter, "{}{}", escape(text), &piece[text.len()..])?;
        }
        if let Some(hint) = &self.hint {
            write!(formatter, "\nhint: {hint}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hint_stands_on_a_line_of_its_own() {
        let trouble = Trouble::new("cannot write x").hint("write y");
        assert_eq!(trouble.to_string(), "error: cannot write x\nhint: write y");
    }

    #[test]
    fn a_place_stands_under_the_message() {
        let trouble = Trouble::at("x.json", 3, 7, "not JSON");
        assert_eq!(trouble.to_string(), "error: not JSON\n  --> x.json:3:7");
    }

    #[test]
    fn a_files_name_does_not_steer_the_terminal() {
        let trouble = Trouble::new("cannot read ev\u{1b}[31mil\u{202e}.json: gone\n\tbelow\n");
        let told = "error: cannot read ev\\x1b[31mil\\u{202e}.json: gone\n\tbelow";
        assert_eq!(trouble.to_string(), told);
    }

    #[test]
    fn only_a_broken_pipe_is_a_closed_pipe() {
        assert!(Trouble::from(io::Error::from(io::ErrorKind::BrokenPipe)).is_closed_pipe());
        assert!(!Trouble::from(io::Error::from(io::ErrorKind::StorageFull)).is_closed_pipe());
    }
}
