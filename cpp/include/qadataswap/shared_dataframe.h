/// \file
/// Arrow tables through a ring in shared memory: one process writes, any number of others read, without copying.
///
/// \code
/// #include <qadataswap/shared_dataframe.h>
///
/// // One process:
/// ARROW_ASSIGN_OR_RAISE(auto writer, qadataswap::SharedDataFrame::CreateWriter("mydata", 100 << 20));
/// ARROW_RETURN_NOT_OK(writer.Write(table));
///
/// // Another one:
/// ARROW_ASSIGN_OR_RAISE(auto reader, qadataswap::SharedDataFrame::CreateReader("mydata"));
/// ARROW_ASSIGN_OR_RAISE(std::shared_ptr<arrow::Table> table, reader.Read());
/// \endcode
///
/// Errors are `arrow::Status` whose detail carries the kind, see ErrorKindOf(). Everything that names Arrow is inline,
/// so that the library works with whatever Arrow C++ the program has.
#ifndef QADATASWAP_SHARED_DATAFRAME_H
#define QADATASWAP_SHARED_DATAFRAME_H

#include <arrow/record_batch.h>
#include <arrow/result.h>
#include <arrow/status.h>
#include <arrow/table.h>
#include <arrow/type.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "qadataswap/arrow_export.h"
#include "qadataswap/arrow_import.h"
#include "qadataswap/memory_pool.h"
#include "qadataswap/read_iterator.h"
#include "qadataswap/ring.h"
#include "qadataswap/status.h"

