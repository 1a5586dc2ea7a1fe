/// \file
/// Waiting on many rings at once.
///
/// \code
/// auto selector = qadataswap::Selector::Make();
/// if (!selector) return Complain(selector.error());
/// for (size_t each = 0; each < readers.size(); ++each) {
///   if (auto added = selector->Add(each, readers[each]); !added) return Complain(added.error());
/// }
/// while (selector->size() > 0) {
///   auto ready = selector->Wait(std::chrono::seconds(1));
///   if (!ready) return Complain(ready.error());
///   for (uint64_t key : *ready) {
///     auto frame = readers[key].TryReadFrame();
///     if (!frame) selector->Remove(key);            // EndOfStream, WriterDied, ...
///     else if (frame->has_value()) Use(key, **frame);
///   }
/// }
/// \endcode
#ifndef QADATASWAP_SELECTOR_H
#define QADATASWAP_SELECTOR_H

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "qadataswap/error.h"
#include "qadataswap/options.h"
#include "qadataswap/ring.h"

namespace qadataswap {
inline namespace QADATASWAP_ABI {

/// Waits until some of many readers have something to read: a frame, the end of the stream, the death of the writer, or
/// an error. It takes no frame: reading does, which then does not wait.
///
/// A reader that is ready stays so until it is read; one that is closed, whose writer is dead, or that has read the
/// last frame of its stream, until it is removed.
///
/// Its calls may be made by any thread, so that readers are added and removed while another one waits. When two
/// threads wait, the second one's wait begins as the first one's ends. It keeps the place in its ring of each reader
/// that it has, also after the reader is gone.
class Selector {
 public:
  /// A selector of no readers, which waits in this way, whatever its readers would do.
  static Expected<Selector> Make(const WaitStrategy& wait = {}) {
    qads_selector* selector = nullptr;
    if (qads_selector_open(wait.spin.count(), wait.yielding.count(), &selector) != QADS_OK) return Error::Last();
    return Selector(selector);
  }

  /// Waits for `reader` too, which `key` will stand for; a SharedDataFrame's is `*frame.reader()`.
  ///
  /// Errors: InvalidConfig if `key` stands for a reader already; Closed, Forked.
  Expected<void> Add(uint64_t key, const Reader& reader) {
    if (reader.handle() == nullptr) return internal::HandleGone(reader.name());
    return internal::Check(qads_selector_add(selector_.get(), key, reader.handle()));
  }

  /// Waits no more for the reader that `key` stands for; false if it stands for none.
  bool Remove(uint64_t key) { return qads_selector_remove(selector_.get(), key) != 0; }

  /// Number of readers.
  size_t size() const { return qads_selector_size(selector_.get()); }

  /// Waits for at most `timeout` until some readers are ready; their keys, of which the first is another one from wait
  /// to wait. There are none when the time is up, or Wake() was called.
  Expected<std::vector<uint64_t>> Wait(std::chrono::nanoseconds timeout = kForever) {
    std::vector<uint64_t> ready(size() + kMore);
    size_t count = 0;
    const int status = qads_selector_wait(selector_.get(), internal::TimeoutNanoseconds(timeout), ready.data(),
                                          ready.size(), &count);
    if (status == QADS_ERROR) return Error::Last();
    // Readers that were added meanwhile, beyond that room, are still ready at the next wait.
    if (count < ready.size()) ready.resize(count);
    return ready;
  }

  /// Ends the wait that is going on, or else the next one. A handler of signals may call it.
  void Wake() { qads_selector_wake(selector_.get()); }

  /// What the C interface takes for it; null if it was moved from.
  qads_selector* handle() const { return selector_.get(); }

 private:
  /// Room for readers that are added during a wait.
  static constexpr size_t kMore = 16;

  struct Free {
    void operator()(qads_selector* selector) const { qads_selector_free(selector); }
  };

  explicit Selector(qads_selector* selector) : selector_(selector) {}

  std::unique_ptr<qads_selector, Free> selector_;
};

}  // namespace QADATASWAP_ABI
}  // namespace qadataswap

#endif  // QADATASWAP_SELECTOR_H
