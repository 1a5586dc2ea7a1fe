//! The options that shape the ring to be published into.

use crate::cli::Global;
use crate::send;
use crate::slot;
use crate::values::{Codec, Full, Limit};
use arrow::array::RecordBatch;
use qadataswap::{SharedMemoryConfig, WhenFull};
use std::time::Duration;

#[derive(clap::Args, Debug)]
pub(crate) struct RingArgs {
    /// Name of the ring.
    #[arg(long = "ring", value_name = "NAME")]
    name: String,
    /// Capacity of all slots together, in MiB [default: so that frames like the first one fit].
    #[arg(long, value_name = "MIB", conflicts_with = "slot_bytes")]
    size_mb: Option<u64>,
    /// Capacity of one slot in bytes: the largest frame.
    #[arg(long, value_name = "BYTES")]
    slot_bytes: Option<u64>,
    /// Number of slots: how many frames the ring remembers.
    #[arg(long, default_value_t = 8, value_name = "N")]
    buffers: usize,
    /// Most readers at a time.
    #[arg(long, default_value_t = 64, value_name = "N")]
    max_readers: usize,
    /// What to do when a lossless reader has not read the oldest frame, or readers hold every slot.
    #[arg(long, value_enum, default_value_t = Full::Block)]
    when_full: Full,
    /// How long to block.
    #[arg(long, default_value = "5s", value_name = "DUR")]
    write_timeout: Limit,
    /// Permission bits of the ring's file, octal. Readers need to read and write it.
    #[arg(long, value_name = "OCTAL", default_value = "600", value_parser = octal)]
    mode: u32,
    /// Numeric group to give the ring's file to.
    #[arg(long, value_name = "GID")]
    group: Option<u32>,
    /// Body compression. Readers of compressed frames copy.
    #[arg(long, value_enum, default_value_t = Codec::None)]
    compression: Codec,
}

impl RingArgs {
    /// The ring's name.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// How long to wait when the ring is full.
    pub(super) fn patience(&self) -> Option<Duration> {
        self.write_timeout.0
    }

    /// The ring for frames like `first`.
    pub(super) fn config(&self, first: &RecordBatch, global: &Global) -> SharedMemoryConfig {
        let config = SharedMemoryConfig::new(&self.name)
            .with_directory(&global.directory)
            .with_buffer_count(self.buffers)
            .with_max_readers(self.max_readers)
            .with_mode(self.mode)
            .with_compression(self.compression.into())
            .with_when_full(match self.when_full {
                Full::Block => send::BLOCK,
                Full::Overwrite => WhenFull::Overwrite,
                Full::Fail => WhenFull::Fail,
            });
        let config = match self.group {
            Some(gid) => config.with_group(gid),
            None => config,
        };
        match (self.slot_bytes, self.size_mb) {
            (Some(bytes), _) => config.with_slot_bytes(bytes),
            (None, Some(mebibytes)) => config.with_size_mb(mebibytes),
            (None, None) => config.with_slot_bytes(slot::slot_bytes(slot::frame_bytes(first))),
        }
    }
}

fn octal(text: &str) -> Result<u32, String> {
    match u32::from_str_radix(text, 8) {
        Ok(mode) if mode <= 0o777 => Ok(mode),
        _ => Err("expected octal permission bits such as 660".to_owned()),
    }
}
