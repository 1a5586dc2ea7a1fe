//! What hostile bytes do to QADataSwap: [fuzz targets](targets), and [mutations](anatomy) of frames by one who knows them.
//!
//! ```text
//! make fuzz SECONDS=600          every target for ten minutes (bin/campaign.rs, which starts bin/fuzz.rs)
//! make test-hostile TRIALS=1000000   a process that rewrites a ring under its reader (bin/rewriter.rs, tests/rewriter.rs)
//! ```
//!
//! Law: everything goes through what a user of the library sees; whatever bytes are given, a call returns, with an error or
//! with values all of which can be read. The address sanitizer, under which all of this is built, sees a step outside.

pub mod anatomy;
mod folder;
mod forge;
mod frames;
pub mod targets;
pub mod walk;

pub use folder::{Folder, PARENT};
pub use forge::{Claim, Forge, stamp};
pub use frames::catalogue;

#[cfg(test)]
mod tests {
    use std::path::Path;

    /// Tests that are of Polars, or of a document beside the manifest.
    const ELSEWHERE: [&str; 2] = ["layout", "polars"];

    #[test]
    fn every_test_of_the_core_is_run_here() {
        let manifest = include_str!("../core/Cargo.toml");
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../rust/qadataswap/tests");
        for entry in std::fs::read_dir(folder).expect("the core's tests") {
            let path = entry.expect("readable").path();
            let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
            let listed = manifest.contains(&format!("path = \"../../../rust/qadataswap/tests/{name}.rs\""));
            assert!(
                listed || ELSEWHERE.contains(&name.as_str()),
                "{name} is not in tests/fuzz/core/Cargo.toml"
            );
        }
    }

    #[test]
    fn what_the_core_needs_is_of_the_same_versions_here() {
        let read = |path: &str| {
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
            let text = std::fs::read_to_string(path).expect("a lock file");
            let packages: Vec<String> =
                text.split("[[package]]").skip(1).filter_map(named).map(str::to_owned).collect();
            packages
        };
        fn named(package: &str) -> Option<&str> {
            package.trim_start().split_once("\nsource").map(|(head, _)| head)
        }
        let (ours, theirs) = (read("Cargo.lock"), read("../../Cargo.lock"));
        let other: Vec<_> = ours.iter().filter(|package| !theirs.contains(package)).collect();
        // What only fuzzing needs.
        let alone = |package: &str| ["libfuzzer-sys", "arbitrary"].iter().any(|name| package.contains(name));
        let other: Vec<_> = other.into_iter().filter(|package| !alone(package)).collect();
        assert!(other.is_empty(), "copy Cargo.lock to tests/fuzz and let cargo prune it: {other:?}");
    }
}
