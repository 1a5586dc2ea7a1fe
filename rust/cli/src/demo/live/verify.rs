//! Whether the live views were what recomputation says, in every process that followed them.

use super::super::report::Published;
use super::super::verify::Check;
use super::expected::Expected;
use super::report::{Followed, Kept, Viewed};
use super::{VIEWS, view_rings};
use crate::human;

/// Every check on what the processes of the live views told.
pub(in crate::demo) fn checks(
    ring: &str,
    (feed, orders): (&Published, &Published),
    kept: &Kept,
    expected: &Expected,
    viewers: &[Viewed],
) -> Vec<Check> {
    let mut checks = vec![Check::new(
        "live views: made of every frame of both rings",
        (kept.feed_frames, kept.order_frames, kept.missed) == (feed.frames, orders.frames, 0),
        format!(
            "{} frames of the feed, {} of order events, {} missed",
            kept.feed_frames, kept.order_frames, kept.missed
        ),
    )];
    for viewer in viewers {
        let views = followed(ring, viewer);
        checks.push(followed_all(viewer, &views, kept, ring));
        checks.push(ended(viewer, &views, expected));
        if viewer.latency.is_some() {
            checks.push(points(viewer, &views, expected));
        }
    }
    checks
}

/// What a viewer tells of each view; nothing of one that it did not name.
fn followed(ring: &str, viewer: &Viewed) -> Vec<Followed> {
    let of = |view: &String| viewer.views.get(view).cloned().unwrap_or_default();
    view_rings(ring).iter().map(of).collect()
}

/// The changes that were in the whole view with which it began, and those that it added, are all that there were.
fn followed_all(viewer: &Viewed, views: &[Followed], kept: &Kept, ring: &str) -> Check {
    let (mut passed, mut counts) = (true, Vec::new());
    for ((view, ring), (name, _)) in views.iter().zip(view_rings(ring)).zip(VIEWS) {
        let all = kept.changes.get(&ring).copied().unwrap_or(0);
        passed &= view.began + view.changes == all;
        let before = if view.began > 0 { format!("{} before it came + ", view.began) } else { String::new() };
        counts.push(format!("{name}: {before}{} of {all}", view.changes));
    }
    Check::new(format!("{}: followed every change", viewer.name), passed, counts.join(", "))
}

fn ended(viewer: &Viewed, views: &[Followed], expected: &Expected) -> Check {
    let mut passed = true;
    let mut counts = Vec::new();
    for ((view, expected), (name, row)) in views.iter().zip(&expected.views).zip(VIEWS) {
        let mut rows = view.rows.clone();
        rows.sort();
        let is_equal = rows == expected.with_weights();
        passed &= is_equal;
        let verdict = if is_equal { "" } else { " in which it differs" };
        counts.push(format!("{name}: {}{verdict}", human::plural(rows.len() as u64, row)));
    }
    Check::new(format!("{}: every view ends as recomputed", viewer.name), passed, counts.join(", "))
}

/// At each point at which the views were published as a whole: the changes up to there, the whole view, and what the
/// frames up to there come to are the same.
fn points(viewer: &Viewed, views: &[Followed], expected: &Expected) -> Check {
    let (mut compared, mut wrong) = (0, 0);
    for (index, view) in views.iter().enumerate() {
        wrong += view.differing;
        for &(sequence, checksum) in &view.wholes {
            let point = usize::try_from(sequence).ok().and_then(|point| expected.points.get(point));
            wrong += u64::from(point.is_none_or(|point| point[index] != checksum));
            compared += 1;
        }
    }
    // The last of each view is there whenever a viewer came.
    let ends = expected.points.len().checked_sub(1).map(|last| last as u64);
    let has_last = views.iter().all(|view| view.wholes.last().map(|&(sequence, _)| sequence) == ends);
    Check::new(
        format!("{}: on the way too, changes add up to the whole view, as recomputed", viewer.name),
        wrong == 0 && has_last,
        format!("{} compared, {wrong} differ", human::plural(compared, "whole view")),
    )
}

#[cfg(test)]
mod tests {
    use super::super::expected::Views;
    use super::super::report::Mark;
    use super::super::rows::Rows;
    use super::*;
    use crate::demo::latency;
    use std::collections::BTreeMap;

    const RING: &str = "d";

    fn view(price: i64) -> Rows {
        let mut rows = Rows::default();
        rows.add(vec!["ES".into(), price.into()], 1);
        rows
    }

    fn expected() -> Expected {
        let views: Views = [1, 2, 3].map(view);
        let early = [4, 5, 6].map(|price| view(price).checksum());
        Expected { points: vec![early, views.each_ref().map(Rows::checksum)], views }
    }

    fn kept() -> Kept {
        Kept {
            pid: 2,
            feed_frames: 7,
            trades: 8,
            order_frames: 5,
            events: 9,
            missed: 0,
            steps: 4,
            step: latency::Summary::default(),
            changes: view_rings(RING).into_iter().map(|view| (view, 4)).collect(),
            marks: vec![Mark { feed_frames: 1, order_frames: 1 }, Mark { feed_frames: 7, order_frames: 5 }],
        }
    }

    /// A viewer that did all right, of which `spoil` changes what it tells of the book.
    fn viewer(spoil: impl Fn(&mut Followed)) -> Viewed {
        let expected = expected();
        let mut views = BTreeMap::new();
        for (index, name) in view_rings(RING).into_iter().enumerate() {
            let mut followed = Followed {
                changes: 4,
                rows: expected.views[index].with_weights(),
                wholes: vec![(0, expected.points[0][index]), (1, expected.points[1][index])],
                ..Followed::default()
            };
            if index == 2 {
                spoil(&mut followed);
            }
            views.insert(name, followed);
        }
        let (name, about) = ("viewer".to_owned(), String::new());
        Viewed { name, about, pid: 3, views, latency: Some(latency::Summary::default()) }
    }

    fn passes(kept: &Kept, viewer: Viewed) -> bool {
        let rings = (&Published::made_up(7, Vec::new()), &Published::made_up(5, Vec::new()));
        checks(RING, rings, kept, &expected(), &[viewer]).iter().all(|check| check.passed)
    }

    #[test]
    fn good_views_pass() {
        assert!(passes(&kept(), viewer(|_| {})));
        assert!(passes(&kept(), viewer(|book| (book.began, book.changes) = (3, 1))));
    }

    #[test]
    fn a_frame_that_was_not_read_fails() {
        assert!(!passes(&Kept { order_frames: 4, ..kept() }, viewer(|_| {})));
        assert!(!passes(&Kept { missed: 1, ..kept() }, viewer(|_| {})));
    }

    #[test]
    fn another_row_another_weight_or_a_view_left_out_fails() {
        assert!(!passes(&kept(), viewer(|book| book.rows[0][1] = 7.into())));
        assert!(!passes(&kept(), viewer(|book| book.rows[0][2] = 2.into())));
        assert!(!passes(&kept(), viewer(|book| book.rows.clear())));
    }

    #[test]
    fn a_change_that_was_left_out_fails() {
        assert!(!passes(&kept(), viewer(|book| book.changes = 3)));
    }

    #[test]
    fn a_view_that_was_wrong_on_the_way_fails() {
        assert!(!passes(&kept(), viewer(|book| book.wholes[0].1 += 1)));
        assert!(!passes(&kept(), viewer(|book| book.differing = 1)));
        assert!(!passes(&kept(), viewer(|book| book.wholes.truncate(1))));
    }
}
