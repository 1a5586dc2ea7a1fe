//! Operators that order the values of a group: the first few, numbers by place, and neighbours.
//!
//! A value of weight *w* > 0 counts as *w* rows, and one of negative weight as none. All of them list rows of a group as
//! they were and as they are, in one order, and bring the difference of the two lists.

mod lag;
mod rank;

use std::cmp::Ordering;

use crate::algebra::ZWeight;

/// What is listed of a group, with its weight, each once.
type List<T> = Vec<(T, ZWeight)>;

/// Adds an entry to a list in order.
fn push<T: PartialEq>(list: &mut List<T>, entry: T, weight: ZWeight) {
    match list.last_mut() {
        Some((last, sum)) if *last == entry => *sum += weight,
        _ => list.push((entry, weight)),
    }
}

/// Calls `each` for what differs between two lists in one order, and by how much.
fn difference<T: Copy>(
    old: &[(T, ZWeight)],
    new: &[(T, ZWeight)],
    order: impl Fn(&T, &T) -> Ordering,
    mut each: impl FnMut(T, ZWeight),
) {
    let (mut old, mut new) = (old.iter().peekable(), new.iter().peekable());
    loop {
        let place = match (old.peek(), new.peek()) {
            (None, None) => return,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some((a, _)), Some((b, _))) => order(a, b),
        };
        let before = if place.is_le() { old.next() } else { None };
        let after = if place.is_ge() { new.next() } else { None };
        let weight = after.map_or(0, |row| row.1) - before.map_or(0, |row| row.1);
        if let Some(&(entry, _)) = before.or(after)
            && weight != 0
        {
            each(entry, weight);
        }
    }
}

/// Returns the order of two values from the least up, or from the greatest down.
fn order<T: Ord>(a: &T, b: &T, descending: bool) -> Ordering {
    if descending { b.cmp(a) } else { a.cmp(b) }
}
