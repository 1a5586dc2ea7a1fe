//! stub
use crate::error::Result;
use crate::writer::Writer;
use arrow_schema::Schema;
/// x
pub struct Loan<'w> {
    _w: &'w Writer,
}
impl<'w> Loan<'w> {
    pub(crate) fn new(w: &'w Writer, _s: &Schema, _r: usize, _v: usize) -> Result<Loan<'w>> {
        Ok(Loan { _w: w })
    }
}
