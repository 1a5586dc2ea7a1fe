//! What the scenes take of the model checker, under names that every checker has.

pub(crate) use crate::cell::UnsafeCell;
pub(crate) use std::sync::Arc;
