/// \file
/// Streams: a data set larger than the ring, as a sequence of frames with an end.
///
/// \code
/// // One process:
/// ARROW_ASSIGN_OR_RAISE(auto writer, qadataswap::SharedDataStream::CreateWriter("bigdata"));
/// ARROW_RETURN_NOT_OK(writer.WriteChunk(table));
/// ARROW_RETURN_NOT_OK(writer.Close());
///
/// // Another one:
/// ARROW_ASSIGN_OR_RAISE(auto reader, qadataswap::SharedDataStream::CreateReader("bigdata"));
/// for (const auto& chunk : reader) {
///   ARROW_RETURN_NOT_OK(chunk.status());   // the last one, unless the stream ended as it should
///   Process(**chunk);
/// }
/// \endcode
///
/// Whoever has seen the end of a stream has seen all of it: only Close() ends it, while a writer that is destroyed before,
/// by an early return for one, breaks it off, and readers get Aborted. The writer waits for its readers, the first of which
/// may come late.
#ifndef QADATASWAP_SHARED_DATA_STREAM_H
#define QADATASWAP_SHARED_DATA_STREAM_H

#include <arrow/record_batch.h>
#include <arrow/result.h>
#include <arrow/status.h>
#include <arrow/table.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "qadataswap/read_iterator.h"
#include "qadataswap/shared_dataframe.h"

