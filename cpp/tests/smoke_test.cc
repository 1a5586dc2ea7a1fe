// The C interface from C++, without any of the classes: the library is there, and its bytes are Arrow's.
#include <gtest/gtest.h>
#include <qadataswap.h>
#include <unistd.h>

#include <cstddef>
#include <cstring>
#include <string>

namespace {

std::string Ring(const char* test) { return std::string("smoke_") + test + "_" + std::to_string(getpid()); }

TEST(Smoke, LibraryAndProjectAreOfOneVersion) { EXPECT_STREQ(qads_version(), QADS_EXPECTED_VERSION); }

TEST(Smoke, BytesOfAnArenaAreAColumnOfATable) {
  const std::string ring = Ring("column");
  void* arena = qads_create_arena(ring.c_str(), 1 << 20, 3);
  ASSERT_NE(arena, nullptr);
  ASSERT_EQ(qads_create_writer(arena), QADS_OK) << qads_last_error();
  ASSERT_EQ(qads_write_data(arena, "tick", 4), QADS_OK) << qads_last_error();

  qads_reader* reader = nullptr;
  ASSERT_EQ(qads_reader_open(ring.c_str(), nullptr, &reader), QADS_OK) << qads_last_error();
  qads_frame* frame = nullptr;
  ASSERT_EQ(qads_read(reader, 1000, &frame), QADS_OK) << qads_last_error();
  EXPECT_EQ(qads_frame_rows(frame), 4u);
  ASSERT_EQ(qads_frame_batches(frame), 1u);

  ArrowSchema schema;
  ASSERT_EQ(qads_frame_schema(frame, &schema), QADS_OK) << qads_last_error();
  ASSERT_EQ(schema.n_children, 1);
  EXPECT_STREQ(schema.children[0]->name, "data");
  EXPECT_STREQ(schema.children[0]->format, "C");
  schema.release(&schema);

  ArrowArray batch;
  ASSERT_EQ(qads_frame_export(frame, 0, &batch, nullptr), QADS_OK) << qads_last_error();
  ASSERT_EQ(batch.length, 4);
  // The array outlives the frame, its reader and its writer.
  qads_frame_free(frame);
  qads_reader_free(reader);
  qads_destroy_arena(arena);
  ASSERT_EQ(batch.children[0]->n_buffers, 2);
  EXPECT_EQ(std::memcmp(batch.children[0]->buffers[1], "tick", 4), 0);
  batch.release(&batch);
}

TEST(Smoke, ARingThatWasReadToItsEndIsGone) {
  const std::string ring = Ring("gone");
  void* writer = qads_create_arena(ring.c_str(), 1 << 20, 3);
  void* reader = qads_create_arena(ring.c_str(), 1 << 20, 3);
  ASSERT_EQ(qads_create_writer(writer), QADS_OK) << qads_last_error();
  ASSERT_EQ(qads_attach_reader(reader), QADS_OK) << qads_last_error();
  ASSERT_EQ(qads_write_data(writer, "last", 4), QADS_OK) << qads_last_error();
  qads_destroy_arena(writer);

  char bytes[4];
  std::size_t size = 0;
  ASSERT_EQ(qads_read_data(reader, bytes, sizeof bytes, &size, 1000), QADS_OK) << qads_last_error();
  EXPECT_EQ(qads_read_data(reader, bytes, sizeof bytes, &size, 1000), QADS_ERROR);
  EXPECT_EQ(qads_last_error_kind(), QADS_KIND_END_OF_STREAM);
  qads_destroy_arena(reader);

  reader = qads_create_arena(ring.c_str(), 1 << 20, 3);
  EXPECT_EQ(qads_attach_reader(reader), QADS_ERROR);
  EXPECT_EQ(qads_last_error_kind(), QADS_KIND_NOT_FOUND);
  qads_destroy_arena(reader);
}

}  // namespace
