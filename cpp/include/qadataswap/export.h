/// \file
/// Which symbols the library shows.
#ifndef QADATASWAP_EXPORT_H
#define QADATASWAP_EXPORT_H

#if defined(__GNUC__)
#define QADATASWAP_EXPORT __attribute__((visibility("default")))
#else
#define QADATASWAP_EXPORT
#endif

#endif  // QADATASWAP_EXPORT_H
