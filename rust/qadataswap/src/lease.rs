//! Leases (placeholder while the frame codec is written).

use arrow_data::{ArrayData, ArrayDataBuilder};

/// Assembles array data whose *form* (buffer sizes, alignment, child lengths) the caller has checked.
pub(crate) fn assemble(builder: ArrayDataBuilder) -> ArrayData {
    // SAFETY: the form has been checked by the frame decoder; the contents are the writer's word.
    #[allow(unsafe_code)]
    unsafe {
        builder.build_unchecked()
    }
}
