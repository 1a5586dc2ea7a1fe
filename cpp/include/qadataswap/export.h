/// \file
/// Which symbols the library shows, and the name under which the inline classes of these headers are compiled.
#ifndef QADATASWAP_EXPORT_H
#define QADATASWAP_EXPORT_H

#if defined(__GNUC__)
#define QADATASWAP_EXPORT __attribute__((visibility("default")))
#else
#define QADATASWAP_EXPORT
#endif

/// Classes of headers of different versions may meet in one program, each in a library of its own: their names differ.
#define QADATASWAP_ABI v0_1

#endif  // QADATASWAP_EXPORT_H
