//! A batch as C structs, all in one block of memory.
//!
//! ```text
//!   header: who keeps the data, structs left | structs | addresses of buffers | of children | lengths | sizes
//! ```
//!
//! The law: the block lives until every struct in it has been released, and so does what keeps the data. A parent
//! releases the children that are still its own; one that was moved away counts until it is released itself.

use super::ArrowArray;
use crate::frame::Plain;
use arrow_buffer::Buffer;
use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::ffi::c_void;
use std::ptr::{NonNull, null, null_mut};
use std::sync::atomic::{AtomicUsize, Ordering, fence};

/// A batch that has been exported.
#[derive(Debug)]
pub struct Exported {
    /// A struct array, to be released by whoever has it.
    pub array: ArrowArray,
    /// The length in bytes of every buffer, depth first: a node's buffers, its children, its dictionary. Valid
    /// until the array is released. Null if they are not known.
    pub lengths: *const i64,
}

impl Exported {
    /// Releases what nobody else has yet.
    pub(crate) fn release(mut self) {
        if let Some(release) = self.array.release {
            // SAFETY: a batch of ours that has not been released, and is not used any more.
            unsafe { release(&raw mut self.array) }
        }
    }

    /// Puts another column in the place of the one at `position`.
    pub(crate) fn replace(&mut self, position: usize, plain: Plain) {
        let Plain { rows, nulls, validity, offsets, data } = plain;
        let keep = vec![validity.clone(), offsets.clone()];
        let size = Size { nodes: 1, buffers: 3, variadic: 0 };
        let mut builder = Builder::new(size, data.clone(), keep);
        builder.node(rows, nulls, 0);
        match nulls {
            0 => builder.no_buffer(),
            _ => builder.buffer(&validity),
        }
        builder.buffer(&offsets);
        builder.buffer(&data);
        let column = builder.finish().array;
        assert!((position as i64) < self.array.n_children && self.array.release.is_some());
        // SAFETY: a batch of ours that has not been released, and a column that it has, which nobody else has yet. The
        // column is released where it lies; the one that takes its place brings its own release, which its parent
        // calls.
        unsafe {
            let place = *self.array.children.add(position);
            if let Some(release) = (*place).release {
                release(place);
            }
            place.write(column);
        }
        // They speak of the column that was there.
        self.lengths = null();
    }
}

/// What a block has to hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Size {
    pub(crate) nodes: usize,
    pub(crate) buffers: usize,
    /// Data buffers of views, whose lengths are themselves told by a buffer.
    pub(crate) variadic: usize,
}

struct Header {
    /// Keeps the data in place.
    _keep: (Buffer, Vec<Buffer>),
    /// Structs that have not been released.
    left: AtomicUsize,
    layout: Layout,
}

/// An offset buffer of no rows, aligned as buffers are.
#[repr(align(64))]
struct Zeros([u8; 8]);
static ZEROS: Zeros = Zeros([0; 8]);

/// A block that is being filled, depth first.
pub(crate) struct Builder {
    block: NonNull<u8>,
    size: Size,
    used: Size,
    arrays: *mut ArrowArray,
    buffers: *mut *const c_void,
    children: *mut *mut ArrowArray,
    children_used: usize,
    lengths: *mut i64,
    sizes: *mut i64,
}

impl Builder {
    /// A block for `size`; `keep` and `copies` keep the data in place.
    pub(crate) fn new(size: Size, keep: Buffer, copies: Vec<Buffer>) -> Builder {
        let part = |layout: Layout, part: Result<Layout, _>| {
            part.and_then(|part| layout.extend(part))
                .expect("a batch has fewer buffers than memory has addresses")
        };
        let layout = Layout::new::<Header>();
        let (layout, arrays) = part(layout, Layout::array::<ArrowArray>(size.nodes));
        let (layout, buffers) = part(layout, Layout::array::<*const c_void>(size.buffers));
        let (layout, children) = part(layout, Layout::array::<*mut ArrowArray>(size.nodes));
        let (layout, lengths) = part(layout, Layout::array::<i64>(size.buffers));
        let (layout, sizes) = part(layout, Layout::array::<i64>(size.variadic));
        // SAFETY: the layout is not empty: it has a header.
        let block = unsafe { alloc(layout) };
        let Some(block) = NonNull::new(block) else { handle_alloc_error(layout) };
        let header = Header { _keep: (keep, copies), left: AtomicUsize::new(size.nodes), layout };
        // SAFETY: the header lies at the start of the block, which is aligned for it; every other part lies inside
        // the block at the offset that its layout was given.
        unsafe {
            block.cast::<Header>().write(header);
            let at = |offset: usize| block.as_ptr().add(offset);
            Builder {
                block,
                size,
                used: Size::default(),
                arrays: at(arrays).cast(),
                buffers: at(buffers).cast(),
                children: at(children).cast(),
                children_used: 0,
                lengths: at(lengths).cast(),
                sizes: at(sizes).cast(),
            }
        }
    }

    /// The next node, with room for `children` children; its buffers come next, then its children.
    pub(crate) fn node(&mut self, rows: usize, nulls: usize, children: usize) -> usize {
        let at = self.used.nodes;
        assert!(
            at < self.size.nodes && self.children_used + children <= self.size.nodes,
            "more nodes than counted"
        );
        self.used.nodes += 1;
        // SAFETY: both places were just asserted to lie inside their parts of the block.
        unsafe {
            self.arrays.add(at).write(ArrowArray {
                length: rows as i64,
                null_count: nulls as i64,
                offset: 0,
                n_buffers: 0,
                n_children: children as i64,
                buffers: self.buffers.add(self.used.buffers),
                children: if children == 0 { null_mut() } else { self.children.add(self.children_used) },
                dictionary: null_mut(),
                release: Some(release),
                private_data: self.block.as_ptr().cast(),
            });
        }
        self.children_used += children;
        at
    }

