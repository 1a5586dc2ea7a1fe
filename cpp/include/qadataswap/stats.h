/// \file
/// Numbers that a handle keeps of its own doings.
#ifndef QADATASWAP_STATS_H
#define QADATASWAP_STATS_H

#include <cstdint>
#include <optional>

#include "qadataswap.h"

namespace qadataswap {
inline namespace QADATASWAP_ABI {

/// What a handle has done so far.
struct Stats {
  uint64_t writes_count = 0;      ///< Frames written through this handle.
  uint64_t bytes_written = 0;     ///< Bytes of those frames.
  uint64_t rows_written = 0;      ///< Rows of those frames.
  uint64_t bytes_in_place = 0;    ///< Bytes of buffers that were published where they had been built.
  uint64_t reads_count = 0;       ///< Frames read through this handle.
  uint64_t bytes_read = 0;        ///< Bytes of those frames.
  uint64_t rows_read = 0;         ///< Rows of those frames.
  uint64_t bytes_copied = 0;      ///< Bytes that reading has copied: 0, unless frames were compressed, misaligned,
                                  ///< or validated on a copy.
  uint64_t frames_missed = 0;     ///< Frames that a lossy or latest reader or an observer missed.
  uint64_t wait_timeouts = 0;     ///< Reads and writes that ended without result because their time was up.
  uint64_t full_waits = 0;        ///< Times a write found the ring full and waited.
  uint64_t readers_evicted = 0;   ///< Readers that died and were removed by this writer.
  uint64_t frames_published = 0;  ///< Frames published over the ring's life, by every writer.
  uint64_t lag = 0;               ///< Frames published and not yet read by this reader; 0 for a writer.

  /// From the C interface.
  static Stats FromC(const qads_stats& c) {
    Stats stats;
    stats.writes_count = c.writes_count;
    stats.bytes_written = c.bytes_written;
    stats.rows_written = c.rows_written;
    stats.bytes_in_place = c.bytes_in_place;
    stats.reads_count = c.reads_count;
    stats.bytes_read = c.bytes_read;
    stats.rows_read = c.rows_read;
    stats.bytes_copied = c.bytes_copied;
    stats.frames_missed = c.frames_missed;
    stats.wait_timeouts = c.wait_timeouts;
    stats.full_waits = c.full_waits;
    stats.readers_evicted = c.readers_evicted;
    stats.frames_published = c.frames_published;
    stats.lag = c.lag;
    return stats;
  }
};

/// How far a stream has come.
struct Progress {
  uint64_t rows = 0;                   ///< Rows written or read through this handle.
  uint64_t rows_written = 0;           ///< Rows that the writer has published so far.
  std::optional<uint64_t> total_rows;  ///< Rows that the stream will have, if its writer knows.
  bool is_over = false;                ///< Whether nothing more will be written.

  /// From the C interface.
  static Progress FromC(const qads_progress& c) {
    Progress progress;
    progress.rows = c.rows;
    progress.rows_written = c.rows_written;
    if (c.total_rows != QADS_UNKNOWN_ROWS) progress.total_rows = c.total_rows;
    progress.is_over = c.is_over != 0;
    return progress;
  }
};

}  // namespace QADATASWAP_ABI
}  // namespace qadataswap

#endif  // QADATASWAP_STATS_H
