//! probes.toml becomes a Catalog, or an error that points at line, column and key.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::OnceLock;

use sha2::{Digest, Sha256};
use toml::de::DeTable;

use crate::catalog::fields::{Fields, Kind, word};
use crate::catalog::problem::{CatalogErrors, Problems};
use crate::catalog::targets::Scope;
use crate::model::catalog::{Catalog, Definitions};

mod contrasts;
mod custom;
mod endpoints;
mod expect;
mod fields;
pub mod files;
pub mod grammar;
pub mod problem;
mod targets;
mod trust;
mod words;

/// The definitions compiled into the binary.
pub const EMBEDDED: &str = include_str!("../probes.toml");

/// Larger files are refused unread. A target takes about 4 KiB, so this is a thousand of them.
pub const MAX_BYTES: usize = 4 * 1024 * 1024;

/// The parser goes on after an error and keeps every one it meets. In a large file that is no text at all these
/// would outweigh the file many times, so there the first one has to do.
const MAX_BYTES_TO_RECOVER: usize = 256 * 1024;

const FILE: Kind = Kind {
    name: "the file",
    keys: &[
        "include",
        "target",
        "control",
        "resolver",
        "private_root",
        "block_page",
    ],
};

/// The definitions compiled into the binary.
///
/// # Panics
/// Only if our own `probes.toml` is wrong, which a test rules out.
pub fn embedded() -> Catalog {
    static LOADED: OnceLock<Catalog> = OnceLock::new();
    LOADED
        .get_or_init(|| {
            let loaded = read("embedded", EMBEDDED.as_bytes(), &Catalog::default());
            loaded.unwrap_or_else(|errors| panic!("our own probes.toml is wrong\n{errors}"))
        })
        .clone()
}

/// Loads definitions from bytes. What the file leaves out (controls, resolvers) comes from the embedded ones.
///
/// # Errors
/// Every problem of the file at once; `source` is how they name it.
pub fn load(source: &str, bytes: &[u8]) -> Result<Catalog, CatalogErrors> {
    read(source, bytes, &embedded())
}

/// The JSON Schema of a definitions file.
pub fn schema() -> schemars::Schema {
    schemars::schema_for!(grammar::File)
}

fn read(source: &str, bytes: &[u8], base: &Catalog) -> Result<Catalog, CatalogErrors> {
    let text = decode(source, bytes)?;
    let problems = Problems::new(source, text);
    let document = parse(text, &problems);
    let file = Fields::open(&document, 0..text.len().min(1), &FILE, &problems);
    let mut catalog = assemble(&file, base);
    catalog.definitions = Definitions {
        source: source.to_owned(),
        sha256: hex(&Sha256::digest(bytes)),
    };
    problems.settle(catalog)
}

fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
}

fn decode<'t>(source: &str, bytes: &'t [u8]) -> Result<&'t str, CatalogErrors> {
    if bytes.len() > MAX_BYTES {
        let message = "the file is larger than 4 MiB".to_owned();
        return Err(CatalogErrors::whole_file(
            source,
            message,
            "split it into several files, and give each with `-d`",
        ));
    }
    std::str::from_utf8(bytes).map_err(|error| {
        let at = error.valid_up_to();
        let byte = bytes.get(at).copied().unwrap_or_default();
        // The valid part, and the replacement character in place of the first wrong byte.
        let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(at + 1)]);
        let problems = Problems::new(source, &shown);
        let message = format!("not UTF-8: byte 0x{byte:02x} at offset {at}");
        problems.add(
            &(at..shown.len()),
            message,
            Some("save the file as UTF-8".to_owned()),
        );
        problems.settle(()).expect_err("a problem was added")
    })
}

