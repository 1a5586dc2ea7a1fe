// Follows live views until their streams end, then tells how each ended as one line of JSON: the C++ viewer of
// `make demo`.
//
//   views FOLDER VIEW...
//
// A view `V` is two rings. Each frame of `V.changes` is a table of the rows that have come, with weight 1, and of those
// that have gone, with weight -1; a row that changes does both. Now and then a frame of `V` is the whole view, and says in
// its schema's metadata which change is the last that it includes. So one begins with the newest whole view, and adds
// every change after it: a view is the sum of its changes.

#include <arrow/array.h>
#include <arrow/config.h>
#include <arrow/table.h>
#include <arrow/util/key_value_metadata.h>
#include <qadataswap/selector.h>
#include <qadataswap/shared_dataframe.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace {

constexpr std::chrono::seconds kPatience{30};

// The views of the demo are of whole numbers, times, which are numbers of nanoseconds, and texts. Where one knows a view's columns, a struct is better.
using Row = std::vector<std::variant<int64_t, std::string>>;

// The rows of a view, kept up to date.
class View {
 public:
  static arrow::Result<View> Attach(const std::string& name, const std::string& folder) {
    qadataswap::ReaderOptions options;
    options.directory = folder;
    options.attach_timeout = kPatience;
    qadataswap::ReaderOptions newest = options;
    newest.policy = qadataswap::ReaderPolicy::kLatest;
    ARROW_ASSIGN_OR_RAISE(auto whole, qadataswap::SharedDataFrame::CreateReader(name, newest));
    ARROW_ASSIGN_OR_RAISE(auto changes, qadataswap::SharedDataFrame::CreateReader(name + ".changes", options));
    ARROW_ASSIGN_OR_RAISE(auto table, whole.Read(kPatience));
    if (table == nullptr) return arrow::Status::IOError("ring '", name, "': no view came");

    View view(std::move(changes));
    ARROW_RETURN_NOT_OK(view.Add(*table));
    const auto& metadata = table->schema()->metadata();
    if (metadata != nullptr && metadata->Contains("qadataswap.changes_until")) {
      ARROW_ASSIGN_OR_RAISE(const std::string until, metadata->Get("qadataswap.changes_until"));
      view.next_ = view.began_ = std::stoull(until) + 1;
    }
    return view;
  }

  // Adds all changes that are there; false after the last.
  arrow::Result<bool> CatchUp() {
    while (true) {
      auto next = changes_.ReadFrame(std::chrono::nanoseconds(0));
      if (qadataswap::ErrorKindOf(next.status()) == qadataswap::ErrorKind::kEndOfStream) return false;
      ARROW_ASSIGN_OR_RAISE(auto frame, std::move(next));
      if (!frame) return true;
      if (frame->sequence() < next_) continue;  // the whole view includes it
      ARROW_ASSIGN_OR_RAISE(auto table, changes_.ToTable(*frame));
      ARROW_RETURN_NOT_OK(Add(*table));
      next_ = frame->sequence() + 1;
    }
  }

  const qadataswap::Reader& changes() { return *changes_.reader(); }

  std::string Json() const {
    std::string rows;
    for (const auto& [row, weight] : weights_) {
      rows += rows.empty() ? "[" : ",[";
      for (const auto& cell : row) rows += Text(cell) + ",";
      rows += std::to_string(weight) + "]";
    }
    return "{\"began\":" + std::to_string(began_) + ",\"changes\":" + std::to_string(next_ - began_) + ",\"rows\":[" +
           rows + "]}";
  }

 private:
  explicit View(qadataswap::SharedDataFrame changes) : changes_(std::move(changes)) {}

  // Adds the rows of a table, each as often as its weight says.
  arrow::Status Add(const arrow::Table& table) {
    arrow::TableBatchReader batches(table);
    while (true) {
      ARROW_ASSIGN_OR_RAISE(auto batch, batches.Next());
      if (batch == nullptr) return arrow::Status::OK();
      const auto weights = std::dynamic_pointer_cast<arrow::Int64Array>(batch->GetColumnByName("weight"));
      if (weights == nullptr) return arrow::Status::TypeError("a view has a column `weight` of int64");
      for (int64_t i = 0; i < batch->num_rows(); ++i) {
        Row row;
        for (int c = 0; c < batch->num_columns(); ++c) {
          if (batch->column_name(c) == "weight") continue;
          const auto column = batch->column(c);
          if (const auto* numbers = dynamic_cast<const arrow::Int64Array*>(column.get())) {
            row.emplace_back(numbers->Value(i));
          } else if (const auto* times = dynamic_cast<const arrow::TimestampArray*>(column.get())) {
            row.emplace_back(times->Value(i));
          } else if (const auto* texts = dynamic_cast<const arrow::LargeStringArray*>(column.get())) {
            row.emplace_back(texts->GetString(i));
          } else {
            return arrow::Status::NotImplemented("a column of ", column->type()->ToString());
          }
        }
        const auto at = weights_.try_emplace(std::move(row), 0).first;
        at->second += weights->Value(i);
        if (at->second == 0) weights_.erase(at);
      }
    }
  }

  static std::string Text(const std::variant<int64_t, std::string>& cell) {
    if (const auto* number = std::get_if<int64_t>(&cell)) return std::to_string(*number);
    std::string text = "\"";
    for (const char c : std::get<std::string>(cell)) {
      if (c == '"' || c == '\\') text += '\\';
      text += c;
    }
    return text + "\"";
  }

  qadataswap::SharedDataFrame changes_;
  std::map<Row, int64_t> weights_;
  // The first change that the rows do not include; the same, when the view began.
  uint64_t next_ = 0;
  uint64_t began_ = 0;
};

arrow::Status Follow(const std::string& folder, const std::vector<std::string>& names) {
  std::vector<View> views;
  ARROW_ASSIGN_OR_RAISE(auto selector, qadataswap::ToResult(qadataswap::Selector::Make()));
  for (const auto& name : names) {
    ARROW_ASSIGN_OR_RAISE(auto view, View::Attach(name, folder));
    ARROW_RETURN_NOT_OK(qadataswap::ToStatus(selector.Add(views.size(), view.changes())));
    views.push_back(std::move(view));
  }
  while (selector.size() > 0) {
    ARROW_ASSIGN_OR_RAISE(const auto ready, qadataswap::ToResult(selector.Wait(kPatience)));
    if (ready.empty()) return arrow::Status::IOError("no change came");
    for (const uint64_t key : ready) {
      ARROW_ASSIGN_OR_RAISE(const bool goes_on, views[key].CatchUp());
      if (!goes_on) selector.Remove(key);
    }
  }
  std::string told;
  for (size_t i = 0; i < names.size(); ++i) {
    told += (i == 0 ? "\"" : ",\"") + names[i] + "\":" + views[i].Json();
  }
  std::printf("{\"about\":\"C++%ld, Arrow %s\",\"pid\":%d,\"views\":{%s}}\n", __cplusplus / 100 % 100,
              ARROW_VERSION_STRING, static_cast<int>(getpid()), told.c_str());
  return arrow::Status::OK();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    std::fprintf(stderr, "usage: %s FOLDER VIEW...\n", argv[0]);
    return 2;
  }
  const arrow::Status status = Follow(argv[1], std::vector<std::string>(argv + 2, argv + argc));
  if (!status.ok()) std::fprintf(stderr, "views: %s\n", status.ToString().c_str());
  return status.ok() ? 0 : 1;
}
