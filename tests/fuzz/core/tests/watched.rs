//! That the tool under which the core's tests run is there and reports what it is for: without this, tests that nothing
//! watches would pass as well.
//!
//! Law: each step outside is made by a process of its own, which does nothing else, and is seen to end for it.

#![allow(unsafe_code)]

use std::hint::black_box;
use std::process::Command;

/// Names the step to whoever was started to make it.
const STEP: &str = "QADATASWAP_STEP_OUTSIDE";

/// Runs this very test once more, to make the step; what the tool says of it.
fn reports(test: &str, step: &str) -> String {
    let this = std::env::current_exe().expect("a path");
    let output = Command::new(this)
        .args(["--exact", test, "--nocapture", "--test-threads=1"])
        .env(STEP, step)
        .output()
        .expect("this program runs");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success(), "nothing saw the step: is there a tool?\n{said}");
    said
}

fn is_to_make(step: &str) -> bool {
    std::env::var_os(STEP).is_some_and(|named| named == step)
}

#[test]
fn a_read_of_freed_memory_is_reported() {
    if is_to_make("freed") {
        let freed = Box::into_raw(Box::new(7_u64));
        // SAFETY: it came from a box just now; that it is read afterwards is what is to be reported.
        let read = unsafe {
            drop(Box::from_raw(freed));
            black_box(freed).read_volatile()
        };
        black_box(read);
        return;
    }
    let said = reports("a_read_of_freed_memory_is_reported", "freed");
    assert!(said.contains("heap-use-after-free") || said.contains("Invalid read"), "{said}");
}

#[test]
fn memory_that_nobody_can_free_any_more_is_reported() {
    if is_to_make("lost") {
        // More than one, lest a register or a stale word of the stack still points to the only one.
        for number in 0..64_u64 {
            let _ = black_box(Box::into_raw(Box::new([number; 8])));
        }
        return;
    }
    let said = reports("memory_that_nobody_can_free_any_more_is_reported", "lost");
    assert!(said.contains("LeakSanitizer") || said.contains("definitely lost in"), "{said}");
}
