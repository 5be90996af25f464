//! JSON Schema of what is written: the report, and under `$defs` the lines of the NDJSON stream.

use schemars::Schema;
use schemars::generate::SchemaSettings;

use crate::model::report::{Line, Report};

/// The schema of a report (JSON Schema 2020-12); a line of the stream is `#/$defs/Line`.
pub fn report() -> Schema {
    let mut generator = SchemaSettings::draft2020_12()
        .for_serialize()
        .into_generator();
    generator.subschema_for::<Line>();
    let mut schema = generator.into_root_schema_for::<Report>();
    schema.insert("title".to_owned(), "blockprobe-report/1".into());
    schema
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::json;

    use super::*;
    use crate::output::human::samples;
    use crate::output::{json, ndjson};

    #[test]
    fn the_schema_in_git_is_current() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/report.schema.json");
        let current = String::from_utf8(json::to_bytes(&report()).unwrap()).unwrap();
        if std::env::var_os("BLOCKPROBE_UPDATE").is_some() {
            std::fs::write(path, &current).unwrap();
        }
        let kept = std::fs::read_to_string(path).unwrap_or_default();
        assert!(
            kept == current,
            "docs/report.schema.json is not what `blockprobe schema report` says; \
             hint: run the tests once with BLOCKPROBE_UPDATE=1 and look at the difference"
        );
    }

    #[test]
    fn a_line_of_the_stream_fits_its_definition() {
        let mut schema = report().to_value();
        schema
            .as_object_mut()
            .unwrap()
            .retain(|key, _| key.starts_with('$'));
        schema["$ref"] = json!("#/$defs/Line");
        let validator = jsonschema::validator_for(&schema).expect("a schema");
        let stream = ndjson::whole(samples::blocked(), false).unwrap();
        let kinds: BTreeSet<String> = String::from_utf8(stream)
            .unwrap()
            .lines()
            .map(|line| {
                let value: serde_json::Value = serde_json::from_str(line).unwrap();
                assert!(validator.is_valid(&value), "{value}");
                value["type"].to_string()
            })
            .collect();
        assert_eq!(kinds.len(), 4, "{kinds:?}");
        assert!(!validator.is_valid(&json!({"type": "neither"})));
    }
}
