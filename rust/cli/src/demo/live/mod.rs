//! The live views of the demo: bars of a minute and VWAP by symbol, and the top of the book, kept in one process from two
//! rings and followed in others.
//!
//! ```text
//!   ring D (the feed) ──────────▶ ┌────────┐ ──▶ D-bars.changes, D-bars ──▶ ┌─────────┐
//!                                 │ keeper │ ──▶ D-vwap.changes, D-vwap ──▶ │ viewers │ in Rust, Python, C++
//!   ring D-orders (the events) ─▶ └────────┘ ──▶ D-book.changes, D-book ──▶ └─────────┘
//! ```
//!
//! Law: what a viewer holds after any change is what recomputation from scratch makes of the frames that the keeper had
//! read by then. Prices are whole numbers, in units of 1e-9, so "equal" has one meaning in every language.

mod circuit;
pub(super) mod expected;
pub(crate) mod keeper;
pub(super) mod report;
pub(super) mod rows;
pub(super) mod show;
mod trades;
pub(super) mod verify;
pub(crate) mod viewer;

/// The views: what their rings are called behind the demo's ring, and a row of each.
pub(super) const VIEWS: [(&str, &str); 3] = [("bars", "bar"), ("vwap", "VWAP"), ("book", "best price")];

/// The ring of the order events.
pub(super) fn orders_ring(ring: &str) -> String {
    format!("{ring}-orders")
}

/// The rings of the whole views, in the order of [`VIEWS`].
pub(super) fn view_rings(ring: &str) -> Vec<String> {
    VIEWS.iter().map(|(view, _)| format!("{ring}-{view}")).collect()
}

/// The ring of what changes in a view.
pub(super) fn changes_ring(view: &str) -> String {
    format!("{view}.changes")
}

/// Every ring that the live views add to the demo's.
pub(super) fn rings(ring: &str) -> Vec<String> {
    let views = view_rings(ring);
    let changes: Vec<String> = views.iter().map(|view| changes_ring(view)).collect();
    [vec![orders_ring(ring)], views, changes].concat()
}
