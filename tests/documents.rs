//! What is written for people is kept true: links, fields, and every block of code that needs no network.

#[path = "documents/archive.rs"]
mod archive;
#[path = "documents/blocks.rs"]
mod blocks;
#[path = "documents/cookbook.rs"]
mod cookbook;
#[path = "common/needs.rs"]
#[allow(dead_code, reason = "each suite needs a part of it")]
mod needs;
#[path = "documents/pages.rs"]
mod pages;
#[path = "documents/place.rs"]
mod place;
#[path = "documents/text.rs"]
mod text;
