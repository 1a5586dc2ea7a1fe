//! A Polars frame as the encoder takes it: batches of columns' parts, none of them copied.
//!
//! The law: nothing is derived twice for frames of one schema, except that categories may have grown; and a cut
//! through a chunk is two numbers, never a new array.

use super::{dtype, walk};
use crate::frame::{Chunk, FrameError, Plan, Sink};
use arrow_schema::{Schema, SchemaRef};
use polars_arrow::array::{Array, Utf8ViewArray};
use polars_core::prelude::{CategoricalMapping, Column, DataFrame, DataType, PlSmallStr};
use smallvec::SmallVec;
use std::sync::{Arc, Weak};

/// What a writer knows of the frame written last.
#[derive(Default)]
pub(crate) struct Known {
    schema: Option<SchemaRef>,
    /// Of the columns that `schema` is of. None if the schema is to be derived for each frame.
    columns: Option<Vec<(PlSmallStr, DataType)>>,
    /// In the order of the plan's dictionaries.
    categories: Vec<Categories>,
    /// Those of the frame at hand.
    values: Vec<Utf8ViewArray>,
}

/// Categories as an array. A mapping is known by its address, which is nobody else's for as long as it is known.
struct Categories {
    mapping: Weak<CategoricalMapping>,
    values: Utf8ViewArray,
}

/// One batch.
pub(super) struct Batch<'a> {
    parts: Parts<'a>,
    rows: usize,
    categories: &'a [Utf8ViewArray],
}

type Parts<'a> = SmallVec<[Part<'a>; 8]>;

/// Rows of a chunk.
#[derive(Clone, Copy)]
pub(super) struct Part<'a> {
    pub(super) array: &'a dyn Array,
    pub(super) from: usize,
    pub(super) rows: usize,
}

impl Known {
    /// The schema and the batches of `frame`.
    pub(super) fn table<'a>(
        &'a mut self,
        frame: &'a DataFrame,
    ) -> Result<(&'a SchemaRef, SmallVec<[Batch<'a>; 1]>), FrameError> {
        let columns = frame.columns();
        self.recall(columns)?;
        self.values.clear();
        let mut next = 0;
        for column in columns {
            self.collect(column.dtype(), &mut next);
        }
        self.categories.truncate(next);
        let Known { schema, values, .. } = self;
        let schema = schema.as_ref().ok_or_else(|| FrameError::Invalid("no schema".into()))?;
        Ok((schema, batches(frame, values)))
    }

    /// Makes `schema` that of `columns`.
    fn recall(&mut self, columns: &[Column]) -> Result<(), FrameError> {
        let same = |((name, dtype), column): (&(PlSmallStr, DataType), &Column)| {
            name == column.name() && dtype == column.dtype()
        };
        if let Some(known) = &self.columns
            && known.len() == columns.len()
            && known.iter().zip(columns).all(same)
        {
            return Ok(());
        }
        // Nothing is known should it fail.
        self.columns = None;
        let fields = columns.iter().map(|column| dtype::field(column.name(), column.dtype()));
        let fields: Vec<_> = fields.collect::<Result<_, _>>()?;
        // A type of categories keeps them in memory, which a writer must not do beyond the frame.
        if !columns.iter().any(|column| grows(column.dtype())) {
            let known = columns.iter().map(|column| (column.name().clone(), column.dtype().clone()));
            self.columns = Some(known.collect());
        }
        self.schema = Some(Arc::new(Schema::new(fields)));
        Ok(())
    }

    /// Adds the categories in `dtype` to `values`, in the order in which a plan numbers dictionaries.
    fn collect(&mut self, dtype: &DataType, next: &mut usize) {
        match dtype {
            DataType::Enum(categories, _) => {
                self.values.push(categories.categories().clone());
            }
            DataType::Categorical(_, mapping) => {
                let values = self.categories(mapping, *next);
                *next += 1;
                self.values.push(values);
            }
            DataType::List(item) | DataType::Array(item, _) => self.collect(item, next),
            DataType::Struct(fields) => {
                fields.iter().for_each(|field| self.collect(field.dtype(), next));
            }
            _ => {}
        }
    }

    fn categories(&mut self, mapping: &Arc<CategoricalMapping>, at: usize) -> Utf8ViewArray {
        let count = mapping.num_cats_upper_bound();
        if let Some(known) = self.categories.get(at)
            && std::ptr::eq(known.mapping.as_ptr(), Arc::as_ptr(mapping))
            && known.values.len() == count
        {
            return known.values.clone();
        }
        // Where another thread is just adding one, nobody refers to it yet.
        let text = |category: usize| mapping.cat_to_str(category as u32).unwrap_or_default();
        let values = Utf8ViewArray::from_slice_values((0..count).map(text).collect::<Vec<_>>());
        let known = Categories { mapping: Arc::downgrade(mapping), values: values.clone() };
        match self.categories.get_mut(at) {
            Some(place) => *place = known,
            None => self.categories.push(known),
        }
        values
    }
}

