//! The weights of a batch: nothing at all while each is 1.

use std::ops::Range;

use crate::algebra::{NegByRef, ZWeight};

/// A weight for each row.
#[derive(Clone, Debug)]
pub enum Weights {
    /// So many rows, each of them once.
    Ones(usize),
    /// A weight for each.
    Each(Vec<ZWeight>),
}

impl Default for Weights {
    fn default() -> Self {
        Self::Ones(0)
    }
}

impl Weights {
    /// Returns the number of rows.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Ones(rows) => *rows,
            Self::Each(weights) => weights.len(),
        }
    }

    /// Returns whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the weight of a row.
    ///
    /// # Panics
    ///
    /// If there are weights, but not so many.
    #[inline]
    #[must_use]
    pub fn get(&self, row: usize) -> ZWeight {
        match self {
            Self::Ones(_) => 1,
            Self::Each(weights) => weights[row],
        }
    }

    fn each(&mut self) -> &mut Vec<ZWeight> {
        if let Self::Ones(rows) = *self {
            *self = Self::Each(vec![1; rows]);
        }
        match self {
            Self::Each(weights) => weights,
            Self::Ones(_) => unreachable!("ones have been written out"),
        }
    }

    /// Adds a row.
    #[inline]
    pub fn push(&mut self, weight: ZWeight) {
        match self {
            Self::Ones(rows) if weight == 1 => *rows += 1,
            _ => self.each().push(weight),
        }
    }

    /// Puts another weight in the place of a row's.
    #[inline]
    pub(crate) fn set(&mut self, row: usize, weight: ZWeight) {
        if weight != self.get(row) {
            self.each()[row] = weight;
        }
    }

    /// Adds so many rows.
    pub(super) fn extend(&mut self, rows: impl ExactSizeIterator<Item = ZWeight> + Clone) {
        match self {
            // All of them are looked at, whatever the first ones are: a loop without a way out is run by vectors.
            Self::Ones(own) if rows.clone().fold(true, |ones, weight| ones & (weight == 1)) => {
                *own += rows.len();
            }
            _ => self.each().extend(rows),
        }
    }

    /// Adds some rows of others.
    pub(super) fn extend_rows(&mut self, from: &Self, rows: &[u32]) {
        match from {
            Self::Ones(_) => self.extend_range(from, 0..rows.len()),
            Self::Each(weights) => self.extend(rows.iter().map(|&row| weights[row as usize])),
        }
    }

    /// Adds neighbouring rows of others.
    #[inline]
    pub fn extend_range(&mut self, from: &Self, rows: Range<usize>) {
        match (&mut *self, from) {
            (Self::Ones(own), Self::Ones(_)) => *own += rows.len(),
            (_, Self::Ones(_)) => {
                let each = self.each();
                each.resize(each.len() + rows.len(), 1);
            }
            (_, Self::Each(weights)) => self.each().extend_from_slice(&weights[rows]),
        }
    }

    /// Forgets all rows; what follows may be ones again.
    pub fn clear(&mut self) {
        *self = match std::mem::take(self) {
            // A vector whose memory is kept would have to be written to for ones too.
            Self::Each(mut weights) if weights.capacity() > 0 => {
                weights.clear();
                Self::Each(weights)
            }
            _ => Self::Ones(0),
        };
    }

    /// Negates each.
    pub fn negate(&mut self) {
        for weight in self.each() {
            *weight = weight.neg_by_ref();
        }
    }

    /// Says nothing where each is 1 anyway.
    pub fn shrink(&mut self) {
        if let Self::Each(weights) = self
            && weights.iter().all(|&weight| weight == 1)
        {
            *self = Self::Ones(weights.len());
        }
    }

    /// Returns the bytes of memory taken.
    #[must_use]
    pub fn bytes(&self) -> usize {
        match self {
            Self::Ones(_) => 0,
            Self::Each(weights) => size_of_val(weights.as_slice()),
        }
    }
}
