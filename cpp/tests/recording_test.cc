// Recordings: what was written is read again, followed into the ring, and mended.
#include "qadataswap/recording.h"

#include <arrow/api.h>
#include <arrow/io/api.h>
#include <arrow/ipc/api.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include "arrow_test_base.h"
#include "qadataswap/arrow_import.h"

namespace qadataswap {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;

static_assert(!std::is_copy_constructible_v<Recording> && std::is_nothrow_move_constructible_v<Recorder>);

// A ring, and a folder to record it into.
class Recordings : public RingTest {
 protected:
  void SetUp() override {
    char folder[] = "/tmp/qads-recording-XXXXXX";
    ASSERT_NE(mkdtemp(folder), nullptr);
    root_ = folder;
    folder_ = root_ / "recording";
    name_ = NewName();
    WriterOptions options;
    options.slot_bytes = 1 << 16;
    options.buffer_count = 4;
    ASSERT_RESULT(writer_, SharedDataFrame::CreateWriter(name_, options));
  }

  void TearDown() override {
    writer_.reset();
    std::filesystem::remove_all(root_);
    Forget(name_);
    RingTest::TearDown();
  }

  // Writes tables of one row: the numbers from `from` up to `to`.
  void Write(int64_t from, int64_t to) {
    for (int64_t number = from; number < to; ++number) ASSERT_OK(writer_->Write(NumberedTable(1, number)));
  }

  // Writes them, each recorded before the next is written.
  void Record(int64_t from, int64_t to, const RecorderOptions& options = {}) {
    ASSERT_VALUE(Recorder recorder, Recorder::Open(name_, folder_.string(), options));
    for (int64_t number = from; number < to; ++number) {
      Write(number, number + 1);
      ASSERT_VALUE(auto recorded, recorder.Record(kSoon));
      ASSERT_TRUE(recorded.has_value());
      EXPECT_EQ(recorded->sequence, static_cast<uint64_t>(number));
      EXPECT_EQ(recorded->rows, 1u);
    }
    ASSERT_TRUE(recorder.Close().has_value());
  }

  Recording Open() { return *Recording::Open(folder_.string()); }

  // The number in a frame's only row, as two ways of looking at it say.
  int64_t NumberIn(Frame& frame) {
    auto column = frame.Column<int64_t>("n");
    EXPECT_TRUE(column.has_value()) << column.error().message;
    auto table = importer_.ImportTable(frame);
    EXPECT_TRUE(table.ok()) << table.status().ToString();
    EXPECT_TRUE((*table)->Equals(*NumberedTable(1, (*column)[0])));
    ExpectWithin(**table, frame.bytes());
    return (*column)[0];
  }

  // All numbers of a recording from a place on.
  std::vector<int64_t> Numbers(const Recording& recording, const Since& since = Since::Start()) {
    std::vector<int64_t> numbers;
    auto frames = recording.Frames(since);
    EXPECT_TRUE(frames.has_value()) << frames.error().message;
    while (true) {
      auto frame = frames->Next();
      EXPECT_TRUE(frame.has_value()) << frame.error().message;
      if (!frame || !frame->has_value()) return numbers;
      numbers.push_back(NumberIn(**frame));
    }
  }

  static std::vector<int64_t> Range(int64_t from, int64_t to) {
    std::vector<int64_t> numbers;
    for (int64_t number = from; number < to; ++number) numbers.push_back(number);
    return numbers;
  }

