//! Strings and binaries behind views, written out behind offsets: for consumers that do not take views. A copy.

use arrow_buffer::Buffer;
use arrow_data::{ByteView, MAX_INLINE_VIEW_LEN};
use arrow_schema::{DataType, Field, Fields, Schema, SchemaRef};
use std::sync::Arc;

use super::copy::Position;
use super::export::Parsed;
use super::plan::Kind;
use super::scan::VIEW;
use super::{FrameError, copy};

/// A column behind offsets.
#[derive(Debug)]
pub(crate) struct Plain {
    pub(crate) rows: usize,
    pub(crate) nulls: usize,
    pub(crate) validity: Buffer,
    pub(crate) offsets: Buffer,
    pub(crate) data: Buffer,
}

/// The schema of a frame for a consumer that asks for `wanted`: columns of views become what it asks for, if that is
/// the same values behind offsets. All else stays, as does everything if the columns are not the same.
pub(crate) fn schema_for(schema: &SchemaRef, wanted: &Schema) -> SchemaRef {
    let same = |(one, other): (&Arc<Field>, &Arc<Field>)| one.name() == other.name();
    let (fields, asked) = (schema.fields(), wanted.fields());
    if fields.len() != asked.len() || !fields.iter().zip(asked).all(same) {
        return schema.clone();
    }
    let fields: Fields = fields
        .iter()
        .zip(asked)
        .map(|(field, asked)| match (field.data_type(), asked.data_type()) {
            (DataType::Utf8View, DataType::Utf8 | DataType::LargeUtf8)
            | (DataType::BinaryView, DataType::Binary | DataType::LargeBinary) => {
                Arc::new(field.as_ref().clone().with_data_type(asked.data_type().clone()))
            }
            _ => field.clone(),
        })
        .collect();
    Arc::new(Schema::new_with_metadata(fields, schema.metadata().clone()))
}

impl Parsed {
    /// A column of views behind offsets, of 64 bits if `wide`.
    ///
    /// # Errors
    /// If a view leads outside its data, or the data is too long for the offsets.
    pub(crate) fn plain(&self, batch: usize, column: usize, wide: bool) -> Result<Plain, FrameError> {
        match wide {
            true => self.plain_by::<i64>(batch, column),
            false => self.plain_by::<i32>(batch, column),
        }
    }

    fn plain_by<O: Position>(&self, batch: usize, column: usize) -> Result<Plain, FrameError> {
        let view = &self.batches[batch].view;
        let steps = &self.described.plan.columns.steps;
        let at = (0..column).fold(0, |at, _| steps[at].end);
        if steps[at].kind != Kind::Views {
            return Err(FrameError::Invalid(format!("column {column} is not one of views")));
        }
        let node = view.nodes[at];
        let bytes = |which| view.bytes(&self.frame, node, which);
        let bits = if node.nulls > 0 { bytes(0) } else { &[] };
        let too_long =
            || FrameError::Invalid("more text than 32-bit offsets reach; ask for large_utf8".into());
        let mut offsets = Vec::with_capacity(node.rows + 1);
        let mut data = Vec::new();
        offsets.push(O::default());
        for (row, raw) in bytes(1).as_chunks::<VIEW>().0.iter().take(node.rows).enumerate() {
            let is_null = node.nulls > 0 && bits[row / 8] & (1 << (row % 8)) == 0;
            let seen = ByteView::from(u128::from_le_bytes(*raw));
            let length = seen.length as usize;
            if is_null {
            } else if seen.length <= MAX_INLINE_VIEW_LEN {
                data.extend_from_slice(&raw[4..4 + length]);
            } else {
                let buffer = seen.buffer_index as usize + 2;
                let from = if buffer < node.count { bytes(buffer) } else { &[] };
                let start = seen.offset as usize;
                let value = from.get(start..start + length).ok_or_else(|| {
                    FrameError::corrupt(format!("the view of row {row} leads outside its data"))
                })?;
                data.extend_from_slice(value);
            }
            offsets.push(O::of(data.len()).ok_or_else(too_long)?);
        }
        Ok(Plain {
            rows: node.rows,
            nulls: node.nulls,
            validity: Buffer::from_slice_ref(&bits[..copy::bytes_of_bits(node.rows).min(bits.len())]),
            offsets: Buffer::from_slice_ref(bytemuck::cast_slice::<O, u8>(&offsets)),
            data: Buffer::from_vec(data),
        })
    }
}