namespace qadataswap {
inline namespace QADATASWAP_ABI {

/// The writing or the reading end of a stream. A value that can be moved, and is used by one thread at a time.
class SharedDataStream {
 public:
  /// As SharedDataFrame::CreateWriter, but that a write waits for its readers for as long as it takes, unless a timeout is
  /// given or configured. `options.total_rows` announces how many rows there will be.
  static arrow::Result<SharedDataStream> CreateWriter(const std::string& name, WriterOptions options) {
    options.is_stream = true;
    ARROW_ASSIGN_OR_RAISE(Writer writer, ToResult(Writer::Open(name, options)));
    return SharedDataStream(SharedDataFrame(std::move(writer)));
  }
  /// The same with so many bytes in all buffers together.
  static arrow::Result<SharedDataStream> CreateWriter(const std::string& name,
                                                      std::optional<uint64_t> bytes = std::nullopt,
                                                      WriterOptions options = {}) {
    if (bytes) options.size_bytes = bytes;
    return CreateWriter(name, WriterOptions(std::move(options)));
  }
  /// Attaches to a stream, at its beginning.
  ///
  /// Errors: as of SharedDataFrame::CreateReader(); InvalidConfig if the beginning has been read and is gone.
  static arrow::Result<SharedDataStream> CreateReader(const std::string& name, const ReaderOptions& options = {}) {
    ARROW_ASSIGN_OR_RAISE(Reader reader, ToResult(Reader::Open(name, options)));
    ARROW_RETURN_NOT_OK(ToStatus(reader.ExpectStream()));
    return SharedDataStream(SharedDataFrame(std::move(reader)));
  }

  /// Writes a chunk. One that is larger than a slot is split by its rows, in their order, into as few frames as halving
  /// finds; how many rows fit is remembered.
  ///
  /// Errors: as of SharedDataFrame::Write(); FrameTooLarge if a single row does not fit. The rows before are published
  /// then.
  arrow::Status WriteChunk(const arrow::RecordBatch& chunk) { return Split(chunk); }
  /// Writes a chunk.
  arrow::Status WriteChunk(const arrow::Table& chunk) { return Split(chunk); }
  /// Writes a chunk; Invalid for null.
  arrow::Status WriteChunk(const std::shared_ptr<arrow::RecordBatch>& chunk) {
    if (chunk == nullptr) return arrow::Status::Invalid("there is no chunk to write: it is null");
    return Split(*chunk);
  }
  /// Writes a chunk; Invalid for null.
  arrow::Status WriteChunk(const std::shared_ptr<arrow::Table>& chunk) {
    if (chunk == nullptr) return arrow::Status::Invalid("there is no chunk to write: it is null");
    return Split(*chunk);
  }

  /// Writes chunks as a reader of Arrow's produces them, of unknown length.
  ///
  /// Errors: the first of a chunk or of writing it; the stream goes on then.
  arrow::Status WriteAll(arrow::RecordBatchReader& chunks) {
    std::shared_ptr<arrow::RecordBatch> chunk;
    while (true) {
      ARROW_RETURN_NOT_OK(chunks.ReadNext(&chunk));
      if (chunk == nullptr) return arrow::Status::OK();
      ARROW_RETURN_NOT_OK(WriteChunk(*chunk));
    }
  }

  /// Reads the next chunk, waiting for at most `timeout` (for as long as it takes, unless given); null if there is none
  /// yet. A table that was written in several chunks comes as these.
  ///
  /// Errors: as of SharedDataFrame::Read(); EndOfStream when all has been read, Aborted if it was broken off.
  arrow::Result<std::shared_ptr<arrow::RecordBatch>> ReadChunk(std::chrono::nanoseconds timeout = kForever) {
    // A frame of no batches is a table of no rows: no chunk.
    while (!frame_ || next_batch_ == frame_->num_batches()) {
      frame_.reset();
      ARROW_ASSIGN_OR_RAISE(frame_, frames_.ReadFrame(timeout));
      if (!frame_) return nullptr;
      next_batch_ = 0;
    }
    auto chunk = importer_.ImportBatch(*frame_, next_batch_);
    // The last chunk alone holds the slot, so that whoever drops it gives the slot back.
    if (++next_batch_ == frame_->num_batches()) frame_.reset();
    // One that Arrow does not take is passed over: the next read goes on after it.
    return chunk;
  }

  /// Chunks as they come, waiting for each, until the stream ends or an error has been yielded.
  ReadIterator<SharedDataStream, arrow::RecordBatch> begin() {
    return ReadIterator<SharedDataStream, arrow::RecordBatch>(this);
  }
  /// The end of the stream.
  ReadIterator<SharedDataStream, arrow::RecordBatch> end() { return {}; }

  /// Ends the stream, or stops reading it; see SharedDataFrame::Close().
  arrow::Status Close() {
    frame_.reset();
    return frames_.Close();
  }

  /// Breaks the stream off: readers read what is there and then get Aborted with `reason`, of which at most 160 bytes are
  /// kept. What has been closed stays as it is.
  arrow::Status Abort(const std::string& reason) { return frames_.Abort(reason); }

  /// How far the stream has come; for the writer and every reader, in any process.
  arrow::Result<Progress> GetProgress() const { return frames_.GetProgress(); }
  /// What this handle has done so far.
  Stats GetStats() const { return frames_.GetStats(); }
  /// The ring's name.
  const std::string& name() const { return frames_.name(); }

 private:
  friend class ReadIterator<SharedDataStream, arrow::RecordBatch>;

  explicit SharedDataStream(SharedDataFrame frames) : frames_(std::move(frames)) {}

  /// For the range of chunks.
  arrow::Result<std::shared_ptr<arrow::RecordBatch>> Next() { return ReadChunk(); }

  /// Writes a table or a batch, in as many parts as it takes.
  template <typename Tabular>
  arrow::Status Split(const Tabular& chunk) {
    const int64_t rows = chunk.num_rows();
    int64_t done = 0;
    // One chunk of long values is not to make all that follow it short.
    if (most_rows_ <= std::numeric_limits<int64_t>::max() / 2) most_rows_ *= 2;
    do {
      const int64_t part = std::min(rows - done, most_rows_);
      const arrow::Status status =
          (part == rows ? frames_.Write(chunk) : frames_.Write(chunk.Slice(done, part))).status();
      if (ErrorKindOf(status) == ErrorKind::kFrameTooLarge && part > 1) {
        most_rows_ = part / 2;
        continue;
      }
      ARROW_RETURN_NOT_OK(status);
      done += part;
    } while (done < rows);
    return arrow::Status::OK();
  }

  SharedDataFrame frames_;
  BatchImporter importer_;
  /// The frame whose chunks are being read.
  std::optional<Frame> frame_;
  size_t next_batch_ = 0;
  /// Rows that a frame is not to exceed, since more have been too many; grows again from chunk to chunk.
  int64_t most_rows_ = std::numeric_limits<int64_t>::max();
};

}  // namespace QADATASWAP_ABI
}  // namespace qadataswap

#endif  // QADATASWAP_SHARED_DATA_STREAM_H