/// Whether `dtype` has categories that are found as they come.
fn grows(dtype: &DataType) -> bool {
    match dtype {
        DataType::Categorical(..) => true,
        DataType::List(item) | DataType::Array(item, _) => grows(item),
        DataType::Struct(fields) => fields.iter().any(|field| grows(field.dtype())),
        _ => false,
    }
}

/// The frame in batches that end wherever a chunk of any column does.
fn batches<'a>(frame: &'a DataFrame, categories: &'a [Utf8ViewArray]) -> SmallVec<[Batch<'a>; 1]> {
    let mut batches = SmallVec::new();
    let height = frame.height();
    let columns = || frame.columns().iter().map(|column| column.as_materialized_series().chunks());
    let whole = columns().all(|chunks| chunks.len() == 1);
    if whole {
        let part = |array: &'a dyn Array| Part { array, from: 0, rows: height };
        let parts = columns().map(|chunks| part(chunks[0].as_ref())).collect();
        batches.push(Batch { parts, rows: height, categories });
        return batches;
    }
    // Of each column, the chunk that is next and the first of its rows that is left.
    let mut at: SmallVec<[(usize, usize); 8]> = smallvec::smallvec![(0, 0); frame.width()];
    let mut done = 0;
    while done < height {
        let mut rows = height - done;
        for (chunks, (chunk, from)) in columns().zip(&mut at) {
            while chunks[*chunk].len() == *from {
                (*chunk, *from) = (*chunk + 1, 0);
            }
            rows = rows.min(chunks[*chunk].len() - *from);
        }
        let parts = columns().zip(&mut at).map(|(chunks, (chunk, from))| {
            let part = Part { array: chunks[*chunk].as_ref(), from: *from, rows };
            *from += rows;
            part
        });
        batches.push(Batch { parts: parts.collect(), rows, categories });
        done += rows;
    }
    batches
}

impl Chunk for Batch<'_> {
    type Values<'a>
        = &'a Utf8ViewArray
    where
        Self: 'a;

    fn rows(&self) -> Result<usize, FrameError> {
        Ok(self.rows)
    }

    fn fits(&self, _: &Plan, _: &SchemaRef) -> Result<(), FrameError> {
        // The schema is made of the very columns, and all of them may have nulls.
        Ok(())
    }

    fn tell<S: Sink>(&self, _: &Plan, _: &Schema, sink: &mut S) -> Result<(), FrameError> {
        self.parts.iter().try_for_each(|part| walk::array(sink, *part))
    }

    fn dictionaries<'a>(
        &'a self,
        _: &'a Plan,
        _: &Schema,
        visit: &mut impl FnMut(usize, &'a Utf8ViewArray) -> Result<(), FrameError>,
    ) -> Result<(), FrameError> {
        self.categories.iter().enumerate().try_for_each(|(number, values)| visit(number, values))
    }

    fn values_rows(values: &Utf8ViewArray) -> usize {
        values.len()
    }

    fn tell_values<S: Sink>(values: &Utf8ViewArray, sink: &mut S) -> Result<(), FrameError> {
        walk::array(sink, Part { array: values, from: 0, rows: values.len() })
    }

    fn same(one: &Utf8ViewArray, other: &Utf8ViewArray) -> bool {
        std::ptr::eq(one, other)
    }
}
