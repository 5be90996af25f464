//! Whatever is given as a report: it is judged or refused, and nothing breaks.

use std::sync::LazyLock;

use blockprobe::analysis::again::judge_report;
use blockprobe::cli::saved;
use proptest::prelude::*;
use serde_json::Value;

use crate::world::{Cell, HONEST, World, proven};

/// A small report with a bit of everything, as it is saved.
static REPORT: LazyLock<Value> = LazyLock::new(|| {
    let mut world = World::reachable();
    world.matrix(Cell::Alert(112), Cell::Answer, Cell::Reset, Cell::Answer, 3);
    world.two_answers("isp", 2, "10.10.34.35", HONEST);
    world.climb(HONEST, proven());
    let report = crate::world::report(&world, "here", 0);
    serde_json::to_value(report).unwrap()
});

fn judge(bytes: &[u8]) {
    for mut report in saved::parse("any", bytes, 64 << 20).into_iter().flatten() {
        let control = report.clone();
        let _ = judge_report(&mut report, Some(control));
        report.run.id.push('x');
        let control = report.clone();
        "another".clone_into(&mut report.run.id);
        let _ = judge_report(&mut report, Some(control));
    }
}

/// Every place in a document, depth first.
fn places(value: &Value, at: &str, all: &mut Vec<String>) {
    all.push(at.to_owned());
    match value {
        Value::Array(items) => {
            for (place, item) in items.iter().enumerate() {
                places(item, &format!("{at}/{place}"), all);
            }
        }
        Value::Object(fields) => {
            for (key, item) in fields {
                let key = key.replace('~', "~0").replace('/', "~1");
                places(item, &format!("{at}/{key}"), all);
            }
        }
        _ => {}
    }
}

fn strange() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        Just(Value::from(Vec::<Value>::new())),
        Just(Value::from("")),
        any::<String>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        proptest::sample::select(vec![
            "::",
            "0.0.0.0:0",
            "target",
            "ground",
            "isp",
            "A",
            "o18446744073709551616",
            "-009999-01-02T01:59:59Z",
            "9999-12-30T22:00:00.999999999Z",
            HONEST,
        ])
        .prop_map(Value::from),
    ]
}

/// Every number in turn is the largest and the smallest.
fn strange_numbers(report: &Value) {
    let mut all = Vec::new();
    places(report, "", &mut all);
    for place in all {
        if !report.pointer(&place).unwrap().is_number() {
            continue;
        }
        for number in [
            Value::from(u64::MAX),
            Value::from(u32::MAX),
            Value::from(i64::MIN),
            Value::from(f64::MAX),
            Value::from(f64::MIN),
        ] {
            let mut strange = report.clone();
            *strange.pointer_mut(&place).unwrap() = number;
            judge(strange.to_string().as_bytes());
        }
    }
}

#[test]
fn every_number_may_be_the_largest_or_the_smallest() {
    strange_numbers(&REPORT);
    let mut world = World::reachable();
    world.matrix(Cell::Reset, Cell::Answer, Cell::Reset, Cell::Answer, 3);
    strange_numbers(&serde_json::to_value(crate::world::report(&world, "here", 0)).unwrap());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_report_with_strange_values_never_breaks_anything(
        changes in prop::collection::vec((any::<prop::sample::Index>(), strange()), 1..4)
    ) {
        let mut report = REPORT.clone();
        let mut all = Vec::new();
        places(&report, "", &mut all);
        for (place, value) in changes {
            if let Some(found) = report.pointer_mut(&all[place.index(all.len())]) {
                *found = value;
            }
        }
        judge(&serde_json::to_vec(&report).unwrap());
    }

    #[test]
    fn bytes_that_were_cut_or_changed_never_break_anything(
        cut in any::<prop::sample::Index>(), at in any::<prop::sample::Index>(), byte in any::<u8>(), kind in 0..3
    ) {
        let text = serde_json::to_vec(&*REPORT).unwrap();
        let mut bytes = match kind {
            0 => text,
            1 => gzip(&text),
            _ => ruzstd::encoding::compress_to_vec(&text[..], ruzstd::encoding::CompressionLevel::Fastest),
        };
        let place = at.index(bytes.len());
        bytes[place] = byte;
        judge(&bytes);
        bytes.truncate(cut.index(bytes.len()));
        judge(&bytes);
    }

    #[test]
    fn any_bytes_are_refused_or_read(bytes in any::<Vec<u8>>(), magic in 0..4_usize) {
        let magic: &[u8] = [&b""[..], b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"{\"type\":\""][magic];
        judge(&[magic, &bytes].concat());
    }
}

pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write as _;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}
