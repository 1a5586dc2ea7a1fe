//! Arrow IPC's body compression: each buffer by itself, behind its plain length as an `i64`, or behind -1
//! and as it is when compression does not help.
//!
//! Writing compresses straight into the slot. Reading trusts no length: memory grows with what really comes
//! out of the decompressor, so a frame cannot ask for more than it delivers.

use arrow_buffer::Buffer;
use arrow_ipc::CompressionType;

use super::{Compression, FrameError, copy};

const LENGTH: usize = size_of::<i64>();
const STORED: i64 = -1;

/// A writer's compressor, with what it keeps between buffers.
pub(super) enum Codec {
    #[cfg(feature = "lz4")]
    Lz4,
    #[cfg(feature = "zstd")]
    Zstd(zstd::bulk::Compressor<'static>),
}

impl Codec {
    /// The codec for `compression`, or `None` if it asks for none.
    pub(super) fn new(compression: Compression) -> Result<Option<Self>, FrameError> {
        match compression {
            Compression::None => Ok(None),
            #[cfg(feature = "lz4")]
            Compression::Lz4 => Ok(Some(Self::Lz4)),
            #[cfg(not(feature = "lz4"))]
            Compression::Lz4 => Err(absent("lz4")),
            #[cfg(feature = "zstd")]
            Compression::Zstd { level } => match zstd::bulk::Compressor::new(level) {
                Ok(compressor) => Ok(Some(Self::Zstd(compressor))),
                Err(error) => Err(FrameError::Invalid(format!("zstd level {level}: {error}"))),
            },
            #[cfg(not(feature = "zstd"))]
            Compression::Zstd { .. } => Err(absent("zstd")),
        }
    }

    /// Writes `source` to the start of `place` and says how many bytes that took; `None` if it did not fit.
    pub(super) fn compress(&mut self, source: &[u8], place: &mut [u8]) -> Option<usize> {
        let (length, rest) = place.split_at_mut_checked(LENGTH)?;
        // Compression helps if it takes less than the bytes themselves.
        let room = rest.len().min(source.len() - 1);
        if let Some(taken) = self.shrink(source, &mut rest[..room]) {
            length.copy_from_slice(&(source.len() as i64).to_le_bytes());
            return Some(LENGTH + taken);
        }
        length.copy_from_slice(&STORED.to_le_bytes());
        copy::bytes(rest.get_mut(..source.len())?, source);
        Some(LENGTH + source.len())
    }

    fn shrink(&mut self, source: &[u8], place: &mut [u8]) -> Option<usize> {
        match self {
            #[cfg(feature = "lz4")]
            Self::Lz4 => {
                use std::io::Write;
                let room = place.len();
                let mut encoder = lz4_flex::frame::FrameEncoder::new(&mut place[..]);
                encoder.write_all(source).ok()?;
                encoder.finish().ok().map(|left| room - left.len())
            }
            #[cfg(feature = "zstd")]
            Self::Zstd(compressor) => compressor.compress_to_buffer(source, place).ok(),
            #[cfg(not(any(feature = "lz4", feature = "zstd")))]
            _ => {
                let _ = (source, place);
                None
            }
        }
    }
}

/// The type that stands in the metadata of a compressed frame.
pub(super) fn ipc_type(compression: Compression) -> Option<CompressionType> {
    match compression {
        Compression::None => None,
        Compression::Lz4 => Some(CompressionType::LZ4_FRAME),
        Compression::Zstd { .. } => Some(CompressionType::ZSTD),
    }
}

/// A buffer as it was before compression.
pub(super) enum Plain {
    /// It was stored as it is, behind its length.
    Stored { skip: usize },
    /// It was decompressed to memory of its own.
    Made(Buffer),
}

/// Undoes [`Codec::compress`].
pub(super) fn decompress(codec: CompressionType, source: &[u8]) -> Result<Plain, FrameError> {
    let Some((length, packed)) = source.split_first_chunk::<LENGTH>() else {
        return Err(FrameError::corrupt("compressed buffer shorter than its length field"));
    };
    let length = i64::from_le_bytes(*length);
    if length == STORED {
        return Ok(Plain::Stored { skip: LENGTH });
    }
    let Ok(length) = usize::try_from(length) else {
        return Err(FrameError::corrupt(format!("compressed buffer of plain length {length}")));
    };
    let made = match codec {
        CompressionType::LZ4_FRAME => unpack_lz4(packed, length)?,
        CompressionType::ZSTD => unpack_zstd(packed, length)?,
        other => return Err(FrameError::Unsupported(format!("body compression {}", other.0))),
    };
    Ok(Plain::Made(Buffer::from_vec(made)))
}

#[cfg(feature = "lz4")]
fn unpack_lz4(packed: &[u8], length: usize) -> Result<Vec<u8>, FrameError> {
    unpack(lz4_flex::frame::FrameDecoder::new(packed), packed.len(), length)
}

#[cfg(not(feature = "lz4"))]
fn unpack_lz4(_packed: &[u8], _length: usize) -> Result<Vec<u8>, FrameError> {
    Err(absent("lz4"))
}

#[cfg(feature = "zstd")]
fn unpack_zstd(packed: &[u8], length: usize) -> Result<Vec<u8>, FrameError> {
    let decoder = zstd::stream::read::Decoder::with_buffer(packed)
        .map_err(|error| FrameError::corrupt(format!("zstd: {error}")))?;
    unpack(decoder, packed.len(), length)
}

#[cfg(not(feature = "zstd"))]
fn unpack_zstd(_packed: &[u8], _length: usize) -> Result<Vec<u8>, FrameError> {
    Err(absent("zstd"))
}

#[cfg(any(feature = "lz4", feature = "zstd"))]
fn unpack(decoder: impl std::io::Read, packed: usize, length: usize) -> Result<Vec<u8>, FrameError> {
    use std::io::Read;
    // What an honest buffer expands to; only a better one makes the vector grow.
    const USUAL_RATIO: usize = 256;
    let mut plain = Vec::new();
    plain.try_reserve_exact(length.min(packed.saturating_mul(USUAL_RATIO))).map_err(|error| {
        FrameError::corrupt(format!("compressed buffer of plain length {length}: {error}"))
    })?;
    decoder
        .take((length as u64).saturating_add(1))
        .read_to_end(&mut plain)
        .map_err(|error| FrameError::corrupt(format!("compressed buffer: {error}")))?;
    if plain.len() != length {
        return Err(FrameError::corrupt(format!(
            "compressed buffer says it holds {length} bytes and holds {}",
            plain.len()
        )));
    }
    Ok(plain)
}

#[cfg(not(all(feature = "lz4", feature = "zstd")))]
fn absent(feature: &str) -> FrameError {
    FrameError::Unsupported(format!(
        "this build has no {feature}; build qadataswap with the cargo feature `{feature}`"
    ))
}
