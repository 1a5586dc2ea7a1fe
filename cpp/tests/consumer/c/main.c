/* Writes bytes into a ring and reads them back. */
#define _POSIX_C_SOURCE 200809L

#include <qadataswap.h>

#include <stdio.h>
#include <string.h>
#include <unistd.h>

int main(void) {
  char ring[64];
  char buffer[16];
  size_t size = 0;
  void* writer;
  void* reader;
  int failed;

  snprintf(ring, sizeof ring, "consumer_c_%ld", (long)getpid());
  writer = qads_create_arena(ring, 1 << 20, 3);
  reader = qads_create_arena(ring, 1 << 20, 3);
  failed = qads_create_writer(writer) != QADS_OK || qads_attach_reader(reader) != QADS_OK ||
           qads_write_data(writer, "tick", 4) != QADS_OK ||
           qads_read_data(reader, buffer, sizeof buffer, &size, 1000) != QADS_OK || size != 4 ||
           memcmp(buffer, "tick", 4) != 0;
  if (failed) fprintf(stderr, "%s\n", qads_last_error());
  qads_destroy_arena(writer);
  qads_destroy_arena(reader);
  if (!failed) printf("bytes with QADataSwap %s\n", qads_version());
  return failed;
}
