//! `blockprobe schema`: the JSON Schema of what is written and read.

use crate::catalog;
use crate::cli::arguments::{SchemaArguments, SchemaOf};
use crate::cli::tell;
use crate::cli::trouble::Trouble;
use crate::output::{json, schema};

/// Prints the schema; the exit status.
///
/// # Errors
/// Of output.
pub fn run(arguments: &SchemaArguments) -> Result<u8, Trouble> {
    let schema = match arguments.what {
        SchemaOf::Report => schema::report(),
        SchemaOf::Definitions => catalog::schema(),
    };
    tell::print(&json::to_bytes(&schema)?)?;
    Ok(0)
}
