//! Writes the product's protocol files with a switch at each mutant's place, for `tests/mutants.rs` to compile. Words that
//! the product no longer has, or has twice, end the build: a mutant of them would prove nothing.

mod mutants;

use mutants::MUTANTS;
use std::path::Path;

#[allow(clippy::print_stdout, reason = "how a build script tells cargo")]
fn main() {
    let product = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../rust/qadataswap/src");
    let out = std::env::var_os("OUT_DIR").expect("cargo sets it");
    let out = Path::new(&out);
    for file in ["publisher", "ring", "subscriber", "wait"] {
        let path = product.join(file).with_extension("rs");
        println!("cargo::rerun-if-changed={}", path.display());
        let text =
            std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        // An included file has no head of its own.
        let mut text: String = text.split_inclusive('\n').filter(|line| !line.starts_with("//!")).collect();
        for (number, mutant) in MUTANTS.iter().enumerate().filter(|(_, mutant)| mutant.file == file) {
            let places = text.matches(mutant.sound).count();
            assert!(places == 1, "{file}.rs has {places} places for the mutant of \"{}\"", mutant.law);
            let switch = format!("crate::mutant::lives({number})");
            text = text.replace(mutant.sound, &mutant.broken.replace('@', &switch));
        }
        std::fs::write(out.join(file).with_extension("rs"), text)
            .expect("the output directory can be written to");
    }
    let laws: Vec<_> = MUTANTS.iter().map(|mutant| mutant.law).collect();
    let laws = format!("/// What each mutant does not do.\npub(crate) const LAWS: &[&str] = &{laws:?};\n");
    std::fs::write(out.join("laws.rs"), laws).expect("the output directory can be written to");
}
