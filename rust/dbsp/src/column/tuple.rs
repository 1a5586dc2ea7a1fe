//! Columns of tuples: a column for each component.

use std::cmp::Ordering;
use std::ops::Range;

use super::{Column, Data, combine, mix};

/// Returns the size of what is so wide and so wide, where that is at most 8 bytes.
#[must_use]
pub const fn wider(first: Option<usize>, second: Option<usize>) -> Option<usize> {
    match (first, second) {
        (Some(first), Some(second)) if first + second <= 8 => Some(first + second),
        _ => None,
    }
}

macro_rules! tuples {
    ($(#[$doc:meta])* $columns:ident, $($name:ident $index:tt),+) => {
        $(#[$doc])*
        #[derive(Clone, Debug)]
        pub struct $columns<$($name: Data),+>($(pub $name::Column),+);

        impl<$($name: Data),+> Default for $columns<$($name),+> {
            fn default() -> Self { Self($($name::Column::default()),+) }
        }

        impl<$($name: Data),+> Data for ($($name,)+) {
            type Column = $columns<$($name),+>;
            type Ref<'a> = ($($name::Ref<'a>,)+);
            type Row<'a, Key: Data> = (Key::Ref<'a>, Self::Ref<'a>);
            const WIDTH: Option<usize> = {
                let width = Some(0);
                $(let width = wider(width, $name::WIDTH);)+
                width
            };

            #[inline]
            fn row<'a, Key: Data>(key: Key::Ref<'a>, val: Self::Ref<'a>) -> (Key::Ref<'a>, Self::Ref<'a>) {
                (key, val)
            }
            #[inline]
            fn borrow(&self) -> Self::Ref<'_> { ($(self.$index.borrow(),)+) }
            #[inline]
            fn shorten<'long: 'short, 'short>(value: Self::Ref<'long>) -> Self::Ref<'short> {
                ($($name::shorten(value.$index),)+)
            }
            #[inline]
            fn owned(value: Self::Ref<'_>) -> Self { ($($name::owned(value.$index),)+) }
            #[inline]
            fn hash(value: Self::Ref<'_>) -> u64 {
                if Self::WIDTH.is_some() {
                    return mix(Self::bits(value));
                }
                let hash = 0;
                $(let hash = combine(hash, $name::hash(value.$index));)+
                hash
            }
            #[inline]
            fn bits(value: Self::Ref<'_>) -> u64 {
                let bits = 0u64;
                if Self::WIDTH.is_some() {
                    $(let bits = bits.checked_shl(8 * $name::WIDTH.unwrap_or(0) as u32).unwrap_or(0)
                        | $name::bits(value.$index);)+
                    return bits;
                }
                bits
            }
        }

        impl<$($name: Data),+> Column for $columns<$($name),+> {
            type Item = ($($name,)+);

            const FIXED: bool = true $(&& $name::Column::FIXED)+;

            #[inline]
            fn len(&self) -> usize { self.0.len() }
            #[inline]
            fn get(&self, row: usize) -> ($($name::Ref<'_>,)+) { ($(self.$index.get(row),)+) }
            #[inline]
            fn push(&mut self, value: ($($name::Ref<'_>,)+)) { $(self.$index.push(value.$index);)+ }
            #[inline]
            fn push_item(&mut self, value: ($($name,)+)) { $(self.$index.push_item(value.$index);)+ }
            fn push_default(&mut self) { $(self.$index.push_default();)+ }
            #[inline]
            fn set(&mut self, row: usize, value: ($($name::Ref<'_>,)+)) { $(self.$index.set(row, value.$index);)+ }
            fn truncate(&mut self, rows: usize) { $(self.$index.truncate(rows);)+ }
            fn detach(&mut self) { $(self.$index.detach();)+ }
            fn reserve(&mut self, rows: usize) { $(self.$index.reserve(rows);)+ }
            #[inline]
            fn extend_range(&mut self, from: &Self, rows: Range<usize>) {
                $(self.$index.extend_range(&from.$index, rows.clone());)+
            }
            #[inline]
            fn extend<'a>(&mut self, rows: impl Iterator<Item = ($($name::Ref<'a>,)+)> + Clone) {
                $(self.$index.extend(rows.clone().map(|row| row.$index));)+
            }
            fn extend_rows(&mut self, from: &Self, rows: &[u32]) { $(self.$index.extend_rows(&from.$index, rows);)+ }
            #[inline]
            fn order(&self, row: usize, other: &Self, other_row: usize) -> Ordering {
                Ordering::Equal$(.then_with(|| self.$index.order(row, &other.$index, other_row)))+
            }
            #[inline]
            fn same(&self, row: usize, other: &Self, other_row: usize) -> bool {
                true $(&& self.$index.same(row, &other.$index, other_row))+
            }
            #[inline]
            fn leading(&self, row: usize) -> u64 { self.0.leading(row) }
            #[inline]
            fn touch(&self, row: usize) -> usize { 0 $(^ self.$index.touch(row))+ }
            fn bytes(&self) -> usize { 0 $(+ self.$index.bytes())+ }
        }
    };
}

tuples! {
    /// Rows of one component.
    Columns1, A 0
}
tuples! {
    /// Rows of two components.
    Columns2, A 0, B 1
}
tuples! {
    /// Rows of three components.
    Columns3, A 0, B 1, C 2
}
tuples! {
    /// Rows of four components.
    Columns4, A 0, B 1, C 2, D 3
}
tuples! {
    /// Rows of five components.
    Columns5, A 0, B 1, C 2, D 3, E 4
}
tuples! {
    /// Rows of six components.
    Columns6, A 0, B 1, C 2, D 3, E 4, F 5
}
tuples! {
    /// Rows of seven components.
    Columns7, A 0, B 1, C 2, D 3, E 4, F 5, G 6
}
tuples! {
    /// Rows of eight components.
    Columns8, A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7
}
tuples! {
    /// Rows of nine components.
    Columns9, A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8
}
tuples! {
    /// Rows of ten components.
    Columns10, A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9
}
