//! `blockprobe list`: what a run would measure, without sending anything.

use crate::cli::arguments::{ListArguments, ListFormat};
use crate::cli::trouble::Trouble;
use crate::cli::{pick, tell};
use crate::model::line::Line;
use crate::output::human::Detail;
use crate::output::list;
use crate::plan;

/// Prints the plan; the exit status.
///
/// # Errors
/// Of definitions and output.
pub fn run(arguments: &ListArguments) -> Result<u8, Trouble> {
    let mut catalog = pick::catalog(&arguments.definitions)?;
    pick::targets(&mut catalog, &arguments.targets)?;
    // A plan is the same on every machine: the line is one where everything works.
    let line = Line {
        lookup: true,
        ipv4: true,
        ipv6: true,
        ..Line::default()
    };
    let outline = plan::outline::outline(&catalog, &line);
    let bytes = match arguments.format {
        ListFormat::Human => {
            let manner = tell::manner(arguments.color.unwrap_or_default(), Detail::Plain);
            list::human(&outline, manner)
        }
        ListFormat::Json => list::json(&outline)?,
        ListFormat::Ndjson => list::ndjson(&outline)?,
    };
    tell::print(&bytes)?;
    Ok(0)
}
