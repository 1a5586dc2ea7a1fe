/// \file
/// One include and one call to read the tables of another process, Python's for example.
///
/// \code
/// #include "qadataswap_core.h"
/// auto reader = qadataswap::CreateSharedDataFrame("python_to_cpp");
/// auto table = reader->ReadTable();
/// \endcode
///
/// `reader` is an `arrow::Result<SharedDataFrame>` and `table` an `arrow::Result<std::shared_ptr<arrow::Table>>`: the
/// arrow of a result that is an error ends the program with the error's message. Programs that are to go on ask `ok()`.
#ifndef QADATASWAP_CORE_H
#define QADATASWAP_CORE_H

#include <arrow/result.h>

#include <string>

#include "qadataswap/shared_data_stream.h"
#include "qadataswap/shared_dataframe.h"

namespace qadataswap {
inline namespace QADATASWAP_ABI {

/// Attaches to a ring, to read it: the same as SharedDataFrame::CreateReader().
///
/// Errors: as there.
inline arrow::Result<SharedDataFrame> CreateSharedDataFrame(const std::string& name,
                                                            const ReaderOptions& options = {}) {
  return SharedDataFrame::CreateReader(name, options);
}

}  // namespace QADATASWAP_ABI
}  // namespace qadataswap

#endif  // QADATASWAP_CORE_H
