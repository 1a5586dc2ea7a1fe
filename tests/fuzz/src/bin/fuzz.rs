//! libFuzzer over the target that `QADATASWAP_FUZZ` names. Started by `campaign`; by hand to meet an input again:
//!
//! ```text
//! QADATASWAP_FUZZ=slot target/fuzz/address/x86_64-unknown-linux-gnu/debug/fuzz INPUT
//! ```

#![no_main]

use qadataswap_fuzz::targets::{Target, of};
use std::sync::LazyLock;

static TARGET: LazyLock<&Target> = LazyLock::new(|| {
    let name = std::env::var("QADATASWAP_FUZZ").expect("QADATASWAP_FUZZ names a target");
    of(&name).unwrap_or_else(|| panic!("{name}: there is no such target"))
});

libfuzzer_sys::fuzz_target!(init: { LazyLock::force(&TARGET); }, |input: &[u8]| (TARGET.run)(input));
