/* The C interface, as a C program uses it: bytes through an arena, and what failures say. */
#define _POSIX_C_SOURCE 200809L

#include <qadataswap.h>

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static int failures = 0;

#define EXPECT(condition)                                                                           \
  do {                                                                                              \
    if (!(condition)) {                                                                             \
      failures++;                                                                                   \
      fprintf(stderr, "%s:%d: %s does not hold; %s\n", __FILE__, __LINE__, #condition, qads_last_error()); \
    }                                                                                               \
  } while (0)

/* A ring of this process and this test. */
static const char* ring(const char* test) {
  static char name[64];
  snprintf(name, sizeof name, "c_api_%s_%ld", test, (long)getpid());
  return name;
}

static void version_and_kinds_have_names(void) {
  EXPECT(strcmp(qads_version(), QADS_EXPECTED_VERSION) == 0);
  EXPECT(strcmp(qads_error_kind_name(QADS_KIND_WRITER_DIED), "WriterDied") == 0);
  EXPECT(strcmp(qads_error_kind_name(QADS_KIND_ABORTED), "Aborted") == 0);
  EXPECT(strcmp(qads_error_kind_name((qads_error_kind)9999), "Unknown") == 0);
  EXPECT(strcmp(qads_error_kind_name((qads_error_kind)-1), "Unknown") == 0);
}

/* A program may know fewer options than the library, or more: its struct ends where it says. */
static void options_of_another_version_are_set_as_far_as_both_know_them(void) {
  union {
    qads_writer_options options;
    unsigned char bytes[sizeof(qads_writer_options) + 16];
  } ours;
  const size_t fewer = offsetof(qads_writer_options, is_stream);
  const size_t more = sizeof(qads_writer_options) + 8;
  size_t each;
  memset(&ours, 0xa5, sizeof ours);
  qads_writer_options_init_sized(&ours.options, fewer);
  EXPECT(ours.options.struct_size == fewer && ours.options.mode == 0600);
  for (each = fewer; each < sizeof ours; each++) EXPECT(ours.bytes[each] == 0xa5);
  qads_writer_options_init_sized(&ours.options, more);
  EXPECT(ours.options.struct_size == sizeof(qads_writer_options));
  EXPECT(ours.options.total_rows == QADS_UNKNOWN_ROWS);
  for (each = sizeof(qads_writer_options); each < more; each++) EXPECT(ours.bytes[each] == 0);
  for (each = more; each < sizeof ours; each++) EXPECT(ours.bytes[each] == 0xa5);
  qads_writer_options_init_sized(NULL, more);
}

static void bytes_written_are_bytes_read(void) {
  const char* name = ring("round_trip");
  void* writer = qads_create_arena(name, 1 << 20, 3);
  void* reader = qads_create_arena(name, 1 << 20, 3);
  const char sent[] = "a tick, and a zero \0 in it";
  char got[sizeof sent];
  size_t size = 0;

  EXPECT(writer != NULL && reader != NULL);
  EXPECT(qads_create_writer(writer) == QADS_OK);
  EXPECT(qads_attach_reader(reader) == QADS_OK);
  EXPECT(qads_write_data(writer, sent, sizeof sent) == QADS_OK);
  EXPECT(qads_read_data(reader, got, sizeof got, &size, 1000) == QADS_OK);
  EXPECT(size == sizeof sent);
  EXPECT(memcmp(got, sent, sizeof sent) == 0);
  qads_destroy_arena(writer);
  qads_destroy_arena(reader);
}

static void too_small_a_buffer_keeps_the_frame(void) {
  const char* name = ring("too_small");
  void* writer = qads_create_arena(name, 1 << 20, 3);
  void* reader = qads_create_arena(name, 1 << 20, 3);
  char got[8] = "unread";
  size_t size = 0;

  EXPECT(qads_create_writer(writer) == QADS_OK);
  EXPECT(qads_attach_reader(reader) == QADS_OK);
  EXPECT(qads_write_data(writer, "eight by", 8) == QADS_OK);
  EXPECT(qads_read_data(reader, got, 7, &size, 1000) == QADS_NO_MEMORY);
  EXPECT(size == 8);
  EXPECT(memcmp(got, "unread", 6) == 0);
  EXPECT(qads_read_data(reader, got, 8, NULL, 1000) == QADS_OK);
  EXPECT(memcmp(got, "eight by", 8) == 0);
  qads_destroy_arena(writer);
  qads_destroy_arena(reader);
}

static void nothing_to_read_is_a_timeout(void) {
  const char* name = ring("timeout");
  void* writer = qads_create_arena(name, 1 << 20, 3);
  void* reader = qads_create_arena(name, 1 << 20, 3);
  char got[8];
  size_t size = 0;

  EXPECT(qads_create_writer(writer) == QADS_OK);
  EXPECT(qads_attach_reader(reader) == QADS_OK);
  EXPECT(qads_read_data(reader, got, sizeof got, &size, 0) == QADS_TIMEOUT);
  EXPECT(qads_read_data(reader, got, sizeof got, &size, 5) == QADS_TIMEOUT);
  qads_destroy_arena(writer);
  qads_destroy_arena(reader);
}

static void an_unknown_ring_is_named(void) {
  const char* name = ring("unknown");
  void* reader = qads_create_arena(name, 1 << 20, 3);

  EXPECT(qads_attach_reader(reader) == QADS_ERROR);
  EXPECT(qads_last_error_kind() == QADS_KIND_NOT_FOUND);
  EXPECT(strstr(qads_last_error(), name) != NULL);
  qads_destroy_arena(reader);
}

static void a_name_that_is_none_makes_no_ring(void) {
  void* writer = qads_create_arena("../outside", 1 << 20, 3);

  EXPECT(writer == NULL || qads_create_writer(writer) == QADS_ERROR);
  EXPECT(qads_last_error_kind() == QADS_KIND_INVALID_NAME);
  qads_destroy_arena(writer);
}

static void a_selector_of_nothing_times_out_or_is_woken(void) {
  qads_selector* selector = NULL;
  uint64_t key = 0;
  size_t count = 1;

  EXPECT(qads_selector_open(0, 0, &selector) == QADS_OK);
  EXPECT(qads_selector_wait(selector, 1000000, &key, 1, &count) == QADS_TIMEOUT);
  EXPECT(count == 0);
  qads_selector_wake(selector);
  EXPECT(qads_selector_wait(selector, -1, NULL, 0, &count) == QADS_TIMEOUT);
  EXPECT(qads_selector_wait(selector, 0, NULL, 1, &count) == QADS_ERROR);
  EXPECT(qads_selector_remove(selector, 3) == 0);
  EXPECT(qads_selector_size(selector) == 0);
  EXPECT(qads_selector_add(selector, 3, NULL) == QADS_ERROR);
  qads_selector_free(selector);
  qads_selector_free(NULL);
}

static void an_observer_takes_no_place(void) {
  const char* name = ring("observer");
  void* writer = qads_create_arena(name, 1 << 20, 3);
  void* reader = qads_create_arena(name, 1 << 20, 3);
  qads_reader_options options;
  qads_reader* observer = NULL;
  qads_frame* frame = NULL;
  char got[4];

  qads_reader_options_init(&options);
  options.policy = QADS_POLICY_OBSERVER;
  EXPECT(qads_create_writer(writer) == QADS_OK);
  EXPECT(qads_attach_reader(reader) == QADS_OK);
  EXPECT(qads_reader_open(name, &options, &observer) == QADS_OK);
  EXPECT(qads_read(observer, 0, &frame) == QADS_TIMEOUT);
  EXPECT(qads_write_data(writer, "seen", 4) == QADS_OK);
  EXPECT(qads_read(observer, 1000, &frame) == QADS_OK);
  EXPECT(qads_frame_sequence(frame) == 0 && qads_frame_rows(frame) == 4);
  qads_frame_free(frame);
  EXPECT(qads_read_data(reader, got, sizeof got, NULL, 0) == QADS_OK);
  qads_destroy_arena(writer);
  qads_destroy_arena(reader);
  EXPECT(qads_read(observer, 1000, &frame) == QADS_ERROR);
  EXPECT(qads_last_error_kind() == QADS_KIND_END_OF_STREAM);
  qads_reader_free(observer);
}

static void a_recording_is_read_from_a_frame_on(void) {
  const char* name = ring("recording");
  char folder[] = "/tmp/qads-recording-c-XXXXXX";
  char path[sizeof(folder) + 32];
  const char* files[] = {"00000001.arrows", "00000001.index", "lock"};
  const qads_since since = {QADS_SINCE_SEQUENCE, 1};
  qads_recorder* recorder = NULL;
  qads_recording* recording = NULL;
  qads_recorded_frames* frames = NULL;
  qads_frame* frame = NULL;
  qads_recorded recorded = {sizeof(qads_recorded), 0, 0, 0, 0, 0};
  qads_summary summary = {sizeof(qads_summary), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};
  void* writer = qads_create_arena(name, 1 << 20, 3);
  size_t each = 0;

  EXPECT(mkdtemp(folder) != NULL);
  EXPECT(qads_create_writer(writer) == QADS_OK);
  EXPECT(qads_recorder_open(name, folder, NULL, NULL, &recorder) == QADS_OK);
  EXPECT(qads_recorder_record(recorder, 0, &recorded) == QADS_TIMEOUT);
  EXPECT(qads_write_data(writer, "one", 3) == QADS_OK);
  EXPECT(qads_write_data(writer, "three", 5) == QADS_OK);
  EXPECT(qads_recorder_record(recorder, -1, NULL) == QADS_OK);
  EXPECT(qads_recorder_record(recorder, -1, &recorded) == QADS_OK);
  EXPECT(recorded.sequence == 1 && recorded.rows == 5);
  qads_destroy_arena(writer);
  EXPECT(qads_recorder_run(recorder, -1) == QADS_OK);
  qads_recorder_free(recorder);

  EXPECT(qads_recording_open(folder, QADS_VALIDATION_FULL, &recording) == QADS_OK);
  EXPECT(qads_recording_summary(recording, &summary) == QADS_OK);
  EXPECT(summary.frames == 2 && summary.rows == 8 && summary.last_sequence == 1);
  EXPECT(qads_recording_frames(recording, &since, &frames) == QADS_OK);
  EXPECT(qads_recorded_frames_next(frames, &frame) == QADS_OK);
  EXPECT(qads_frame_sequence(frame) == 1 && qads_frame_rows(frame) == 5);
  qads_frame_free(frame);
  EXPECT(qads_recorded_frames_next(frames, &frame) == QADS_TIMEOUT);
  qads_recorded_frames_free(frames);
  qads_recording_free(recording);
  for (; each < sizeof(files) / sizeof(files[0]); ++each) {
    snprintf(path, sizeof(path), "%s/%s", folder, files[each]);
    EXPECT(unlink(path) == 0);
  }
  EXPECT(rmdir(folder) == 0);
}

static void release_schema(struct ArrowSchema* schema) { schema->release = NULL; }
static void release_array(struct ArrowArray* array) { array->release = NULL; }

/* Writes a byte as a table of one column and one row. */
static int write_byte(qads_writer* writer, uint8_t byte) {
  struct ArrowSchema field = {.format = "C", .name = "data", .release = release_schema};
  struct ArrowSchema* fields[] = {&field};
  const struct ArrowSchema table = {
      .format = "+s", .name = "", .n_children = 1, .children = fields, .release = release_schema};
  const void* values[] = {NULL, &byte};
  const void* none[] = {NULL};
  struct ArrowArray column = {.length = 1, .n_buffers = 2, .buffers = values, .release = release_array};
  struct ArrowArray* columns[] = {&column};
  const struct ArrowArray batch = {
      .length = 1, .n_buffers = 1, .n_children = 1, .buffers = none, .children = columns, .release = release_array};
  const struct ArrowArray* batches[] = {&batch};
  qads_schema* schema = NULL;
  int status = qads_schema_import(&table, &schema);
  if (status == QADS_OK) status = qads_write(writer, schema, batches, 1, NULL);
  qads_schema_free(schema);
  return status;
}

/* In a process of its own: receives a ring, reads the byte 42 and then its end. Returns which step failed, or 0. */
static int receives_and_reads(int socket) {
  int fd = -1;
  qads_reader* reader = NULL;
  qads_frame* frame = NULL;
  struct ArrowArray batch;
  uint8_t byte = 0;
  if (qads_receive_region(socket, &fd) != QADS_OK) return 1;
  if (qads_reader_open_fd(NULL, fd, NULL, &reader) != QADS_OK) return 2;
  close(fd);
  if (qads_reader_fd(reader, &fd) != QADS_OK || fd < 0) return 3;
  if (qads_read(reader, 20000, &frame) != QADS_OK) return 4;
  if (qads_frame_export(frame, 0, &batch, NULL) != QADS_OK) return 5;
  byte = ((const uint8_t*)batch.children[0]->buffers[1])[batch.children[0]->offset];
  batch.release(&batch);
  qads_frame_free(frame);
  if (byte != 42) return 6;
  if (qads_read(reader, 20000, &frame) != QADS_ERROR || qads_last_error_kind() != QADS_KIND_END_OF_STREAM) return 7;
  qads_reader_free(reader);
  return 0;
}

static void a_ring_without_a_name_is_handed_over(void) {
  const char* name = ring("unnamed");
  char path[128];
  int ends[2];
  int fd = -1;
  int status = 0;
  qads_writer* writer = NULL;
  qads_reader* reader = NULL;
  qads_writer_options options;

  EXPECT(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
  const pid_t child = fork();
  if (child == 0) {
    close(ends[0]);
    _exit(receives_and_reads(ends[1]));
  }
  close(ends[1]);
  qads_writer_options_init(&options);
  options.slot_bytes = 1 << 16;
  options.memfd = 1;
  EXPECT(qads_writer_open(name, &options, &writer) == QADS_OK);
  EXPECT(qads_writer_fd(writer, &fd) == QADS_OK);
  snprintf(path, sizeof path, "/dev/shm/qads_%s", name);
  EXPECT(access(path, F_OK) != 0);
  EXPECT(ftruncate(fd, 0) != 0 && errno == EPERM);
  EXPECT(qads_send_region(ends[0], fd) == QADS_OK);
  EXPECT(write_byte(writer, 42) == QADS_OK);
  EXPECT(qads_writer_close(writer) == QADS_OK);
  EXPECT(qads_writer_fd(writer, &fd) == QADS_ERROR && qads_last_error_kind() == QADS_KIND_CLOSED);
  qads_writer_free(writer);
  EXPECT(waitpid(child, &status, 0) == child);
  EXPECT(WIFEXITED(status) && WEXITSTATUS(status) == 0);

  EXPECT(qads_reader_open_fd(NULL, ends[0], NULL, &reader) == QADS_ERROR);
  EXPECT(qads_last_error_kind() == QADS_KIND_INVALID_CONFIG);
  EXPECT(qads_receive_region(ends[0], &fd) == QADS_ERROR && qads_last_error_kind() == QADS_KIND_IO);
  close(ends[0]);
}

int main(void) {
  version_and_kinds_have_names();
  options_of_another_version_are_set_as_far_as_both_know_them();
  bytes_written_are_bytes_read();
  too_small_a_buffer_keeps_the_frame();
  nothing_to_read_is_a_timeout();
  an_unknown_ring_is_named();
  a_name_that_is_none_makes_no_ring();
  a_selector_of_nothing_times_out_or_is_woken();
  an_observer_takes_no_place();
  a_recording_is_read_from_a_frame_on();
  a_ring_without_a_name_is_handed_over();
  return failures != 0;
}
