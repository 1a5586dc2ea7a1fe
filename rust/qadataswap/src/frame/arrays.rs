//! A view as arrow-rs arrays.
//!
//! Every buffer of every array is a slice of the frame's one [`Buffer`] (or of a private copy), so the pin
//! lives as long as any of them. The law: nothing here looks at data, and nothing can fail on account of a
//! number, because the view has checked them; what arrow-rs's own constructors would look at goes through
//! [`lease`](crate::lease).

use std::sync::Arc;

use arrow_array::types::{
    BinaryType, BinaryViewType, LargeBinaryType, LargeUtf8Type, StringViewType, Utf8Type,
};
use arrow_array::{
    Array, ArrayRef, BooleanArray, PrimitiveArray, downcast_primitive, make_array, new_empty_array,
};
use arrow_buffer::{BooleanBuffer, Buffer, ScalarBuffer};
use arrow_data::{ArrayData, ArrayDataBuilder};
use arrow_schema::DataType;

use super::plan::{Kind, Plan, Shape, Step};
use super::view::{Node, View};
use super::{FrameError, plan};
use crate::lease;

/// What arrays are made of.
pub(super) struct Source<'a> {
    pub(super) plan: &'a Plan,
    pub(super) shape: &'a Shape,
    pub(super) view: &'a View,
    pub(super) frame: &'a Buffer,
    /// The values of the plan's dictionaries, as far as they are known yet.
    pub(super) dictionaries: &'a [Option<ArrayData>],
    /// Whether contents are checked too.
    pub(super) validate: bool,
}

impl Source<'_> {
    /// The columns of the batch.
    pub(super) fn columns(&self, count: usize) -> Result<Vec<ArrayRef>, FrameError> {
        let mut columns = Vec::with_capacity(count);
        let mut at = 0;
        while let Some(step) = self.shape.steps.get(at) {
            columns.push(match self.flat(step, self.view.nodes[at]) {
                Some(column) => column,
                None => make_array(self.checked(at)?),
            });
            at = step.end;
        }
        Ok(columns)
    }

    /// The array of step `at`, its contents checked if they are to be.
    pub(super) fn checked(&self, at: usize) -> Result<ArrayData, FrameError> {
        let data = self.data(at)?;
        if self.validate {
            data.validate_full()?;
        }
        Ok(data)
    }

    /// Arrays without children need no [`ArrayData`] on their way, which costs more than all the rest of a small
    /// array. Contents that are to be checked go the long way.
    #[inline]
    fn flat(&self, step: &Step, node: Node) -> Option<ArrayRef> {
        let buffer = |which| self.view.buffer(self.frame, node, which);
        if self.validate && (node.nulls > 0 || !step.data_type.is_primitive()) {
            return None;
        }
        let nulls = || (node.nulls > 0).then(|| lease::null_buffer(buffer(0), node.rows, node.nulls));
        macro_rules! primitive {
            ($type:ty) => {{
                let array = PrimitiveArray::<$type>::new(ScalarBuffer::new(buffer(1), 0, node.rows), nulls());
                match &step.data_type {
                    DataType::Timestamp(_, Some(_))
                    | DataType::Decimal32(..)
                    | DataType::Decimal64(..)
                    | DataType::Decimal128(..)
                    | DataType::Decimal256(..) => {
                        Some(Arc::new(array.with_data_type(step.data_type.clone())))
                    }
                    _ => Some(Arc::new(array)),
                }
            }};
        }
        macro_rules! views {
            ($type:ty) => {{
                let data: Vec<Buffer> = (2..node.count).map(buffer).collect();
                let views = ScalarBuffer::new(buffer(1), 0, node.rows);
                Some(Arc::new(lease::view_array::<$type>(views, data, nulls())))
            }};
        }
        macro_rules! bytes {
            ($type:ty) => {
                // Without rows there may be no offsets, of which an array has one more than rows.
                (node.rows > 0).then(|| {
                    let offsets = ScalarBuffer::new(buffer(1), 0, node.rows + 1);
                    Arc::new(lease::byte_array::<$type>(offsets, buffer(2), nulls())) as ArrayRef
                })
            };
        }
        downcast_primitive! {
            &step.data_type => (primitive),
            DataType::Boolean => {
                Some(Arc::new(BooleanArray::new(BooleanBuffer::new(buffer(1), 0, node.rows), nulls())))
            }
            DataType::Utf8View => views!(StringViewType),
            DataType::BinaryView => views!(BinaryViewType),
            DataType::Utf8 => bytes!(Utf8Type),
            DataType::LargeUtf8 => bytes!(LargeUtf8Type),
            DataType::Binary => bytes!(BinaryType),
            DataType::LargeBinary => bytes!(LargeBinaryType),
            _ => None,
        }
    }

    #[inline]
    fn data(&self, at: usize) -> Result<ArrayData, FrameError> {
        let step = &self.shape.steps[at];
        let node = self.view.nodes[at];
        let buffer = |which| self.view.buffer(self.frame, node, which);
        let first = usize::from(step.kind.has_validity());
        let mut buffers = Vec::with_capacity(node.count - first);
        buffers.extend((first..node.count).map(buffer));
        // A builder is a large value, and each call moves it: only what is needed is said.
        let builder = ArrayDataBuilder::new(step.data_type.clone()).len(node.rows).buffers(buffers);
        let children = self.children(at, step, node)?;
        Ok(lease::assemble(match (node.nulls, children.is_empty()) {
            (0, true) => builder,
            (0, false) => builder.child_data(children),
            (nulls, _) => builder.null_bit_buffer(Some(buffer(0))).null_count(nulls).child_data(children),
        }))
    }

    fn children(&self, at: usize, step: &Step, node: Node) -> Result<Vec<ArrayData>, FrameError> {
        if let Kind::Dictionary { values, .. } = step.kind {
            return Ok(vec![self.dictionary(values, node)?]);
        }
        let mut children = Vec::new();
        let mut child = at + 1;
        while child < step.end {
            children.push(self.data(child)?);
            child = self.shape.steps[child].end;
        }
        Ok(children)
    }

    /// A dictionary that nothing refers to need not have been sent.
    fn dictionary(&self, number: usize, keys: Node) -> Result<ArrayData, FrameError> {
        if let Some(Some(values)) = self.dictionaries.get(number) {
            return Ok(values.clone());
        }
        let plan::Dictionary { id, values } = &self.plan.dictionaries[number];
        match values.steps.first() {
            Some(step) if keys.nulls == keys.rows => Ok(new_empty_array(&step.data_type).to_data()),
            _ => Err(FrameError::corrupt(format!("dictionary {id} is used before it is sent"))),
        }
    }
}