fn parse<'t>(text: &'t str, problems: &Problems<'_>) -> DeTable<'t> {
    let (document, errors) = if text.len() <= MAX_BYTES_TO_RECOVER {
        DeTable::parse_recoverable(text)
    } else {
        match DeTable::parse(text) {
            Ok(document) => (document, Vec::new()),
            Err(error) => (toml::Spanned::new(0..0, DeTable::new()), vec![error]),
        }
    };
    for error in errors {
        problems.syntax(&error.span().unwrap_or(0..0), error.message());
    }
    document.into_inner()
}

/// What the file defines, completed from the embedded definitions.
fn assemble(file: &Fields<'_>, base: &Catalog) -> Catalog {
    let mut private_roots = trust::private_roots(file);
    for root in &base.private_roots {
        if private_roots.iter().all(|own| own.id != root.id) {
            private_roots.push(root.clone());
        }
    }
    let root_ids: BTreeSet<&str> = private_roots.iter().map(|root| root.id.as_str()).collect();
    let mut targets = if includes_default(file) {
        base.targets.clone()
    } else {
        Vec::new()
    };
    targets.extend(targets::targets(file, &targets, &Scope::new(&root_ids)));
    // Another type under that key, or a misspelt one, has already been told.
    if targets.is_empty() && (file.is_absent("target") || file.is_empty_list("target")) {
        let hint = "write a `[[target]]`, or `include = \"default\"` at the top".to_owned();
        file.problems().absent(
            &start(),
            "the file defines no target".to_owned(),
            Some(hint),
        );
    }
    let mut block_pages = trust::block_pages(file);
    block_pages.extend(base.block_pages.iter().cloned());
    let controls = contrasts::controls(file, &root_ids);
    let resolvers = contrasts::resolvers(file);
    Catalog {
        definitions: Definitions::default(),
        targets,
        controls: if file.has("control") {
            controls
        } else {
            base.controls.clone()
        },
        resolvers: if file.has("resolver") {
            resolvers
        } else {
            base.resolvers.clone()
        },
        private_roots,
        block_pages,
    }
}

fn includes_default(file: &Fields<'_>) -> bool {
    let text = file.text("include");
    text.and_then(|text| word(&text, "include", &[("default", ())], file.problems()))
        .is_some()
}

const fn start() -> Range<usize> {
    0..0
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    /// The keys of a table in the schema: the file's own, or those of a definition.
    fn schema_keys(schema: &Value, definition: Option<&str>) -> BTreeSet<String> {
        let table = definition.map_or(schema, |name| &schema["$defs"][name]);
        let properties = table["properties"]
            .as_object()
            .expect("a table has properties");
        properties.keys().cloned().collect()
    }

    #[test]
    fn the_schema_and_the_reader_know_the_same_keys() {
        let schema = schema().to_value();
        let kinds = [
            (None, FILE),
            (Some("Target"), targets::TARGET),
            (Some("Service"), targets::SERVICE),
            (Some("Endpoint"), endpoints::ENDPOINT),
            (Some("Expect"), expect::EXPECT),
            (Some("Control"), contrasts::CONTROL),
            (Some("Resolver"), contrasts::RESOLVER),
            (Some("PrivateRoot"), trust::PRIVATE_ROOT),
            (Some("BlockPage"), trust::BLOCK_PAGE),
        ];
        for (definition, kind) in kinds {
            let read: BTreeSet<String> = kind.keys.iter().map(|key| (*key).to_owned()).collect();
            assert_eq!(schema_keys(&schema, definition), read, "{}", kind.name);
        }
    }

    #[test]
    fn the_schema_and_the_reader_know_the_same_words() {
        let schema = schema().to_value().to_string();
        let roles = contrasts::ROLES.iter().map(|(word, _)| *word);
        let transports = contrasts::TRANSPORTS.iter().map(|(word, _)| *word);
        let over = custom::OVER.iter().map(|(word, _)| *word);
        let own = [custom::CUSTOM, "default"];
        for word in roles.chain(transports).chain(over).chain(own) {
            assert!(
                schema.contains(&format!("\"const\":\"{word}\"")),
                "{word} is not in the schema"
            );
        }
    }
}
