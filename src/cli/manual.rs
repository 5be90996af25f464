//! `blockprobe completions` and `blockprobe man`.

use clap::CommandFactory;

use crate::cli::arguments::{Arguments, CompletionsArguments};
use crate::cli::tell;
use crate::cli::trouble::Trouble;

/// Prints a completion script; the exit status.
///
/// # Errors
/// Of output.
pub fn completions(arguments: &CompletionsArguments) -> Result<u8, Trouble> {
    let mut script = Vec::new();
    clap_complete::generate(
        arguments.shell,
        &mut Arguments::command(),
        env!("CARGO_PKG_NAME"),
        &mut script,
    );
    tell::print(&script)?;
    Ok(0)
}

/// Prints the manual page in roff; the exit status.
///
/// # Errors
/// Of output.
pub fn man() -> Result<u8, Trouble> {
    let mut page = Vec::new();
    clap_mangen::Man::new(Arguments::command()).render(&mut page)?;
    tell::print(&page)?;
    Ok(0)
}
