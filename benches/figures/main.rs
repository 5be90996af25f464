//! Figures of whole runs, memory, start-up and throughput: `cargo bench`, or `cargo bench -- NAME` for one of them.
//!
//! Nothing here fails for being slow: a figure is printed beside its budget, and a person compares.

mod distance;
mod list;
mod memory;
mod relay;
mod run;
mod table;
mod throughput;

/// The figures by name.
const FIGURES: &[(&str, fn())] = &[
    ("run", run::print),
    ("memory", memory::print),
    ("list", list::print),
    ("throughput", throughput::print),
];

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if memory::is_assistant(&arguments) {
        return;
    }
    // Cargo adds flags of its own, such as `--bench`.
    let names: Vec<&String> = arguments.iter().filter(|it| !it.starts_with('-')).collect();
    for (name, print) in FIGURES {
        if names.is_empty() || names.iter().any(|it| it == name) {
            print();
        }
    }
}
