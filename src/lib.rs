//! blockprobe: is this messenger blocked here, how is it blocked, and how sure are we?
//!
//! The map of the house, from the roof to the ground. Imports run downward only and siblings never import each
//! other; `tests/floors.rs` proves it.
//!
//! | floor | rooms |
//! |---|---|
//! | `cli` | arguments, exit status, one file per subcommand |
//! | `session` | the journey of one run: plan, measure, judge, tell |
//! | siblings | `catalog`, `plan`, `measure`, `analysis`, `output`, `lab` |
//! | ground | `model` (words), `wire` (bytes) |

pub mod analysis;
pub mod catalog;
pub mod cli;
pub mod lab;
pub mod measure;
pub mod model;
pub mod output;
pub mod plan;
pub mod session;
pub mod wire;