    /// The next buffer of the node begun last.
    pub(crate) fn buffer(&mut self, bytes: &[u8]) {
        self.put(bytes.as_ptr().cast(), bytes.len());
    }

    /// A buffer that is not there.
    pub(crate) fn no_buffer(&mut self) {
        self.put(null(), 0);
    }

    /// The one offset, of `width` bytes, that an array of no rows has.
    pub(crate) fn zero_offset(&mut self, width: usize) {
        self.buffer(&ZEROS.0[..width]);
    }

    /// The buffer that tells the lengths of the data buffers of views.
    pub(crate) fn sizes(&mut self, sizes: impl Iterator<Item = usize>) {
        let first = self.used.variadic;
        for size in sizes {
            assert!(self.used.variadic < self.size.variadic, "more data buffers than counted");
            // SAFETY: just asserted to lie inside its part of the block.
            unsafe { self.sizes.add(self.used.variadic).write(size as i64) };
            self.used.variadic += 1;
        }
        // SAFETY: `first` is at most the length of its part.
        self.put(unsafe { self.sizes.add(first) }.cast(), (self.used.variadic - first) * size_of::<i64>());
    }

    fn put(&mut self, address: *const c_void, length: usize) {
        let (at, node) = (self.used.buffers, self.used.nodes);
        assert!(at < self.size.buffers && node > 0, "more buffers than counted");
        self.used.buffers += 1;
        // SAFETY: `at` was just asserted to lie inside both parts; node `node - 1` has been written.
        unsafe {
            self.buffers.add(at).write(address);
            self.lengths.add(at).write(length as i64);
            (*self.arrays.add(node - 1)).n_buffers += 1;
        }
    }

    /// Makes node `child` the child at `position` of node `parent`.
    pub(crate) fn child(&mut self, parent: usize, position: usize, child: usize) {
        assert!(parent < self.used.nodes && child < self.used.nodes);
        // SAFETY: both nodes have been written, and the parent has as many places for children as it said.
        unsafe {
            let parent = &mut *self.arrays.add(parent);
            assert!((position as i64) < parent.n_children);
            parent.children.add(position).write(self.arrays.add(child));
        }
    }

    /// Makes node `values` the dictionary of node `keys`.
    pub(crate) fn dictionary(&mut self, keys: usize, values: usize) {
        assert!(keys < self.used.nodes && values < self.used.nodes);
        // SAFETY: both nodes have been written.
        unsafe { (*self.arrays.add(keys)).dictionary = self.arrays.add(values) };
    }

    /// The whole, whose root is the first node.
    pub(crate) fn finish(self) -> Exported {
        assert!(
            self.used == self.size && self.children_used < self.size.nodes,
            "{:?} of {:?}",
            self.used,
            self.size
        );
        let builder = std::mem::ManuallyDrop::new(self);
        // SAFETY: every node has been written. The root is moved out; the block counts it until it is released.
        Exported { array: unsafe { builder.arrays.read() }, lengths: builder.lengths }
    }
}

impl Drop for Builder {
    /// Of a block that was not finished.
    fn drop(&mut self) {
        // SAFETY: the block is whole as far as its header goes, and nobody else has it yet.
        unsafe { free(self.block.cast()) }
    }
}

/// Releases a struct of a block, and those of its descendants that are still its own.
///
/// # Safety
/// As the format has it: `array` points to a struct of a block that has not been released.
unsafe extern "C" fn release(array: *mut ArrowArray) {
    // SAFETY: by the caller's word the struct and its block are alive: the block counts this struct.
    unsafe {
        let block = (*array).private_data.cast::<Header>();
        let released = let_go(array, block);
        // Pairs with the fence below: whoever frees the block comes after all that others did with it.
        if (*block).left.fetch_sub(released, Ordering::Release) == released {
            fence(Ordering::Acquire);
            free(NonNull::new_unchecked(block));
        }
    }
}

/// Marks `array` and its own descendants as released; returns how many structs of `block` that are.
///
/// # Safety
/// As [`release`]; `block` is alive throughout.
unsafe fn let_go(array: *mut ArrowArray, block: *mut Header) -> usize {
    let mut released = 1;
    // SAFETY: a struct's children and dictionary lie in its block, which is alive; one that was moved away has been
    // marked as released by whoever moved it, and one that was replaced brings its own release.
    unsafe {
        let mut below = |child: *mut ArrowArray| match (*child).release {
            Some(_) if (*child).private_data == block.cast() => released += let_go(child, block),
            Some(other) => other(child),
            None => {}
        };
        for child in 0..(*array).n_children {
            below(*(*array).children.add(child as usize));
        }
        if !(*array).dictionary.is_null() {
            below((*array).dictionary);
        }
        (*array).release = None;
    }
    released
}

/// Frees a block and lets go of the data.
///
/// # Safety
/// Nobody uses the block any more.
unsafe fn free(block: NonNull<Header>) {
    // SAFETY: allocated with the layout that its header keeps, and not used any more.
    unsafe {
        let layout = block.as_ref().layout;
        block.drop_in_place();
        dealloc(block.as_ptr().cast(), layout);
    }
}
