//! QADataSwap core.
#[allow(dead_code)]
mod frame;
#[allow(dead_code)]
mod lease;
