//! Definitions that are read from files or from standard input, and joined where there are several.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::catalog::problem::{CatalogErrors, printable};
use crate::catalog::{MAX_BYTES, embedded, hex, load};
use crate::model::catalog::{BlockPage, Catalog};

/// The file name that means standard input.
pub const STDIN: &str = "-";

/// What standard input is called in messages and reports.
const STDIN_NAME: &str = "<stdin>";

/// Why definitions could not be loaded.
#[derive(Debug, Error)]
pub enum LoadError {
    /// The file could not be read.
    #[error("cannot read definitions {}: {error}", name(path))]
    Read {
        /// The path as given.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// It was read, and it is wrong.
    #[error(transparent)]
    Invalid(#[from] CatalogErrors),
    /// Two files define the same id.
    #[error("{kind} `{}` is in {first} and in {second}", printable(id))]
    Twice {
        /// What is there twice: `target`, `private root`.
        kind: &'static str,
        /// Its id.
        id: String,
        /// The file that has it first.
        first: String,
        /// The file that has it again.
        second: String,
    },
}

/// Loads one file, of which no more than [`MAX_BYTES`] is read. `-` is standard input.
///
/// # Errors
/// The file cannot be read, or it is wrong.
pub fn load_file(path: &Path) -> Result<Catalog, LoadError> {
    Ok(read(path)?.catalog)
}

/// Loads several files as one catalog: the targets of all of them, controls and resolvers of the first that has its own.
///
/// # Errors
/// A file cannot be read or is wrong, or two of them define the same id differently.
pub fn load_files(paths: &[PathBuf]) -> Result<Catalog, LoadError> {
    let mut files = Vec::new();
    for path in paths {
        files.push(read(path)?);
    }
    join(&files)
}

/// A catalog, and what is needed to join it with others.
struct Loaded {
    name: String,
    bytes: Vec<u8>,
    catalog: Catalog,
}

fn read(path: &Path) -> Result<Loaded, LoadError> {
    let fail = |error| LoadError::Read {
        path: path.to_owned(),
        error,
    };
    let mut bytes = Vec::new();
    let most = MAX_BYTES as u64 + 1;
    if path == Path::new(STDIN) {
        let read = io::stdin().lock().take(most).read_to_end(&mut bytes);
        read.map_err(fail)?;
    } else {
        let file = File::open(path).map_err(fail)?;
        file.take(most).read_to_end(&mut bytes).map_err(fail)?;
    }
    let name = name(path);
    let mut catalog = load(&name, &bytes)?;
    // A report is shared: it says which file it was, and not in whose home.
    if let Some(file) = Path::new(&name).file_name() {
        catalog.definitions.source = file.to_string_lossy().into_owned();
    }
    Ok(Loaded {
        name,
        bytes,
        catalog,
    })
}

/// What a file is called in messages.
pub fn name(path: &Path) -> String {
    if path == Path::new(STDIN) {
        STDIN_NAME.to_owned()
    } else {
        path.to_string_lossy().into_owned()
    }
}

fn join(files: &[Loaded]) -> Result<Catalog, LoadError> {
    let base = embedded();
    let Some((first, others)) = files.split_first() else {
        return Ok(base);
    };
    let mut all = first.catalog.clone();
    for (at, file) in (1..).zip(others) {
        let Catalog {
            definitions,
            targets,
            controls,
            resolvers,
            private_roots,
            block_pages,
        } = file.catalog.clone();
        let before = &files[..at];
        for target in targets {
            let known = all.targets.iter().find(|known| known.id == target.id);
            // Both may include the built-in targets: those are one and the same.
            if known.is_none() {
                all.targets.push(target);
            } else if known != Some(&target) || !base.targets.contains(&target) {
                return Err(twice("target", target.id, before, file, |catalog, id| {
                    catalog.targets.iter().any(|known| known.id == id)
                }));
            }
        }
        for root in private_roots {
            let known = all.private_roots.iter().find(|known| known.id == root.id);
            if known.is_none() {
                all.private_roots.push(root);
            } else if known.is_some_and(|known| known.certificates != root.certificates) {
                return Err(twice(
                    "private root",
                    root.id,
                    before,
                    file,
                    |catalog, id| catalog.private_roots.iter().any(|known| known.id == id),
                ));
            }
        }
        if all.controls == base.controls {
            all.controls = controls;
        }
        if all.resolvers == base.resolvers {
            all.resolvers = resolvers;
        }
        let new = |page: &BlockPage| !all.block_pages.contains(page);
        let pages: Vec<_> = block_pages.into_iter().filter(new).collect();
        all.block_pages.extend(pages);
        all.definitions.source = format!("{} + {}", all.definitions.source, definitions.source);
    }
    if !others.is_empty() {
        all.definitions.sha256 = digest(files);
    }
    Ok(all)
}

/// What `cat FILE... | sha256sum` prints.
fn digest(files: &[Loaded]) -> String {
    let mut digest = Sha256::new();
    for file in files {
        digest.update(&file.bytes);
    }
    hex(&digest.finalize())
}

fn twice(
    kind: &'static str,
    id: String,
    before: &[Loaded],
    second: &Loaded,
    has: impl Fn(&Catalog, &str) -> bool,
) -> LoadError {
    let first = before.iter().find(|file| has(&file.catalog, &id));
    LoadError::Twice {
        kind,
        first: first.map_or_else(String::new, |file| file.name.clone()),
        second: second.name.clone(),
        id,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = r#"
[[target]]
id = "one"
name = "One"
[[target.service]]
id = "web"
essential = true
[[target.service.endpoint]]
protocol = "https"
hosts = ["one.example"]
"#;

    const CONTROL: &str = r#"
[[control]]
id = "mine"
operator = "mine"
region = "foreign"
protocol = "https"
host = "control.example"
"#;

    fn loaded(name: &str, text: &str) -> Loaded {
        Loaded {
            name: name.to_owned(),
            bytes: text.as_bytes().to_vec(),
            catalog: load(name, text.as_bytes()).expect("valid definitions"),
        }
    }

    #[test]
    fn several_files_are_measured_together() {
        let two = ONE.replace("one", "two");
        let files = [
            loaded("one.toml", ONE),
            loaded("two.toml", &(two + CONTROL)),
            loaded("all.toml", "include = \"default\"\n"),
            loaded("again.toml", "include = \"default\"\n"),
        ];
        let all = join(&files).expect("no two of them disagree");
        let ids: Vec<_> = all.targets.iter().map(|it| it.id.as_str()).collect();
        assert_eq!(ids[..2], ["one", "two"]);
        assert_eq!(ids.len(), 2 + embedded().targets.len());
        assert_eq!(all.controls.len(), 1, "the first file that has controls");
        assert_eq!(all.resolvers, embedded().resolvers);
        assert_eq!(
            all.definitions.source,
            "one.toml + two.toml + all.toml + again.toml"
        );
        let joined: Vec<u8> = files.iter().flat_map(|file| file.bytes.clone()).collect();
        assert_eq!(all.definitions.sha256, hex(&Sha256::digest(joined)));
    }

    #[test]
    fn a_target_that_two_files_define_is_refused_with_both_names() {
        let files = [
            loaded("one.toml", ONE),
            loaded("two.toml", &ONE.replace("one", "two")),
            loaded("again.toml", ONE),
        ];
        let error = join(&files).expect_err("one is there twice").to_string();
        assert_eq!(error, "target `one` is in one.toml and in again.toml");
    }

    #[test]
    fn a_report_learns_the_files_name_and_not_its_path() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("mine.toml");
        std::fs::write(&path, ONE).unwrap();
        let catalog = load_file(&path).unwrap();
        assert_eq!(catalog.definitions.source, "mine.toml");
    }
}
