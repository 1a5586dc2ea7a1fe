//! What belongs to the slots of a [`KeyIndex`](super::KeyIndex): an array in segments, so that growing copies nothing.

/// Items in a segment, as a power of two.
const BITS: u32 = 12;

/// An array that grows by segments of one size.
#[derive(Clone, Debug)]
pub(crate) struct Segments<T> {
    segments: Vec<Vec<T>>,
}

impl<T> Default for Segments<T> {
    fn default() -> Self {
        Self { segments: Vec::new() }
    }
}

impl<T> Segments<T> {
    /// Adds an item behind all others.
    pub(crate) fn push(&mut self, item: T) {
        match self.segments.last_mut() {
            Some(last) if last.len() < 1 << BITS => last.push(item),
            // The first one grows, as most are all there is; the others are whole from the start.
            last => {
                let mut segment = Vec::with_capacity(if last.is_some() { 1 << BITS } else { 0 });
                segment.push(item);
                self.segments.push(segment);
            }
        }
    }

    /// Returns an item, if there are so many.
    #[inline]
    pub(crate) fn get(&self, at: usize) -> Option<&T> {
        self.segments.get(at >> BITS)?.get(at & ((1 << BITS) - 1))
    }

    /// Returns an item, for writing.
    ///
    /// # Panics
    ///
    /// If there are not so many.
    #[inline]
    pub(crate) fn at(&mut self, at: usize) -> &mut T {
        &mut self.segments[at >> BITS][at & ((1 << BITS) - 1)]
    }

    /// Returns all items, for writing.
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.segments.iter_mut().flatten()
    }

    /// Returns the bytes of memory that the items take.
    pub(crate) fn bytes(&self) -> usize {
        self.segments.iter().map(|segment| size_of_val(segment.as_slice())).sum()
    }
}

impl<T> FromIterator<T> for Segments<T> {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        let mut segments = Self::default();
        items.into_iter().for_each(|item| segments.push(item));
        segments
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_are_an_array_that_stays_where_it_is() {
        let mut segments: Segments<usize> = (0..1 << BITS).collect();
        let first: *const usize = segments.at(7);
        (1 << BITS..10_001).for_each(|item| segments.push(item));
        assert_eq!(std::ptr::from_ref(segments.at(7)), first);
        for item in 0..10_001 {
            assert_eq!((*segments.at(item), segments.get(item)), (item, Some(&item)));
        }
        assert_eq!(segments.get(10_001), None);
        *segments.at(4096) += 1;
        assert_eq!((segments.get(4095), segments.get(4096)), (Some(&4095), Some(&4097)));
        assert_eq!(segments.bytes(), 10_001 * size_of::<usize>());
    }
}
