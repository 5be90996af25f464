//! The documents, and what is in them.

use std::fs;
use std::path::{Path, PathBuf};

/// A block of code.
#[derive(Debug)]
pub struct Block {
    /// `sh`, `toml`, ...
    pub language: String,
    /// Not to be run: it needs the network, other rights, or hours.
    pub is_not_run: bool,
    pub text: String,
}

pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

pub fn read(name: &str) -> String {
    fs::read_to_string(root().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Every document for people, by its path in the repository.
pub fn documents() -> Vec<String> {
    let folders = ["", "docs"];
    let mut found: Vec<PathBuf> = folders
        .iter()
        .flat_map(|folder| fs::read_dir(root().join(folder)).unwrap())
        .map(|file| file.unwrap().path())
        .filter(|path| path.extension().is_some_and(|it| it == "md"))
        .collect();
    found.sort();
    let names = found.iter().map(|path| path.strip_prefix(root()).unwrap());
    names.map(|name| name.display().to_string()).collect()
}

/// The blocks of code of a document, in order.
pub fn blocks(document: &str) -> Vec<Block> {
    let text = read(document);
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    for line in text.lines() {
        match (line.strip_prefix("```"), &mut open) {
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (Some(words), None) => {
                open = Some(Block {
                    language: words.split(' ').next().unwrap_or_default().to_owned(),
                    is_not_run: words.ends_with(" not-run"),
                    text: String::new(),
                });
            }
            (None, Some(block)) => block.text.extend([line, "\n"]),
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "{document}: a block of code has no end");
    blocks
}

/// All blocks of one language.
pub fn blocks_of(document: &str, language: &str) -> Vec<Block> {
    let blocks = blocks(document).into_iter();
    blocks.filter(|it| it.language == language).collect()
}
