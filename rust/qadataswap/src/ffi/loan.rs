//! A loan's column by its addresses.

use crate::frame::{OutOfRoom, Parts, Validity, ViewColumn};
use crate::region::Region;
use std::ptr::null_mut;
use std::sync::Arc;

/// Keeps the memory of a ring mapped: for languages in which the address of a lent column may outlive its loan. What
/// stands there belongs to the ring again then.
#[derive(Clone)]
pub struct Mapping(pub(crate) Arc<Region>);

impl std::fmt::Debug for Mapping {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mapping").field("ring", &self.0.name).finish()
    }
}

/// One column of a loan, lying in the slot.
///
/// The law for whoever fills it: nothing is written outside these lengths nor after the loan has ended, `data_used`
/// bytes from the start of `data` are taken by values, and `has_nulls` is set once all of `validity` is written.
#[repr(C)]
#[derive(Debug)]
pub struct LoanColumn {
    /// One value (or bit, or 16-byte view) for each row.
    pub values: *mut u8,
    /// Their length in bytes.
    pub values_bytes: usize,
    /// A bit for each row, 1 for valid; null if the column is not nullable.
    pub validity: *mut u8,
    /// Its length in bytes.
    pub validity_bytes: usize,
    /// Room for the values of views that are longer than 12 bytes; null if the column is not of views.
    pub data: *mut u8,
    /// Its length in bytes.
    pub data_bytes: usize,
    /// Bytes of `data` in use.
    pub data_used: usize,
    /// Number of rows.
    pub rows: usize,
    /// Non-zero once `validity` has been written, all of it.
    pub has_nulls: i32,
}

impl LoanColumn {
    pub(crate) fn of(parts: Parts<'_>, rows: usize) -> LoanColumn {
        let (values, values_bytes) = address(parts.values);
        let (validity, validity_bytes) = address(parts.validity);
        let (data, data_bytes) = address(parts.data);
        let data_used = parts.used.map_or(0, |used| *used);
        let has_nulls = parts.nulls.is_some_and(|nulls| *nulls).into();
        LoanColumn {
            values,
            values_bytes,
            validity,
            validity_bytes,
            data,
            data_bytes,
            data_used,
            rows,
            has_nulls,
        }
    }

    pub(crate) fn set_validity(&mut self, part: Option<&mut [u8]>) {
        (self.validity, self.validity_bytes) = address(part);
    }

    pub(crate) fn set_data(&mut self, part: Option<&mut [u8]>) {
        (self.data, self.data_bytes) = address(part);
    }

    /// Sets one row of a column of views; see [`ViewColumn::set`].
    ///
    /// # Errors
    /// As there.
    ///
    /// # Panics
    /// If there is no such row.
    ///
    /// # Safety
    /// The loan has not ended, the column is one of views and as [`Loan::raw_column`](crate::Loan::raw_column) gave it
    /// but for what the law allows, and nobody else uses it meanwhile.
    pub unsafe fn set_view(&mut self, row: usize, value: &[u8]) -> Result<(), OutOfRoom> {
        // SAFETY: both areas lie in the slot, apart from each other, and are ours by the caller's word; one that is null has
        // no bytes, and is not looked at.
        let (views, data) = unsafe {
            (
                std::slice::from_raw_parts_mut(self.values, self.values_bytes),
                match self.data.is_null() {
                    true => &mut [],
                    false => std::slice::from_raw_parts_mut(self.data, self.data_bytes),
                },
            )
        };
        ViewColumn::<[u8]>::new(views, data, &mut self.data_used).set(row, value)
    }

    /// Makes one row null; see [`Validity::set_null`].
    ///
    /// # Panics
    /// If there is no such row.
    ///
    /// # Safety
    /// As [`set_view`](LoanColumn::set_view), for a nullable column.
    pub unsafe fn set_null(&mut self, row: usize) {
        // SAFETY: the bitmap lies in the slot and is ours by the caller's word.
        let bits = unsafe { std::slice::from_raw_parts_mut(self.validity, self.validity_bytes) };
        let mut in_use = self.has_nulls != 0;
        Validity { bits, in_use: &mut in_use, rows: self.rows }.set_null(row);
        self.has_nulls = in_use.into();
    }
}

/// The address and length of a part of a column.
fn address(part: Option<&mut [u8]>) -> (*mut u8, usize) {
    match part {
        Some(part) => (part.as_mut_ptr(), part.len()),
        None => (null_mut(), 0),
    }
}
