//! `blockprobe check`: are these definitions valid?

use std::fmt::Write as _;
use std::slice;

use crate::catalog::files;
use crate::cli::arguments::CheckArguments;
use crate::cli::trouble::Trouble;
use crate::cli::{TROUBLE, pick, tell};
use crate::model::catalog::Catalog;

/// Checks every file, also after a wrong one; the exit status.
///
/// # Errors
/// Of usage and output: what is wrong with a file goes to standard error and into the exit status.
pub fn run(arguments: &CheckArguments) -> Result<u8, Trouble> {
    pick::stdin_once(&arguments.files)?;
    let mut status = 0;
    let mut told = String::new();
    for path in &arguments.files {
        match pick::catalog(slice::from_ref(path)) {
            Ok(catalog) => {
                let _ = writeln!(told, "{}: valid ({})", files::name(path), counted(&catalog));
            }
            Err(trouble) => {
                anstream::eprintln!("{trouble}");
                status = TROUBLE;
            }
        }
    }
    tell::print(told.as_bytes())?;
    Ok(status)
}

fn counted(catalog: &Catalog) -> String {
    let services = || catalog.targets.iter().flat_map(|target| &target.services);
    let endpoints: usize = services().map(|service| service.endpoints.len()).sum();
    let count = |number: usize, one: &str| {
        let plural = if number == 1 { "" } else { "s" };
        format!("{number} {one}{plural}")
    };
    [
        count(catalog.targets.len(), "target"),
        count(services().count(), "service"),
        count(endpoints, "endpoint"),
        count(catalog.controls.len(), "control"),
        count(catalog.resolvers.len(), "resolver"),
    ]
    .join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_not_in_the_plural() {
        let told = counted(&Catalog::default());
        assert_eq!(
            told,
            "0 targets, 0 services, 0 endpoints, 0 controls, 0 resolvers"
        );
    }
}
