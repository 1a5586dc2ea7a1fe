/// \file
/// The Arrow C data interface: the two structs by which tables cross every boundary of this library.
///
/// As the format's specification gives them, under its own guard, so that they may meet other copies of
/// themselves (Arrow C++, nanoarrow, …) in one program.
/// https://arrow.apache.org/docs/format/CDataInterface.html
#ifndef QADATASWAP_ARROW_C_H
#define QADATASWAP_ARROW_C_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#ifndef ARROW_C_DATA_INTERFACE
#define ARROW_C_DATA_INTERFACE

#define ARROW_FLAG_DICTIONARY_ORDERED 1
#define ARROW_FLAG_NULLABLE 2
#define ARROW_FLAG_MAP_KEYS_SORTED 4

/** A type, a column, or a schema (a struct of columns). */
struct ArrowSchema {
  const char* format;
  const char* name;
  const char* metadata;
  int64_t flags;
  int64_t n_children;
  struct ArrowSchema** children;
  struct ArrowSchema* dictionary;
  void (*release)(struct ArrowSchema*);
  void* private_data;
};

/** The data of a column, or of a batch (a struct of columns). */
struct ArrowArray {
  int64_t length;
  int64_t null_count;
  int64_t offset;
  int64_t n_buffers;
  int64_t n_children;
  const void** buffers;
  struct ArrowArray** children;
  struct ArrowArray* dictionary;
  void (*release)(struct ArrowArray*);
  void* private_data;
};

#endif /* ARROW_C_DATA_INTERFACE */

#ifdef __cplusplus
}
#endif

#endif /* QADATASWAP_ARROW_C_H */