namespace qadataswap {
inline namespace QADATASWAP_ABI {

/// A named table stream in shared memory: its writing or its reading end.
///
/// A value that can be moved, and is used by one thread at a time. A call that its end does not have is WrongRole.
/// Tables read may be used by any thread; they keep their bytes in place for as long as they live, also after their
/// reader, their writer, and the ring's name are gone. A slot that is held so is not available to the writer.
class SharedDataFrame {
 public:
  /// \name Making
  /// @{

  /// Creates a ring, or takes over one whose writer is gone.
  ///
  /// Errors: InvalidName, InvalidConfig, WriterExists, NoSpace, PermissionDenied; Incompatible or Corrupt for what
  /// stands under that name.
  static arrow::Result<SharedDataFrame> CreateWriter(const std::string& name, const WriterOptions& options) {
    ARROW_ASSIGN_OR_RAISE(Writer writer, ToResult(Writer::Open(name, options)));
    return SharedDataFrame(WritingEnd{std::move(writer), {}, {}, nullptr});
  }

  /// Creates a ring of `bytes` bytes in all its buffers together, with the other options as they are.
  ///
  /// Errors: as above.
  static arrow::Result<SharedDataFrame> CreateWriter(const std::string& name, std::optional<uint64_t> bytes = std::nullopt,
                                                     WriterOptions options = {}) {
    if (bytes) options.size_bytes = bytes;
    return CreateWriter(name, static_cast<const WriterOptions&>(options));
  }

  /// Attaches to a ring.
  ///
  /// Errors: NotFound, PermissionDenied, TooManyReaders, InvalidConfig for a lossless reader of an overwriting writer,
  /// Incompatible or Corrupt for a file that is not a region of this version.
  static arrow::Result<SharedDataFrame> CreateReader(const std::string& name, const ReaderOptions& options = {}) {
    ARROW_ASSIGN_OR_RAISE(Reader reader, ToResult(Reader::Open(name, options)));
    return SharedDataFrame(ReadingEnd{std::move(reader), {}});
  }

  /// Takes over the ring without a name behind a descriptor, whose writer is gone; see Writer::FromFd().
  static arrow::Result<SharedDataFrame> CreateWriterFromFd(const std::string& name, int fd,
                                                           const WriterOptions& options = {}) {
    ARROW_ASSIGN_OR_RAISE(Writer writer, ToResult(Writer::FromFd(name, fd, options)));
    return SharedDataFrame(std::move(writer));
  }

  /// Attaches to the ring without a name behind a descriptor; see Reader::FromFd().
  static arrow::Result<SharedDataFrame> CreateReaderFromFd(const std::string& name, int fd,
                                                           const ReaderOptions& options = {}) {
    ARROW_ASSIGN_OR_RAISE(Reader reader, ToResult(Reader::FromFd(name, fd, options)));
    return SharedDataFrame(std::move(reader));
  }

  /// A writer that was opened without Arrow.
  explicit SharedDataFrame(Writer writer) : SharedDataFrame(WritingEnd{std::move(writer), {}, {}, nullptr}) {}
  /// A reader that was opened without Arrow.
  explicit SharedDataFrame(Reader reader) : SharedDataFrame(ReadingEnd{std::move(reader), {}}) {}

  /// @}
  /// \name Writing
  /// @{

  /// Writes a table, in its chunks, as one frame, and returns its sequence number. Buffers are copied once, straight
  /// into the slot; those that lie in the slot already (see memory_pool()) are not.
  ///
  /// Errors: FrameTooLarge, NoSpace, LoanOut if every slot is lent, Closed, Forked; when the ring is full,
  /// WriteTimeout or RingFull by the writer's WhenFull. Nothing is published then.
  arrow::Result<uint64_t> Write(const arrow::Table& table) { return WriteAny(table, table.schema()); }
  /// Writes a table of one chunk.
  ///
  /// Errors: as above.
  arrow::Result<uint64_t> Write(const arrow::RecordBatch& batch) { return WriteAny(batch, batch.schema()); }
  /// Writes a table.
  ///
  /// Errors: as above; Invalid for null.
  arrow::Result<uint64_t> Write(const std::shared_ptr<arrow::Table>& table) {
    if (table == nullptr) return NoTable();
    return Write(*table);
  }
  /// Writes a table of one chunk.
  ///
  /// Errors: as above; Invalid for null.
  arrow::Result<uint64_t> Write(const std::shared_ptr<arrow::RecordBatch>& batch) {
    if (batch == nullptr) return NoTable();
    return Write(*batch);
  }

  /// Writes a table if there is room for it; nothing if the ring is full. Never waits.
  ///
  /// Errors: as of Write(), but a full ring is none.
  arrow::Result<std::optional<uint64_t>> TryWrite(const arrow::Table& table) {
    return TryWriteAny(table, table.schema());
  }
  /// Writes a table of one chunk if there is room for it.
  ///
  /// Errors: as above.
  arrow::Result<std::optional<uint64_t>> TryWrite(const arrow::RecordBatch& batch) {
    return TryWriteAny(batch, batch.schema());
  }
  /// Writes a table if there is room for it.
  ///
  /// Errors: as above; Invalid for null.
  arrow::Result<std::optional<uint64_t>> TryWrite(const std::shared_ptr<arrow::Table>& table) {
    if (table == nullptr) return NoTable();
    return TryWrite(*table);
  }
  /// Writes a table of one chunk if there is room for it.
  ///
  /// Errors: as above; Invalid for null.
  arrow::Result<std::optional<uint64_t>> TryWrite(const std::shared_ptr<arrow::RecordBatch>& batch) {
    if (batch == nullptr) return NoTable();
    return TryWrite(*batch);
  }

  /// Lends a frame of `rows` rows, to be filled in place. Strings and binaries must be of the view types; their values
  /// of up to 12 bytes need nothing else, longer ones take theirs of `var_bytes` bytes in each such column.
  ///
  /// Errors: as of Write(); Unsupported for a type that cannot be lent.
  arrow::Result<qadataswap::Loan> Loan(const std::shared_ptr<arrow::Schema>& schema, size_t rows,
                                       size_t var_bytes = 0) {
    ARROW_ASSIGN_OR_RAISE(WritingEnd * end, writing());
    ARROW_ASSIGN_OR_RAISE(const Schema* exported, end->schemas.Get(schema));
    return ToResult(end->writer.Loan(*exported, rows, var_bytes));
  }

  /// A pool whose allocations lie in the slot of the next frame: what is built on it is written without copying. Null
  /// for a reader, a closed writer, and one in a forked process.
  ///
  /// The same pool for as long as this writer lives. It holds a slot from this call on, and a new one after each
  /// write, as soon as there is a free one: make the ring one buffer larger. Without a slot, and when the slot is full,
  /// its allocations come from `arrow::default_memory_pool()`.
  arrow::MemoryPool* memory_pool() {
    auto* end = std::get_if<WritingEnd>(&end_);
    if (end == nullptr || !RenewPool(end)) return nullptr;
    return end->pool.get();
  }

  /// Number of readers that are attached to this writer, those that have died and not yet been noticed among them; 0 for
  /// a reader.
  size_t num_readers() const {
    const auto* end = std::get_if<WritingEnd>(&end_);
    return end == nullptr ? 0 : end->writer.num_readers();
  }

  /// @}
  /// \name Reading
  /// @{

  /// Reads the next table, waiting for at most `timeout` (for as long as it takes, unless given); null if there is
  /// none yet. The columns point into shared memory; a table has the chunks that it was written in.
  ///
  /// Errors: when every table has been read, EndOfStream (IndexError) after the writer closed, WriterDied (IOError)
  /// after it died (one may go on reading: a writer that takes over goes on where the dead one stopped), Replaced. At
  /// any time: Corrupt, Unsupported for a frame that cannot be decoded (the next read goes on after it), Forked,
  /// Closed, Evicted.
  arrow::Result<std::shared_ptr<arrow::Table>> Read(std::chrono::nanoseconds timeout = kForever) {
    ARROW_ASSIGN_OR_RAISE(ReadingEnd * end, reading());
    ARROW_ASSIGN_OR_RAISE(std::optional<Frame> frame, ToResult(end->reader.ReadFrame(timeout)));
    if (!frame) return nullptr;
    return end->importer.ImportTable(*frame);
  }

  /// As Read().
  arrow::Result<std::shared_ptr<arrow::Table>> ReadTable(std::chrono::nanoseconds timeout = kForever) {
    return Read(timeout);
  }

  /// Reads the next table if it is there; null if not. Never waits.
  ///
  /// Errors: as of Read(), except that the writer's death is not looked for.
  arrow::Result<std::shared_ptr<arrow::Table>> TryRead() { return Read(std::chrono::nanoseconds(0)); }

  /// Reads the next table as one batch, which costs less than a table: null if there is none yet. A table that was
  /// written in several chunks is put together, which copies it.
  ///
  /// Errors: as of Read().
  arrow::Result<std::shared_ptr<arrow::RecordBatch>> ReadBatch(std::chrono::nanoseconds timeout = kForever) {
    ARROW_ASSIGN_OR_RAISE(ReadingEnd * end, reading());
    ARROW_ASSIGN_OR_RAISE(std::optional<Frame> frame, ToResult(end->reader.ReadFrame(timeout)));
    if (!frame) return nullptr;
    if (frame->num_batches() == 1) return end->importer.ImportBatch(*frame, 0);
    ARROW_ASSIGN_OR_RAISE(auto table, end->importer.ImportTable(*frame));
    return table->CombineChunksToBatch();
  }

  /// Reads the next frame, for its typed columns and its number; nothing if there is none yet.
  ///
  /// Errors: as of Read().
  arrow::Result<std::optional<Frame>> ReadFrame(std::chrono::nanoseconds timeout = kForever) {
    ARROW_ASSIGN_OR_RAISE(ReadingEnd * end, reading());
    return ToResult(end->reader.ReadFrame(timeout));
  }

  /// Reads tables until `predicate(const arrow::Table&)` is true of one, for at most `timeout`, and returns that one; null
  /// if there was none. The tables before it have been read, and are let go of. What is there when the time is over is looked
  /// at still, what comes later is not.
  ///
  /// Errors: as of Read().
  template <typename Predicate>
  arrow::Result<std::shared_ptr<arrow::Table>> WaitForCondition(Predicate&& predicate,
                                                                std::chrono::nanoseconds timeout = kForever) {
    internal::Remaining remaining(timeout);
    // How many may still be looked at when the time is over, lest a writer that never pauses keeps this going.
    std::optional<uint64_t> rest;
    while (true) {
      const std::chrono::nanoseconds left = remaining.Left();
      if (left == std::chrono::nanoseconds(0)) {
        if (!rest) rest = std::max<uint64_t>(GetStats().lag, 1);
        if ((*rest)-- == 0) return nullptr;
      }
      ARROW_ASSIGN_OR_RAISE(std::shared_ptr<arrow::Table> table, Read(left));
      if (table == nullptr || predicate(static_cast<const arrow::Table&>(*table))) return table;
    }
  }

  /// A frame as a table, without copying.
  ///
  /// Errors: WrongRole on a writer.
  arrow::Result<std::shared_ptr<arrow::Table>> ToTable(const Frame& frame) {
    ARROW_ASSIGN_OR_RAISE(ReadingEnd * end, reading());
    return end->importer.ImportTable(frame);
  }

  /// Tables as they come, waiting for each, until the stream ends or an error has been yielded:
  /// \code
  /// for (const arrow::Result<std::shared_ptr<arrow::Table>>& table : reader) {
  ///   ARROW_RETURN_NOT_OK(table.status());
  ///   Use(**table);
  /// }
  /// \endcode
  ReadIterator<SharedDataFrame, arrow::Table> begin() { return ReadIterator<SharedDataFrame, arrow::Table>(this); }
  /// The end of the stream.
  ReadIterator<SharedDataFrame, arrow::Table> end() { return {}; }

  /// Whether the ring has a living writer. Costs a system call: for those who only ever try.
  ///
  /// Errors: Forked, Closed; WrongRole on a writer.
  arrow::Result<bool> HasWriter() {
    ARROW_ASSIGN_OR_RAISE(ReadingEnd * end, reading());
    return ToResult(end->reader.HasWriter());
  }

  /// @}

  /// Of a writer: breaks a stream off; see Writer::Abort(). WrongRole on a reader.
  arrow::Status Abort(const std::string& reason) {
    ARROW_ASSIGN_OR_RAISE(WritingEnd * end, writing());
    return ToStatus(end->writer.Abort(reason));
  }

  /// How far the stream has come that is written or read.
  arrow::Result<Progress> GetProgress() const {
    if (const auto* end = std::get_if<WritingEnd>(&end_)) return ToResult(end->writer.GetProgress());
    return ToResult(std::get_if<ReadingEnd>(&end_)->reader.GetProgress());
  }

  /// What this handle has done so far.
  Stats GetStats() const {
    if (const auto* end = std::get_if<WritingEnd>(&end_)) return end->writer.GetStats();
    return std::get_if<ReadingEnd>(&end_)->reader.GetStats();
  }

  /// The ring's name.
  const std::string& name() const {
    if (const auto* end = std::get_if<WritingEnd>(&end_)) return end->writer.name();
    return std::get_if<ReadingEnd>(&end_)->reader.name();
  }

  /// A writer ends the stream: readers read what is there and then see its end. A reader takes no more frames and no
  /// longer holds up the writer; tables already read stay valid. Closing twice is no error.
  ///
  /// Errors: LoanOut while a loan is out.
  arrow::Status Close() {
    if (auto* end = std::get_if<WritingEnd>(&end_)) return ToStatus(end->writer.Close());
    return ToStatus(std::get_if<ReadingEnd>(&end_)->reader.Close());
  }

  /// The writing end without Arrow; null for a reader.
  qadataswap::Writer* writer() {
    auto* end = std::get_if<WritingEnd>(&end_);
    return end == nullptr ? nullptr : &end->writer;
  }
  /// The reading end without Arrow; null for a writer.
  qadataswap::Reader* reader() {
    auto* end = std::get_if<ReadingEnd>(&end_);
    return end == nullptr ? nullptr : &end->reader;
  }

 private:
  friend class ReadIterator<SharedDataFrame, arrow::Table>;

  struct WritingEnd {
    qadataswap::Writer writer;
    SchemaExporter schemas;
    BatchExporter exporter;
    /// Null until it is first asked for, so that those who do not use it lose no slot to it.
    SlotMemoryPool::Owner pool;
  };
  struct ReadingEnd {
    qadataswap::Reader reader;
    BatchImporter importer;
  };

  explicit SharedDataFrame(WritingEnd end) : end_(std::move(end)) {}
  explicit SharedDataFrame(ReadingEnd end) : end_(std::move(end)) {}

  static arrow::Status NoTable() { return arrow::Status::Invalid("there is no table to write: it is null"); }

  arrow::Result<WritingEnd*> writing() {
    if (auto* end = std::get_if<WritingEnd>(&end_)) return end;
    return WrongRole("reader", "writer", "CreateWriter");
  }
  arrow::Result<ReadingEnd*> reading() {
    if (auto* end = std::get_if<ReadingEnd>(&end_)) return end;
    return WrongRole("writer", "reader", "CreateReader");
  }
  arrow::Status WrongRole(const char* is, const char* needs, const char* remedy) const {
    return ToStatus(internal::RingError(ErrorKind::kWrongRole, name(),
                                        std::string("this handle is a ") + is + ", the call needs a " + needs +
                                            "; make one with " + remedy));
  }

  /// For the range of tables.
  arrow::Result<std::shared_ptr<arrow::Table>> Next() { return Read(); }

  template <typename Tabular>
  arrow::Result<uint64_t> WriteAny(const Tabular& table, const std::shared_ptr<arrow::Schema>& schema) {
    ARROW_ASSIGN_OR_RAISE(WritingEnd * end, writing());
    ARROW_ASSIGN_OR_RAISE(const qads_schema* handle, Prepare(end, table, schema));
    Expected<uint64_t> sequence =
        end->writer.Write(handle, end->exporter.batches(), end->exporter.num_batches());
    // Nothing of the table is kept: its slot, if it has one, is its owner's to give back.
    end->exporter.Clear();
    if (sequence && end->pool != nullptr) RenewPool(end);
    return ToResult(std::move(sequence));
  }

  template <typename Tabular>
  arrow::Result<std::optional<uint64_t>> TryWriteAny(const Tabular& table,
                                                     const std::shared_ptr<arrow::Schema>& schema) {
    ARROW_ASSIGN_OR_RAISE(WritingEnd * end, writing());
    ARROW_ASSIGN_OR_RAISE(const qads_schema* handle, Prepare(end, table, schema));
    Expected<std::optional<uint64_t>> sequence =
        end->writer.TryWrite(handle, end->exporter.batches(), end->exporter.num_batches());
    end->exporter.Clear();
    if (sequence && end->pool != nullptr) RenewPool(end);
    return ToResult(std::move(sequence));
  }

  /// The schema's handle, and the batches in the exporter.
  template <typename Tabular>
  static arrow::Result<const qads_schema*> Prepare(WritingEnd* end, const Tabular& table,
                                                   const std::shared_ptr<arrow::Schema>& schema) {
    ARROW_ASSIGN_OR_RAISE(const Schema* exported, end->schemas.Get(schema));
    end->exporter.Clear();
    const arrow::Status added = end->exporter.Add(table);
    if (!added.ok()) end->exporter.Clear();
    ARROW_RETURN_NOT_OK(added);
    return ToResult(exported->handle());
  }

  /// Makes the pool, or gives it the slot of the next frame; false if there is none to be had from this writer.
  static bool RenewPool(WritingEnd* end) {
    qads_pool* pool = nullptr;
    if (end->writer.handle() == nullptr || qads_writer_pool(end->writer.handle(), &pool) != QADS_OK) return false;
    if (end->pool != nullptr && end->pool->handle() == pool) {
      qads_pool_release(pool);
    } else {
      end->pool = SlotMemoryPool::Make(pool);
    }
    return true;
  }

  std::variant<WritingEnd, ReadingEnd> end_;
};

}  // namespace QADATASWAP_ABI
}  // namespace qadataswap

#endif  // QADATASWAP_SHARED_DATAFRAME_H
