//! A table of figures on standard output, with the median and the spread of several measurements.

/// Begins a table.
pub fn title(text: &str) {
    println!("\n{text}");
}

/// One row: what was measured, the figures, and what they are held against.
pub fn row(what: &str, figures: &Figures, unit: &str, budget: &str) {
    let Figures {
        median,
        least,
        most,
    } = figures;
    let count = digits(*median);
    println!(
        "  {what:<52} {median:>9.count$} {unit:<5} ({least:.count$} to {most:.count$})  {budget}"
    );
}

/// A sentence below the rows.
pub fn note(text: &str) {
    println!("  {text}");
}

/// The middle and the ends of several measurements.
#[derive(Clone, Copy, Debug)]
pub struct Figures {
    /// Half are below, half above.
    pub median: f64,
    /// The smallest.
    pub least: f64,
    /// The largest.
    pub most: f64,
}

impl Figures {
    /// Of at least one measurement.
    pub fn of(mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        let at = |index: usize| values.get(index).copied().unwrap_or(f64::NAN);
        Self {
            median: at(values.len() / 2),
            least: at(0),
            most: at(values.len().saturating_sub(1)),
        }
    }
}

fn digits(value: f64) -> usize {
    match value {
        value if value < 10.0 => 2,
        value if value < 100.0 => 1,
        _ => 0,
    }
}
