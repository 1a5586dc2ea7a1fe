/* A reader in plain C: counts the feed handler's ticks by the Arrow C data interface alone.
 *
 *   ./feed_handler         in another terminal, before or after
 *   ./c_reader [ring]      "ticks" unless given; ends with the feed
 */
#include <qadataswap.h>

#include <stdio.h>
#include <string.h>

/* The position of a column of doubles, or -1. */
static int64_t find_doubles(const struct ArrowSchema* schema, const char* name) {
  for (int64_t i = 0; i < schema->n_children; ++i) {
    if (strcmp(schema->children[i]->name, name) == 0 && strcmp(schema->children[i]->format, "g") == 0) return i;
  }
  return -1;
}

/* Adds up the prices of one batch, a struct array. */
static void add_prices(const struct ArrowArray* batch, int64_t column, double* sum, int64_t* count) {
  const struct ArrowArray* array = batch->children[column];
  const double* prices = (const double*)array->buffers[1] + array->offset;
  for (int64_t row = 0; row < batch->length; ++row) *sum += prices[row];
  *count += batch->length;
}

int main(int argc, char** argv) {
  const char* ring = argc > 1 ? argv[1] : "ticks";
  qads_reader_options options;
  qads_reader_options_init(&options);
  options.policy = QADS_POLICY_LOSSY;
  options.attach_timeout_ns = 30000000000;
  qads_reader* reader = NULL;
  if (qads_reader_open(ring, &options, &reader) != QADS_OK) {
    fprintf(stderr, "%s\n", qads_last_error());
    return 1;
  }

  double sum = 0;
  int64_t count = 0, column = -1;
  uint64_t schema_id = 0;
  qads_frame* frame = NULL;
  while (qads_read(reader, -1, &frame) == QADS_OK) {
    /* Equal numbers are equal schemas: the column is looked up when the number changes. */
    if (column < 0 || qads_frame_schema_id(frame) != schema_id) {
      struct ArrowSchema schema;
      if (qads_frame_schema(frame, &schema) != QADS_OK) break;
      column = find_doubles(&schema, "price");
      schema.release(&schema);
      schema_id = qads_frame_schema_id(frame);
    }
    struct ArrowArray batch;
    if (column >= 0 && qads_frame_batches(frame) > 0 && qads_frame_export(frame, 0, &batch, NULL) == QADS_OK) {
      add_prices(&batch, column, &sum, &count);
      batch.release(&batch);
    }
    qads_frame_free(frame);
  }
  const int ended = qads_last_error_kind() == QADS_KIND_END_OF_STREAM;
  if (!ended) fprintf(stderr, "%s\n", qads_last_error());
  printf("%lld ticks, mean price %.3f\n", (long long)count, count == 0 ? 0 : sum / (double)count);
  qads_reader_free(reader);
  return ended ? 0 : 1;
}
