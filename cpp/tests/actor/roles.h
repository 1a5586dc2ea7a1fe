/// \file
/// The roles, by the names of `tests/src/role.rs`. An error is a fault, unless it is said otherwise.
#ifndef QADATASWAP_TESTS_ACTOR_ROLES_H
#define QADATASWAP_TESTS_ACTOR_ROLES_H

#include <arrow/status.h>

#include "role.h"

namespace qadataswap::actor {

/// \name Numbered streams: stream.cc
/// @{
/// Writes a stream's tables; says if the ring is refused.
arrow::Status Write(const Role& role);
/// Reads a stream to its end, checks every table and holds the last ones; says if the ring is refused.
arrow::Status Follow(const Role& role);
/// Writes a stream's tables, built in place.
arrow::Status Build(const Role& role);
/// @}

/// \name Any tables: tables.cc
/// @{
/// Reads every table of one ring and writes it to another, in its chunks.
arrow::Status Echo(const Role& role);
/// Reads the tables of a ring and demands that they equal those of a file.
arrow::Status Compare(const Role& role);
/// Writes the tables of a file.
arrow::Status Emit(const Role& role);
/// @}

/// \name Whole data sets: transfer.cc
/// @{
/// Sends numbers as a stream.
arrow::Status Send(const Role& role);
/// Takes such a stream to its end and checks every number.
arrow::Status Take(const Role& role);
/// @}

}  // namespace qadataswap::actor

#endif  // QADATASWAP_TESTS_ACTOR_ROLES_H
