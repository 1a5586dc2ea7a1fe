//! Sets of times none of which is before another: the edge of what has been reached.

use crate::algebra::PartialOrder;

/// A set of mutually unrelated elements.
///
/// ```
/// use qadataswap_dbsp::time::{Antichain, Product};
///
/// let mut reached = Antichain::new();
/// assert!(reached.insert(Product::new(2u32, 1u32)));
/// assert!(reached.insert(Product::new(1, 3)));
/// assert!(!reached.insert(Product::new(2, 3))); // after both
/// assert!(reached.insert(Product::new(1, 1)) && reached.elements().len() == 1); // before both
/// ```
#[derive(Clone, Debug)]
pub struct Antichain<T>(Vec<T>);

impl<T> Default for Antichain<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: PartialOrder> Antichain<T> {
    /// Makes the empty set.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an element unless one at or before it is there, and forgets those after it; returns whether it was added.
    pub fn insert(&mut self, element: T) -> bool {
        if self.less_equal(&element) {
            return false;
        }
        self.0.retain(|other| !element.less_equal(other));
        self.0.push(element);
        true
    }

    /// Returns whether any element is at or before `time`.
    pub fn less_equal(&self, time: &T) -> bool {
        self.0.iter().any(|element| element.less_equal(time))
    }

    /// Returns the elements, in no order.
    #[must_use]
    pub fn elements(&self) -> &[T] {
        &self.0
    }
}
