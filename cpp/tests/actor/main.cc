// The process behind every actor in C++: `qadataswap-cpp-actor ROLE`, the role as JSON; one line of JSON per event.
// It plays what crosses from one language to the other; the Rust actor in tests/src/bin/actor plays the rest too.
#include <cstdlib>
#include <string>

#include "roles.h"

namespace {

using namespace qadataswap::actor;

arrow::Status Play(const std::string& json) {
  ARROW_ASSIGN_OR_RAISE(const Role role, Role::Parse(json));
  if (role.name == "Write") return Write(role);
  if (role.name == "Follow") return Follow(role);
  if (role.name == "Build") return Build(role);
  if (role.name == "Echo") return Echo(role);
  if (role.name == "Compare") return Compare(role);
  if (role.name == "Emit") return Emit(role);
  if (role.name == "Send") return Send(role);
  if (role.name == "Take") return Take(role);
  return arrow::Status::NotImplemented("the actor in C++ does not play ", role.name);
}

}  // namespace

int main(int argc, char** argv) {
  const arrow::Status status = Play(argc > 1 ? argv[1] : "");
  if (!status.ok()) {
    SayFault(status.ToString());
    return EXIT_FAILURE;
  }
  SayDone();
  return EXIT_SUCCESS;
}
