// Recordings: reading them, following them into their rings, making them.

#include "crossing.h"

namespace bridge = qadataswap::bridge;
using namespace qadataswap::crossing;

extern "C" {

int qads_recording_open(const char* directory, int32_t validation, qads_recording** out) {
  QADS_REQUIRE(directory);
  QADS_REQUIRE(out);
  return Handed(bridge::open_recording(Bytes(directory), validation), out);
}

int qads_recording_summary(const qads_recording* recording, qads_summary* out) {
  QADS_REQUIRE(recording);
  QADS_REQUIRE(out);
  bridge::Summary summary{};
  const int ended = Ended(Rust(recording)->summary(summary));
  if (ended != QADS_OK) return ended;
  return Hand(qads_summary{sizeof(qads_summary), summary.files, summary.data_bytes, summary.frames, summary.rows,
                           summary.missed, summary.damaged, summary.first_sequence, summary.first_ns,
                           summary.last_sequence, summary.last_ns, summary.is_live ? 1 : 0},
              out);
}

int qads_recording_files(const qads_recording* recording, qads_file_info* files, size_t file_size, size_t capacity,
                         size_t* count) {
  QADS_REQUIRE(recording);
  QADS_REQUIRE(count);
  if (capacity > 0) QADS_REQUIRE(files);
  *count = 0;
  rust::Vec<bridge::FileInfo> found;
  const int ended = Ended(Rust(recording)->files(found));
  if (ended != QADS_OK) return ended;
  *count = found.size();
  auto* place = reinterpret_cast<unsigned char*>(files);
  for (size_t each = 0; each < found.size() && each < capacity; ++each, place += file_size) {
    const bridge::FileInfo& file = found[each];
    const qads_file_info told{file.number,   {file.region_id[0], file.region_id[1]},
                              file.data_bytes, file.frames,
                              file.rows,     file.missed,
                              file.damaged,  file.first_sequence,
                              file.first_ns, file.last_sequence,
                              file.last_ns};
    // The caller's struct may be of an earlier version and so shorter.
    std::memcpy(place, &told, file_size < sizeof(told) ? file_size : sizeof(told));
  }
  return QADS_OK;
}

int qads_recording_is_live(const qads_recording* recording, int* out) {
  QADS_REQUIRE(recording);
  QADS_REQUIRE(out);
  bool live = false;
  const int status = Ended(Rust(recording)->is_live(live));
  *out = live ? 1 : 0;
  return status;
}

int qads_recording_repair(qads_recording* recording, uint64_t* data_bytes, uint64_t* index_bytes) {
  QADS_REQUIRE(recording);
  uint64_t data = 0;
  uint64_t index = 0;
  const int status = Ended(Rust(recording)->repair(data, index));
  if (status != QADS_OK) return status;
  if (data_bytes != nullptr) *data_bytes = data;
  if (index_bytes != nullptr) *index_bytes = index;
  return QADS_OK;
}

void qads_recording_free(qads_recording* recording) {
  if (recording != nullptr) bridge::drop_recording(Rust(recording));
}

int qads_recording_frames(const qads_recording* recording, const qads_since* since, qads_recorded_frames** out) {
  QADS_REQUIRE(recording);
  QADS_REQUIRE(out);
  const qads_since& from = since == nullptr ? kStart : *since;
  return Handed(Rust(recording)->frames(from.kind, from.value), out);
}

int qads_recorded_frames_next(qads_recorded_frames* frames, qads_frame** out) {
  QADS_REQUIRE(frames);
  QADS_REQUIRE(out);
  int32_t kind = QADS_KIND_NONE;
  auto* frame = Rust(frames)->next(kind);
  return HandedFrame(frame, kind, out);
}

void qads_recorded_frames_free(qads_recorded_frames* frames) {
  if (frames != nullptr) bridge::drop_recorded_frames(Rust(frames));
}

int qads_follow_open(const qads_recording* recording, const char* ring, const qads_reader_options* options,
                     const qads_since* since, int64_t patience_ns, qads_follow** out) {
  QADS_REQUIRE(recording);
  QADS_REQUIRE(ring);
  QADS_REQUIRE(out);
  const qads_since& from = since == nullptr ? kStart : *since;
  const auto given = Given(options, qads_reader_options_init);
  return Handed(Rust(recording)->follow(Crossing(ring, given), from.kind, from.value, patience_ns), out);
}

int qads_follow_read(qads_follow* follow, int64_t timeout_ms, qads_frame** out) {
  return qads_follow_read_within(follow, Nanoseconds(timeout_ms), out);
}

int qads_follow_read_within(qads_follow* follow, int64_t timeout_ns, qads_frame** out) {
  QADS_REQUIRE(follow);
  QADS_REQUIRE(out);
  int32_t kind = QADS_KIND_NONE;
  auto* frame = Rust(follow)->read(timeout_ns, kind);
  return HandedFrame(frame, kind, out);
}

int qads_follow_is_live(const qads_follow* follow) { return follow != nullptr && Rust(follow)->is_live() ? 1 : 0; }

void qads_follow_free(qads_follow* follow) {
  if (follow != nullptr) bridge::drop_follow(Rust(follow));
}

void qads_recorder_options_init_sized(qads_recorder_options* options, size_t size) {
  Set(qads_recorder_options{sizeof(qads_recorder_options), /*rotate_bytes=*/uint64_t{1} << 30,
                            /*rotate_ns=*/-1, /*sync_every=*/0, /*mode=*/0600},
      options, size);
}

int qads_recorder_open(const char* ring, const char* directory, const qads_recorder_options* options,
                       const qads_reader_options* ring_options, qads_recorder** out) {
  QADS_REQUIRE(ring);
  QADS_REQUIRE(directory);
  QADS_REQUIRE(out);
  const auto given = Given(options, qads_recorder_options_init);
  const bridge::RecorderOptions how{given.rotate_bytes, given.rotate_ns, given.sync_every, given.mode};
  const auto reading = Given(ring_options, qads_reader_options_init);
  return Handed(bridge::open_recorder(Bytes(directory), how, Crossing(ring, reading)), out);
}

int qads_recorder_record(qads_recorder* recorder, int64_t timeout_ns, qads_recorded* out) {
  QADS_REQUIRE(recorder);
  if (out != nullptr && out->struct_size < sizeof(out->struct_size)) {
    // Before a frame is recorded of which nothing could be said.
    return Fail(QADS_ERROR, QADS_KIND_INVALID_CONFIG, "struct_size is not set");
  }
  bridge::Recorded recorded{};
  const int status = Ended(Rust(recorder)->record(timeout_ns, recorded));
  if (status != QADS_OK) return status;
  if (!recorded.is_there) return QADS_TIMEOUT;
  if (out == nullptr) return QADS_OK;
  return Hand(qads_recorded{sizeof(qads_recorded), recorded.sequence, recorded.rows, recorded.bytes, recorded.missed,
                            recorded.file},
              out);
}

int qads_recorder_run(qads_recorder* recorder, int64_t timeout_ns) {
  QADS_REQUIRE(recorder);
  bool ended = false;
  const int status = Ended(Rust(recorder)->run(timeout_ns, ended));
  if (status != QADS_OK) return status;
  return ended ? QADS_OK : QADS_TIMEOUT;
}

int qads_recorder_attach_again(qads_recorder* recorder) {
  QADS_REQUIRE(recorder);
  return Ended(Rust(recorder)->attach_again());
}

int qads_recorder_get_stats(const qads_recorder* recorder, qads_recorder_stats* out) {
  QADS_REQUIRE(recorder);
  QADS_REQUIRE(out);
  bridge::RecorderStats stats{};
  const int ended = Ended(Rust(recorder)->stats(stats));
  if (ended != QADS_OK) return ended;
  return Hand(qads_recorder_stats{sizeof(qads_recorder_stats), stats.frames, stats.rows, stats.bytes, stats.missed,
                                  stats.files},
              out);
}

int qads_recorder_close(qads_recorder* recorder) {
  QADS_REQUIRE(recorder);
  return Ended(Rust(recorder)->close());
}

void qads_recorder_free(qads_recorder* recorder) {
  if (recorder != nullptr) bridge::drop_recorder(Rust(recorder));
}

}  // extern "C"
