//! What the processes of the live views tell.

use super::super::latency;
use super::rows::Row;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A point at which all views were published as a whole: the frames that they were made of.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
pub(in crate::demo) struct Mark {
    pub(in crate::demo) feed_frames: u64,
    pub(in crate::demo) order_frames: u64,
}

/// What the process that keeps the views did.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(in crate::demo) struct Kept {
    pub(in crate::demo) pid: u32,
    pub(in crate::demo) feed_frames: u64,
    pub(in crate::demo) trades: u64,
    pub(in crate::demo) order_frames: u64,
    pub(in crate::demo) events: u64,
    pub(in crate::demo) missed: u64,
    pub(in crate::demo) steps: u64,
    /// Time of a step: from the rows' entrance to the publication of all that they change.
    pub(in crate::demo) step: latency::Summary,
    /// The changes published, by the ring of the whole view.
    pub(in crate::demo) changes: BTreeMap<String, u64>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(in crate::demo) marks: Vec<Mark>,
}

/// What a viewer made of one view.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(in crate::demo) struct Followed {
    /// The changes that are in the whole view with which it began.
    pub(in crate::demo) began: u64,
    /// The changes that it added.
    pub(in crate::demo) changes: u64,
    /// The view as it ended, each row followed by its weight.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(in crate::demo) rows: Vec<Row>,
    /// Of a viewer of ours: the names of the columns.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(in crate::demo) columns: Vec<String>,
    /// Of a viewer of ours: the whole views that came, as sequence number and checksum.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(in crate::demo) wholes: Vec<(u64, u64)>,
    /// Of a viewer of ours: how many of them differed from what the changes up to there had added up to.
    #[serde(default)]
    pub(in crate::demo) differing: u64,
}

/// What a viewer tells.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(in crate::demo) struct Viewed {
    /// What it is written in, or when it came; not told but known.
    #[serde(default)]
    pub(in crate::demo) name: String,
    /// Of which version, and by which Arrow.
    pub(in crate::demo) about: String,
    pub(in crate::demo) pid: u32,
    /// By the ring of the whole view.
    pub(in crate::demo) views: BTreeMap<String, Followed>,
    /// Of a viewer of ours: from a change's publication to its receipt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::demo) latency: Option<latency::Summary>,
}

/// A view as it ended.
#[derive(Clone, Debug, Serialize)]
pub(in crate::demo) struct Ended {
    pub(in crate::demo) view: &'static str,
    pub(in crate::demo) columns: Vec<String>,
    pub(in crate::demo) rows: Vec<Row>,
}

/// What is told of the live views.
#[derive(Clone, Debug, Serialize)]
pub(in crate::demo) struct Live {
    /// Where the order events came from.
    pub(in crate::demo) orders: String,
    pub(in crate::demo) kept: Kept,
    pub(in crate::demo) viewers: Vec<Viewed>,
    pub(in crate::demo) views: Vec<Ended>,
}