  std::filesystem::path root_;
  std::filesystem::path folder_;
  std::string name_;
  std::optional<SharedDataFrame> writer_;
  BatchImporter importer_;
};

TEST_F(Recordings, AreWhatWasWritten) {
  RecorderOptions options;
  options.rotate_bytes = 1;
  Record(0, 5, options);
  const Recording recording = Open();
  EXPECT_EQ(Numbers(recording), Range(0, 5));
  for (int64_t from = 0; from < 7; ++from) {
    EXPECT_EQ(Numbers(recording, Since::Sequence(static_cast<uint64_t>(from))), Range(from, 5));
  }
  ASSERT_VALUE(auto files, recording.Files());
  ASSERT_EQ(files.size(), 5u);
  for (size_t each = 0; each < files.size(); ++each) {
    EXPECT_EQ(files[each].number, each + 1);
    EXPECT_EQ(files[each].first->sequence, each);
    const std::string path = (folder_ / ("0000000" + std::to_string(each + 1) + ".arrows")).string();
    EXPECT_EQ(files[each].data_bytes, std::filesystem::file_size(path));
    ASSERT_RESULT(auto file, arrow::io::ReadableFile::Open(path));
    ASSERT_RESULT(auto reader, arrow::ipc::RecordBatchStreamReader::Open(file));
    ASSERT_RESULT(auto table, reader->ToTable());
    EXPECT_TRUE(table->Equals(*NumberedTable(1, static_cast<int64_t>(each))));
  }
}

TEST_F(Recordings, AreReadFromATimeOn) {
  const auto before = std::chrono::system_clock::now();
  Record(0, 3);
  const Recording recording = Open();
  ASSERT_VALUE(auto frames, recording.Frames());
  for (int64_t from = 0; from < 3; ++from) {
    ASSERT_VALUE(auto frame, frames.Next());
    ASSERT_TRUE(frame.has_value());
    EXPECT_GE(frame->published_at(), before - milliseconds(5));
    EXPECT_LE(frame->published_at(), std::chrono::system_clock::now() + milliseconds(5));
    EXPECT_GE(frame->age(), nanoseconds(0));
    EXPECT_EQ(Numbers(recording, Since::Time(frame->published_at())), Range(from, 3));
    EXPECT_EQ(Numbers(recording, Since::Time(frame->published_at() + nanoseconds(1))), Range(from + 1, 3));
  }
  EXPECT_EQ(Numbers(recording, Since::Time({})), Range(0, 3));
}

TEST_F(Recordings, FramesOutliveTheirFiles) {
  Record(0, 1);
  ASSERT_VALUE(auto frames, Open().Frames());
  ASSERT_VALUE(auto frame, frames.Next());
  std::filesystem::remove_all(folder_);
  ASSERT_TRUE(frame.has_value());
  ASSERT_RESULT(auto table, importer_.ImportTable(*frame));
  frame.reset();
  EXPECT_TRUE(table->Equals(*NumberedTable(1, 0)));
}

TEST_F(Recordings, TellWhatTheyHoldAndMiss) {
  Record(0, 3);
  Write(3, 12);
  ASSERT_VALUE(Recorder recorder, Recorder::Open(name_, folder_.string()));
  Recording recording = Open();
  ASSERT_VALUE(bool is_live, recording.IsLive());
  EXPECT_TRUE(is_live);
  EXPECT_KIND(kInvalidConfig, recording.Repair());
  EXPECT_KIND(kInvalidConfig, Recorder::Open(name_, folder_.string()));
  ASSERT_VALUE(bool ended, recorder.Run(nanoseconds(0)));
  EXPECT_FALSE(ended);
  ASSERT_VALUE(RecorderStats stats, recorder.GetStats());
  EXPECT_EQ(stats.frames, 4u);
  EXPECT_EQ(stats.missed, 5u);
  EXPECT_EQ(stats.files, 1u);
  ASSERT_TRUE(recorder.Close().has_value());
  ASSERT_TRUE(recorder.Close().has_value());
  EXPECT_KIND(kClosed, recorder.Record());
  ASSERT_VALUE(RecordingSummary summary, recording.Summary());
  EXPECT_EQ(summary.files, 2u);
  EXPECT_EQ(summary.frames, 7u);
  EXPECT_EQ(summary.rows, 7u);
  EXPECT_EQ(summary.missed, 5u);
  EXPECT_EQ(summary.damaged, 0u);
  EXPECT_FALSE(summary.is_live);
  EXPECT_EQ(summary.first->sequence, 0u);
  EXPECT_EQ(summary.last->sequence, 11u);
  EXPECT_LE(summary.first->time, summary.last->time);
}

TEST_F(Recordings, ARecorderRunsToTheEndOfTheStream) {
  ASSERT_VALUE(Recorder recorder, Recorder::Open(name_, folder_.string()));
  std::thread running([&recorder] {
    auto ended = recorder.Run();
    EXPECT_TRUE(ended.has_value() && *ended);
  });
  Write(0, 100);
  ASSERT_OK(writer_->Close());
  running.join();
  EXPECT_EQ(Numbers(Open()), Range(0, 100));
}

TEST_F(Recordings, AreFollowedIntoTheRing) {
  for (int64_t from : {0, 3, 7, 8}) {
    const int64_t first = writer_->GetStats().frames_published;
    ASSERT_VALUE(Recorder recorder, Recorder::Open(name_, folder_.string()));
    ASSERT_VALUE(bool ended, recorder.Run(nanoseconds(0)));
    EXPECT_FALSE(ended);
    for (int64_t number = first; number < first + 7; ++number) {
      Write(number, number + 1);
      ASSERT_VALUE(auto recorded, recorder.Record(kSoon));
      ASSERT_TRUE(recorded.has_value());
    }
    Write(first + 7, first + 8);
    ASSERT_VALUE(Follow follow, Open().Follow(name_, Since::Sequence(static_cast<uint64_t>(first + from))));
    EXPECT_FALSE(follow.is_live());
    EXPECT_EQ(follow.name(), name_);
    const Schema* schema = nullptr;
    std::optional<Frame> kept;
    for (int64_t number = first + from; number < first + 8; ++number) {
      ASSERT_VALUE(auto frame, follow.ReadFrame(kSoon));
      ASSERT_TRUE(frame.has_value());
      EXPECT_EQ(frame->sequence(), static_cast<uint64_t>(number));
      EXPECT_EQ(frame->missed(), 0u);
      EXPECT_EQ(NumberIn(*frame), number);
      // One schema, wherever the frame comes from.
      EXPECT_TRUE(schema == nullptr || schema->IsCopyOf(frame->schema()));
      kept = std::move(frame);
      schema = &kept->schema();
    }
    kept.reset();
    ASSERT_VALUE(auto nothing, follow.TryReadFrame());
    EXPECT_FALSE(nothing.has_value());
    EXPECT_TRUE(follow.is_live());
    Write(first + 8, first + 9);
    ASSERT_VALUE(auto next, follow.ReadFrame(kSoon));
    ASSERT_TRUE(next.has_value());
    EXPECT_EQ(NumberIn(*next), first + 8);
  }
}

TEST_F(Recordings, FollowersAreToldWhatIsNowhere) {
  Record(0, 3);
  Write(3, 20);
  ASSERT_VALUE(Follow follow, Open().Follow(name_));
  for (uint64_t sequence = 0; sequence < 3; ++sequence) {
    ASSERT_VALUE(auto frame, follow.ReadFrame(kSoon));
    ASSERT_TRUE(frame.has_value());
    EXPECT_EQ(frame->sequence(), sequence);
  }
  auto missing = follow.ReadFrame(kSoon);
  EXPECT_KIND(kIo, missing);
  ASSERT_TRUE(missing.error().missing_frames.has_value());
  EXPECT_EQ(missing.error().missing_frames->first, 3u);
  EXPECT_EQ(missing.error().missing_frames->last, 15u);
  ASSERT_VALUE(auto frame, follow.ReadFrame(kSoon));
  ASSERT_TRUE(frame.has_value());
  EXPECT_EQ(frame->sequence(), 16u);
  EXPECT_EQ(frame->missed(), 13u);
  frame.reset();
  // Another failure is another failure.
  const auto nowhere = Recording::Open((root_ / "nowhere").string());
  EXPECT_KIND(kIo, nowhere);
  EXPECT_FALSE(nowhere.error().missing_frames.has_value());
  ReaderOptions lossy;
  lossy.policy = ReaderPolicy::kLossy;
  EXPECT_KIND(kInvalidConfig, Open().Follow(name_, Since::Start(), lossy));
}

TEST_F(Recordings, ATornTailIsPassedOverAndMended) {
  Record(0, 3);
  const std::string data = (folder_ / "00000001.arrows").string();
  std::filesystem::resize_file(data, std::filesystem::file_size(data) - 70);
  Recording recording = Open();
  EXPECT_EQ(Numbers(recording), Range(0, 2));
  ASSERT_VALUE(Mended mended, recording.Repair());
  EXPECT_GT(mended.data_bytes, 0u);
  EXPECT_EQ(mended.index_bytes, 64u);
  ASSERT_RESULT(auto file, arrow::io::ReadableFile::Open(data));
  ASSERT_RESULT(auto reader, arrow::ipc::RecordBatchStreamReader::Open(file));
  ASSERT_RESULT(auto table, reader->ToTable());
  EXPECT_EQ(table->num_rows(), 2);
  // The ring has the third one still.
  ASSERT_VALUE(Recorder recorder, Recorder::Open(name_, folder_.string()));
  ASSERT_VALUE(bool ended, recorder.Run(nanoseconds(0)));
  EXPECT_FALSE(ended);
  EXPECT_EQ(Numbers(recording), Range(0, 3));
}

TEST_F(Recordings, AForkedChildLeavesItsParentsFilesAlone) {
  std::optional<Recorder> recorder = *Recorder::Open(name_, folder_.string());
  Write(0, 1);
  ASSERT_TRUE(recorder->Record(kSoon).has_value());
  Write(1, 2);
  const pid_t child = fork();
  if (child == 0) {
    const auto recorded = recorder->Record();
    const bool refused = !recorded && recorded.error().kind == ErrorKind::kForked;
    recorder.reset();
    _exit(refused ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  ASSERT_TRUE(recorder->Record(kSoon).has_value());
  ASSERT_TRUE(recorder->Close().has_value());
  EXPECT_EQ(Numbers(Open()), Range(0, 2));
}

TEST_F(Recordings, WhatIsWrongIsSaid) {
  EXPECT_KIND(kNotFound, Recorder::Open(name_ + "-none", folder_.string()));
  RecorderOptions options;
  options.sync_every = -2;
  EXPECT_KIND(kInvalidConfig, Recorder::Open(name_, folder_.string(), options));
  Record(0, 1);
  Recording recording = Open();
  const Recording moved = std::move(recording);
  EXPECT_KIND(kClosed, recording.Frames());
  EXPECT_KIND(kClosed, recording.Summary());
  EXPECT_EQ(Numbers(moved), Range(0, 1));
  qads_recording* none = nullptr;
  EXPECT_EQ(qads_recording_open(nullptr, 0, &none), QADS_ERROR);
  EXPECT_EQ(qads_last_missing_frames(nullptr, nullptr), 0);
  EXPECT_EQ(qads_recording_open(folder_.c_str(), 7, &none), QADS_ERROR);
  const qads_since wrong{7, 0};
  qads_recorded_frames* frames = nullptr;
  EXPECT_EQ(qads_recording_frames(moved.handle(), &wrong, &frames), QADS_ERROR);
  EXPECT_EQ(frames, nullptr);
  ASSERT_VALUE(Recorder recorder, Recorder::Open(name_, folder_.string()));
  Write(1, 2);
  qads_recorded unset{};
  EXPECT_EQ(qads_recorder_record(recorder.handle(), 0, &unset), QADS_ERROR);
  // Nothing was recorded of which nothing could be said.
  ASSERT_VALUE(auto recorded, recorder.Record(kSoon));
  ASSERT_TRUE(recorded.has_value());
  EXPECT_EQ(recorded->sequence, 1u);
  qads_recording_free(nullptr);
  qads_recorded_frames_free(nullptr);
  qads_follow_free(nullptr);
  qads_recorder_free(nullptr);
}

}  // namespace
}  // namespace qadataswap
