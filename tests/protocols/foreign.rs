//! Where code of others is installed: `tests/run` does it.

use std::path::{Path, PathBuf};

use crate::needs;

/// Baileys, as `npm` installs it.
pub fn baileys() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/foreign/npm");
    if !folder.join("node_modules/baileys").is_dir() {
        needs::skip("npm's baileys");
        return None;
    }
    needs::programs(&["node"]).then_some(folder)
}

/// Python's websockets, as `pip` installs it.
pub fn websockets() -> Option<PathBuf> {
    needs::python("websockets").then(needs::packages)
}

/// aioquic, as `pip` installs it.
pub fn aioquic() -> Option<PathBuf> {
    needs::python("aioquic").then(needs::packages)
}
