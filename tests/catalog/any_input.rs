//! Whatever the bytes of a definitions file are, they give a catalog or a complaint, and never a panic.

use proptest::prelude::*;

use blockprobe::catalog::{EMBEDDED, load};

proptest! {
    #[test]
    fn no_bytes_make_the_loader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        if let Err(errors) = load("random", &bytes) {
            prop_assert!(!errors.to_string().is_empty());
        }
    }

    #[test]
    fn no_toml_makes_the_loader_panic(
        lines in proptest::collection::vec(
            "(\\[{0,2}(target|target\\.service|target\\.service\\.endpoint|control|resolver|private_root|block_page)\\]{0,2}|(id|name|hosts|ports|addresses|protocol|expect|path|alpn|include|certificates|transports)( = |=|\\.)(\"[a-z0-9.:ж\\\\/-]{0,12}\"|\\[(\"[a-z0-9.:/]{0,9}\",?){0,3}\\]|-?[0-9]{1,20}|\\{[a-z]{0,8} = [0-9]?\\}|true|1e3|\"\"\"))",
            0..30,
        ),
    ) {
        let text = lines.join("\n");
        if let Err(errors) = load("random", text.as_bytes()) {
            prop_assert!(errors.problems.iter().all(|problem| problem.line <= lines.len().max(1) + 1));
            prop_assert!(!errors.to_string().is_empty());
        }
    }

    #[test]
    fn no_damage_to_our_own_file_makes_the_loader_panic(
        damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..3_u8), 1..12),
    ) {
        let mut bytes = EMBEDDED.as_bytes().to_vec();
        for (index, byte, kind) in damage {
            let at = index.index(bytes.len());
            match kind {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, byte),
                _ => { bytes.remove(at); }
            }
        }
        if let Err(errors) = load("damaged", &bytes) {
            prop_assert!(!errors.to_string().is_empty());
        }
    }
}
