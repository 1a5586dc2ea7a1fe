/// \file
/// Recordings: the frames of a ring in the files of a folder, read again, read on from into the ring, and written.
///
/// \code
/// auto recording = qadataswap::Recording::Open("/data/es");
/// if (!recording) return Complain(recording.error());
/// auto follow = recording->Follow("es", qadataswap::Since::Time(this_morning));
/// if (!follow) return Complain(follow.error());
/// while (true) {
///   auto frame = follow->ReadFrame(std::chrono::seconds(1));   // the recording, then the ring
///   if (!frame) return Complain(frame.error());                // EndOfStream, WriterDied, ...
///   if (frame->has_value()) Use(**frame);
/// }
/// \endcode
///
/// Frames are those of a Reader: with Arrow C++, `BatchImporter::ImportTable` (`qadataswap/arrow_import.h`) makes a table
/// of one. A handle is used by one thread at a time. A handle that was moved from answers Closed.
#ifndef QADATASWAP_RECORDING_H
#define QADATASWAP_RECORDING_H

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "qadataswap/error.h"
#include "qadataswap/frame.h"
#include "qadataswap/options.h"
#include "qadataswap/ring.h"

namespace qadataswap {
inline namespace QADATASWAP_ABI {

/// Where to start in a recording.
class Since {
 public:
  /// At the first frame.
  static Since Start() { return Since(QADS_SINCE_START, 0); }
  /// At this frame of the ring's newest life, or the first one after it.
  static Since Sequence(uint64_t sequence) { return Since(QADS_SINCE_SEQUENCE, sequence); }
  /// At the first frame published at this time or later.
  static Since Time(std::chrono::system_clock::time_point time) {
    const auto since = std::chrono::duration_cast<std::chrono::nanoseconds>(time.time_since_epoch()).count();
    return Since(QADS_SINCE_TIME, since < 0 ? 0 : static_cast<uint64_t>(since));
  }

  /// The same for the C interface.
  const qads_since& c_since() const { return since_; }

 private:
  Since(int32_t kind, uint64_t value) : since_{kind, value} {}

  qads_since since_;
};

/// A frame's number, and when it was published.
struct RecordedPlace {
  uint64_t sequence = 0;                       ///< Its number in the ring.
  std::chrono::system_clock::time_point time;  ///< When it was published.
};

namespace internal {

inline std::optional<RecordedPlace> PlaceOf(uint64_t sequence, uint64_t nanoseconds) {
  if (sequence == QADS_NO_PLACE) return std::nullopt;
  return RecordedPlace{sequence, WallTime(nanoseconds)};
}

}  // namespace internal

/// What a recording holds as a whole.
struct RecordingSummary {
  uint64_t files = 0;                  ///< Number of files.
  uint64_t data_bytes = 0;             ///< Bytes of their data.
  uint64_t frames = 0;                 ///< Whole frames in them.
  uint64_t rows = 0;                   ///< Their rows.
  uint64_t missed = 0;                 ///< Frames that are missing between them.
  uint64_t damaged = 0;                ///< Records that cannot be read, of frames that are lost for that.
  std::optional<RecordedPlace> first;  ///< The first frame, if there is one.
  std::optional<RecordedPlace> last;   ///< The last frame.
  bool is_live = false;                ///< Whether somebody records into it now.

  /// From the C interface.
  static RecordingSummary FromC(const qads_summary& c) {
    RecordingSummary summary;
    summary.files = c.files;
    summary.data_bytes = c.data_bytes;
    summary.frames = c.frames;
    summary.rows = c.rows;
    summary.missed = c.missed;
    summary.damaged = c.damaged;
    summary.first = internal::PlaceOf(c.first_sequence, c.first_ns);
    summary.last = internal::PlaceOf(c.last_sequence, c.last_ns);
    summary.is_live = c.is_live != 0;
    return summary;
  }
};

/// What a file of a recording holds.
struct RecordingFile {
  uint64_t number = 0;                 ///< Its number: 1 is `00000001.arrows`.
  uint64_t region_id[2] = {0, 0};      ///< Tells one life of the ring from the next.
  uint64_t data_bytes = 0;             ///< Bytes of its data.
  uint64_t frames = 0;                 ///< Whole frames in it.
  uint64_t rows = 0;                   ///< Their rows.
  uint64_t missed = 0;                 ///< Frames missing between them, and before the first since the one before it.
  uint64_t damaged = 0;                ///< Records that cannot be read.
  std::optional<RecordedPlace> first;  ///< The first frame, if there is one.
  std::optional<RecordedPlace> last;   ///< The last frame.

  /// From the C interface.
  static RecordingFile FromC(const qads_file_info& c) {
    RecordingFile file;
    file.number = c.number;
    file.region_id[0] = c.region_id[0];
    file.region_id[1] = c.region_id[1];
    file.data_bytes = c.data_bytes;
    file.frames = c.frames;
    file.rows = c.rows;
    file.missed = c.missed;
    file.damaged = c.damaged;
    file.first = internal::PlaceOf(c.first_sequence, c.first_ns);
    file.last = internal::PlaceOf(c.last_sequence, c.last_ns);
    return file;
  }
};

/// What mending has cut off.
struct Mended {
  uint64_t data_bytes = 0;   ///< Bytes of the data file behind its last whole frame.
  uint64_t index_bytes = 0;  ///< Bytes of the index behind that frame's record.
};

/// The frames of a recording, one after the other.
class RecordedFrames {
 public:
  /// The next frame; nothing after the last one recorded so far: asked again, it goes on with what has come since.
  ///
  /// Errors, which are passed by: Corrupt for a frame that cannot be read, which the next one counts as missed; Replaced
  /// between two lives of the ring, each of which counts its frames from 0; Io.
  Expected<std::optional<Frame>> Next() {
    if (frames_ == nullptr) return internal::HandleGone(frames_of_.ring());
    qads_frame* frame = nullptr;
    const int status = qads_recorded_frames_next(frames_.get(), &frame);
    return frames_of_.Made(status, frame);
  }

  /// What the C interface takes for it; null if it was moved from.
  qads_recorded_frames* handle() const { return frames_.get(); }

 private:
  friend class Recording;

  struct Free {
    void operator()(qads_recorded_frames* frames) const { qads_recorded_frames_free(frames); }
  };

  RecordedFrames(qads_recorded_frames* frames, const std::string& directory) : frames_(frames), frames_of_(directory) {}

  std::unique_ptr<qads_recorded_frames, Free> frames_;
  internal::FrameMaker frames_of_;
};

/// A reader that starts in a recording and passes into the ring, with no frame lost and none twice. Its destructor leaves
/// the ring; frames stay valid.
///
/// While it reads the recording it takes no part in the ring. It joins, losslessly, when it has come to the recording's
/// end; from then on it is a lossless reader like others, which the writer waits for.
class Follow {
 public:
  /// Reads the next frame, waiting for at most `timeout`; nothing if there is none yet.
  ///
  /// Errors: from the recording as of RecordedFrames::Next(), from the ring as of Reader::ReadFrame(), but that reading
  /// goes on behind Replaced with the ring's next life; NotFound if the recording has been read and there is no ring. Io
  /// with Error::missing_frames if frames are neither in the recording nor in the ring; reading goes on behind them.
  Expected<std::optional<Frame>> ReadFrame(std::chrono::nanoseconds timeout = kForever) {
    if (follow_ == nullptr) return internal::HandleGone(name());
    qads_frame* frame = nullptr;
    const int status = qads_follow_read_within(follow_.get(), internal::TimeoutNanoseconds(timeout), &frame);
    return frames_of_.Made(status, frame);
  }

  /// Reads the next frame if it is there. Never waits.
  ///
  /// Errors: as of ReadFrame().
  Expected<std::optional<Frame>> TryReadFrame() { return ReadFrame(std::chrono::nanoseconds(0)); }

  /// Whether frames come from the ring by now.
  bool is_live() const { return qads_follow_is_live(follow_.get()) != 0; }

  /// The ring's name.
  const std::string& name() const { return frames_of_.ring(); }
  /// What the C interface takes for it; null if it was moved from.
  qads_follow* handle() const { return follow_.get(); }

 private:
  friend class Recording;

  struct Free {
    void operator()(qads_follow* follow) const { qads_follow_free(follow); }
  };

  Follow(qads_follow* follow, const std::string& ring) : follow_(follow), frames_of_(ring) {}

  std::unique_ptr<qads_follow, Free> follow_;
  internal::FrameMaker frames_of_;
};

/// What was recorded of a ring. It may be recorded into meanwhile.
class Recording {
 public:
  /// Opens the recording in a folder. A frame's checksum is checked in any case.
  ///
  /// Errors: Io if there is no such folder.
  static Expected<Recording> Open(const std::string& directory, Validation validation = Validation::kForm) {
    qads_recording* recording = nullptr;
    if (qads_recording_open(directory.c_str(), static_cast<int32_t>(validation), &recording) != QADS_OK) {
      return Error::Last();
    }
    return Recording(recording, directory);
  }

  /// The frames from a place on, which is looked up in the indices.
  ///
  /// Errors: Corrupt or Incompatible for an index that had to be looked at; Io.
  Expected<RecordedFrames> Frames(const Since& since = Since::Start()) const {
    if (recording_ == nullptr) return internal::HandleGone(directory());
    qads_recorded_frames* frames = nullptr;
    if (qads_recording_frames(recording_.get(), &since.c_since(), &frames) != QADS_OK) return Error::Last();
    return RecordedFrames(frames, directory());
  }

  /// Reads on from a place in the recording, and in the ring when the recording has been read. Between the two, the
  /// recorder is waited for as long as `patience`.
  ///
  /// Errors: as of Frames(); InvalidConfig for a ring that is not to be read losslessly.
  Expected<qadataswap::Follow> Follow(const std::string& ring, const Since& since = Since::Start(),
                                      const ReaderOptions& options = {},
                                      std::chrono::nanoseconds patience = std::chrono::seconds(5)) const {
    if (recording_ == nullptr) return internal::HandleGone(directory());
    const qads_reader_options c = options.ToC();
    qads_follow* follow = nullptr;
    // For ever is the largest number of nanoseconds here.
    const int64_t patience_ns = patience.count() < 0 ? 0 : patience.count();
    if (qads_follow_open(recording_.get(), ring.c_str(), &c, &since.c_since(), patience_ns, &follow) != QADS_OK) {
      return Error::Last();
    }
    return qadataswap::Follow(follow, ring);
  }

  /// What it holds as a whole. Reads the indices, not the data.
  ///
  /// Errors: as of Frames().
  Expected<RecordingSummary> Summary() const {
    if (recording_ == nullptr) return internal::HandleGone(directory());
    qads_summary summary{};
    summary.struct_size = sizeof(summary);
    if (qads_recording_summary(recording_.get(), &summary) != QADS_OK) return Error::Last();
    return RecordingSummary::FromC(summary);
  }

  /// What its files hold, oldest first.
  ///
  /// Errors: as of Frames().
  Expected<std::vector<RecordingFile>> Files() const {
    if (recording_ == nullptr) return internal::HandleGone(directory());
    std::vector<qads_file_info> files(kSomeFiles);
    size_t count = 0;
    while (true) {
      if (qads_recording_files(recording_.get(), files.data(), sizeof(qads_file_info), files.size(), &count) != QADS_OK) {
        return Error::Last();
      }
      if (count <= files.size()) break;
      files.resize(count);
    }
    std::vector<RecordingFile> found;
    found.reserve(count);
    for (size_t each = 0; each < count; ++each) found.push_back(RecordingFile::FromC(files[each]));
    return found;
  }

  /// Whether somebody records into it now.
  ///
  /// Errors: Io.
  Expected<bool> IsLive() const {
    if (recording_ == nullptr) return internal::HandleGone(directory());
    int is_live = 0;
    if (qads_recording_is_live(recording_.get(), &is_live) != QADS_OK) return Error::Last();
    return is_live != 0;
  }

  /// Mends its end after a recorder was killed: what follows the last whole frame is cut off, so that every Arrow library
  /// reads the last file to its end. A recorder that goes on does this by itself.
  ///
  /// Errors: InvalidConfig while somebody records into it; Corrupt, Incompatible, Io.
  Expected<Mended> Repair() {
    if (recording_ == nullptr) return internal::HandleGone(directory());
    Mended mended;
    if (qads_recording_repair(recording_.get(), &mended.data_bytes, &mended.index_bytes) != QADS_OK) {
      return Error::Last();
    }
    return mended;
  }

  /// The folder.
  const std::string& directory() const { return *directory_; }
  /// What the C interface takes for it; null if it was moved from.
  qads_recording* handle() const { return recording_.get(); }

 private:
  /// Room for so many files at first.
  static constexpr size_t kSomeFiles = 64;

  struct Free {
    void operator()(qads_recording* recording) const { qads_recording_free(recording); }
  };

  Recording(qads_recording* recording, const std::string& directory) : recording_(recording), directory_(directory) {}

  std::unique_ptr<qads_recording, Free> recording_;
  internal::SharedName directory_;
};

/// How a ring is recorded.
struct RecorderOptions {
  /// A new file begins rather than that one grows beyond so many bytes. A larger frame has a file to itself.
  uint64_t rotate_bytes = uint64_t{1} << 30;
  /// A new file begins with the first frame published so long after the first one of a file. It does not by default.
  std::optional<std::chrono::nanoseconds> rotate_every;
  /// What was recorded is made to outlive the system (`fsync`) after so many frames; 0: when a file is finished;
  /// kNeverSync: when the system pleases. A killed process loses nothing in any case.
  int64_t sync_every = 0;
  /// Permission bits of new files.
  uint32_t mode = 0600;
  /// How the ring is read: as lossless, which is the default, it waits for the disk.
  ReaderOptions ring;

  /// For `sync_every`.
  static constexpr int64_t kNeverSync = -1;

  /// The same for the C interface, without `ring`.
  qads_recorder_options ToC() const {
    qads_recorder_options c;
    qads_recorder_options_init(&c);
    c.rotate_bytes = rotate_bytes;
    if (rotate_every) c.rotate_ns = internal::TimeoutNanoseconds(*rotate_every);
    c.sync_every = sync_every;
    c.mode = mode;
    return c;
  }
};

/// A frame that was just recorded.
struct Recorded {
  uint64_t sequence = 0;  ///< Its number in the ring.
  uint64_t rows = 0;      ///< Its rows.
  uint64_t bytes = 0;     ///< Bytes of its messages.
  uint64_t missed = 0;    ///< Frames that are not in the recording, between the frame recorded before and this one.
  uint64_t file = 0;      ///< The number of the file it is in.
};

/// What a recorder has done so far.
struct RecorderStats {
  uint64_t frames = 0;  ///< Frames recorded.
  uint64_t rows = 0;    ///< Their rows.
  uint64_t bytes = 0;   ///< Bytes of their messages.
  uint64_t missed = 0;  ///< Frames that are not in the recording, between the ones that are.
  uint64_t files = 0;   ///< Files begun.
};

/// Records a ring into the files of a folder. Its destructor closes it, but cannot tell of errors.
class Recorder {
 public:
  /// Opens the folder, makes it if it is not there, mends what a killed recorder has left, and attaches to the ring. It
  /// goes on behind the last frame that is recorded.
  ///
  /// Errors: as of Reader::Open(); InvalidConfig if another one records into the folder, or if it holds a recording of a
  /// ring of another name; Corrupt, Io, NoSpace.
  static Expected<Recorder> Open(const std::string& ring, const std::string& directory,
                                 const RecorderOptions& options = {}) {
    const qads_recorder_options c = options.ToC();
    const qads_reader_options reading = options.ring.ToC();
    qads_recorder* recorder = nullptr;
    if (qads_recorder_open(ring.c_str(), directory.c_str(), &c, &reading, &recorder) != QADS_OK) return Error::Last();
    return Recorder(recorder, ring);
  }

  /// Records the next frame, waiting for at most `timeout`; nothing if there is none yet.
  ///
  /// Errors: as of Reader::ReadFrame() for the ring's end; after WriterDied it may go on, after Replaced it needs
  /// AttachAgain(). NoSpace, Io: the frame at hand is recorded by the next call if that goes better. Corrupt for a frame
  /// that is no Arrow stream, which is left out.
  Expected<std::optional<Recorded>> Record(std::chrono::nanoseconds timeout = kForever) {
    if (recorder_ == nullptr) return internal::HandleGone(name());
    qads_recorded recorded{};
    recorded.struct_size = sizeof(recorded);
    switch (qads_recorder_record(recorder_.get(), internal::TimeoutNanoseconds(timeout), &recorded)) {
      case QADS_OK:
        return Recorded{recorded.sequence, recorded.rows, recorded.bytes, recorded.missed, recorded.file};
      case QADS_TIMEOUT:
        return std::nullopt;
      default:
        return Error::Last();
    }
  }

  /// Records until the ring's stream ends, or for `timeout` and then what is there; whether it has ended.
  ///
  /// Errors: as of Record(), but for the end of the stream.
  Expected<bool> Run(std::chrono::nanoseconds timeout = kForever) {
    if (recorder_ == nullptr) return internal::HandleGone(name());
    switch (qads_recorder_run(recorder_.get(), internal::TimeoutNanoseconds(timeout))) {
      case QADS_OK:
        return true;
      case QADS_TIMEOUT:
        return false;
      default:
        return Error::Last();
    }
  }

  /// Attaches to the ring that has taken the place of the one recorded so far, or to the same one again.
  ///
  /// Errors: as of Reader::Open(); NoSpace, Io.
  Expected<void> AttachAgain() {
    if (recorder_ == nullptr) return internal::HandleGone(name());
    return internal::Check(qads_recorder_attach_again(recorder_.get()));
  }

  /// What it has done so far.
  ///
  /// Errors: Closed.
  Expected<RecorderStats> GetStats() const {
    if (recorder_ == nullptr) return internal::HandleGone(name());
    qads_recorder_stats stats{};
    stats.struct_size = sizeof(stats);
    if (qads_recorder_get_stats(recorder_.get(), &stats) != QADS_OK) return Error::Last();
    return RecorderStats{stats.frames, stats.rows, stats.bytes, stats.missed, stats.files};
  }

  /// Finishes the file at hand and leaves the ring. Closing twice is no error.
  ///
  /// Errors: Io, NoSpace; what was recorded is readable then, too.
  Expected<void> Close() {
    if (recorder_ == nullptr) return {};
    return internal::Check(qads_recorder_close(recorder_.get()));
  }

  /// The ring's name.
  const std::string& name() const { return *name_; }
  /// What the C interface takes for it; null if it was moved from.
  qads_recorder* handle() const { return recorder_.get(); }

 private:
  struct Free {
    void operator()(qads_recorder* recorder) const { qads_recorder_free(recorder); }
  };

  Recorder(qads_recorder* recorder, const std::string& ring) : recorder_(recorder), name_(ring) {}

  std::unique_ptr<qads_recorder, Free> recorder_;
  internal::SharedName name_;
};

}  // namespace QADATASWAP_ABI
}  // namespace qadataswap

#endif  // QADATASWAP_RECORDING_H
