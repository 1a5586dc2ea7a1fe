//! The layout table in `docs/design.md` is the code's.

use std::fmt::Write as _;

#[test]
fn the_documented_layout_is_the_codes() {
    let fields = qadataswap::describe_layout(3, 64, 1 << 20).expect("in range");
    let mut table = String::from("| what | offset | bytes |\n|---|---:|---:|\n");
    for field in fields {
        writeln!(table, "| {} | {} | {} |", field.name, field.offset, field.size).expect("to memory");
    }
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/design.md");
    let document = std::fs::read_to_string(path).expect("the document");
    let (_, rest) = document.split_once("held to the code by a test -->\n").expect("the table's start");
    let (documented, _) = rest.split_once("<!-- end of layout").expect("the table's end");
    assert!(documented == table, "docs/design.md should say:\n{table}");
}
