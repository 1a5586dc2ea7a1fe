//! What the scenes take of the model checker, under names that every checker has.

pub(crate) use loom::cell::UnsafeCell;
pub(crate) use loom::sync::Arc;
