/// \file
/// Arrays of every type of Arrow C++, with nulls where there may be some.
#ifndef QADATASWAP_TESTS_ARROW_GALLERY_H
#define QADATASWAP_TESTS_ARROW_GALLERY_H

#include <arrow/api.h>
#include <arrow/extension/uuid.h>
#include <arrow/json/from_string.h>
#include <arrow/util/logging.h>
#include <arrow/util/key_value_metadata.h>

#include <cstdint>
#include <memory>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

namespace qadataswap {

/// An array and what it is called.
struct Exhibit {
  std::string name;
  std::shared_ptr<arrow::Array> array;

  /// For messages of tests.
  friend void PrintTo(const Exhibit& exhibit, std::ostream* out) { *out << exhibit.array->type()->ToString(); }
};

/// Of a JSON array.
inline std::shared_ptr<arrow::Array> FromJson(const std::shared_ptr<arrow::DataType>& type, const std::string& json) {
  return arrow::json::ArrayFromJSONString(type, json).ValueOrDie();
}

/// An extension type that Arrow does not know unless it is told.
class Price : public arrow::ExtensionType {
 public:
  Price() : arrow::ExtensionType(arrow::int64()) {}
  std::string extension_name() const override { return "qadataswap.test.price"; }
  bool ExtensionEquals(const arrow::ExtensionType& other) const override {
    return other.extension_name() == extension_name();
  }
  std::shared_ptr<arrow::Array> MakeArray(std::shared_ptr<arrow::ArrayData> data) const override {
    return std::make_shared<arrow::ExtensionArray>(std::move(data));
  }
  arrow::Result<std::shared_ptr<arrow::DataType>> Deserialize(std::shared_ptr<arrow::DataType>,
                                                              const std::string&) const override {
    return std::make_shared<Price>();
  }
  std::string Serialize() const override { return "1"; }
};

/// Also registers Price with Arrow.
inline std::vector<Exhibit> MakeGallery() {
  using namespace arrow;
  std::vector<Exhibit> all;
  ARROW_CHECK_OK(RegisterExtensionType(std::make_shared<Price>()));
  auto add = [&](std::string name, const std::shared_ptr<DataType>& type, const std::string& json) {
    all.push_back({std::move(name), FromJson(type, json)});
  };
  const std::string numbers = "[1, null, 3, 4, 5, 6, null, 8, 9, 10, 11]";
  for (const auto& type : {int8(), int16(), int32(), int64(), uint8(), uint16(), uint32(), uint64()}) {
    add(type->name(), type, numbers);
  }
  add("half_float", float16(), "[1, null, 0.5, -2, 0, 6, null, 8, 9, 10, 11]");
  add("float", float32(), "[1, null, 0.5, -2, 0, 6, null, 8, 9, 10, 11]");
  add("double", float64(), "[1, null, 0.5, -2, 0, 6, null, 8, 9, 10, 11]");
  add("double_without_nulls", float64(), "[1, 2, 0.5, -2, 0, 6, 7, 8, 9, 10, 11]");
  add("bool", boolean(), "[true, null, false, true, true, false, null, true, false, true, true]");
  const std::string decimals = R"(["1.25", null, "-3.50", "4.00", "5.00", "6.00", null, "8.00", "9.00", "0.10", "0.11"])";
  add("decimal32", smallest_decimal(9, 2), decimals);
  add("decimal64", smallest_decimal(18, 2), decimals);
  add("decimal128", decimal128(38, 2), decimals);
  add("decimal256", decimal256(76, 2), decimals);
  add("date32", date32(), numbers);
  add("date64", date64(), "[86400000, null, 0, 86400000, 0, 0, null, 0, 0, 0, 86400000]");
  add("time32_s", time32(TimeUnit::SECOND), numbers);
  add("time32_ms", time32(TimeUnit::MILLI), numbers);
  add("time64_us", time64(TimeUnit::MICRO), numbers);
  add("time64_ns", time64(TimeUnit::NANO), numbers);
  for (auto unit : {TimeUnit::SECOND, TimeUnit::MILLI, TimeUnit::MICRO, TimeUnit::NANO}) {
    const std::string suffix = std::to_string(static_cast<int>(unit));
    add("timestamp" + suffix, timestamp(unit), numbers);
    add("timestamp_with_zone" + suffix, timestamp(unit, "Asia/Shanghai"), numbers);
    add("duration" + suffix, duration(unit), numbers);
  }
  add("month_interval", month_interval(), numbers);
  add("day_time_interval", day_time_interval(), "[[1, 2], null, [3, 4], [5, 6], null, [7, 8], [9, 10]]");
  add("month_day_nano_interval", month_day_nano_interval(), "[[1, 2, 3], null, [4, 5, 6], null, [7, 8, 9]]");

  const std::string texts =
      R"(["a", null, "", "exactly twelve", "\u4e2d\u6587 and more than twelve bytes", "b", null, "c", "dd", "eee", "ffff"])";
  for (const auto& type : {utf8(), large_utf8(), utf8_view(), binary(), large_binary(), binary_view()}) {
    add(type->name(), type, texts);
    add(type->name() + "_all_short", type, R"(["a", null, "", "b"])");
  }
  add("fixed_size_binary", fixed_size_binary(3), R"(["abc", null, "def", "ghi", "jkl", null, "mno"])");

  const std::string lists = "[[1, 2], null, [], [3], [4, null, 5], [6], [], null, [7, 8, 9, 10]]";
  add("list", list(int32()), lists);
  add("large_list", large_list(int32()), lists);
  add("list_view", list_view(int32()), lists);
  add("large_list_view", large_list_view(int32()), lists);
  add("fixed_size_list", fixed_size_list(int16(), 2), "[[1, 2], null, [3, null], [4, 5], [6, 7], null, [8, 9]]");
  add("list_of_text_lists", list(list(utf8_view())),
      R"([[["a", "more than twelve bytes"], []], null, [null, ["b"]], [], [["c"]]])");
  add("list_with_named_items", list(field("element", utf8(), false)), R"([["a"], [], null, ["b", "c"], ["d"]])");

  const auto people = struct_({field("name", utf8()), field("age", int8()), field("ok", boolean())});
  add("struct", people,
      R"([{"name": "a", "age": 1, "ok": true}, null, {"name": null, "age": 3, "ok": false},
          {"name": "d", "age": null, "ok": null}, {"name": "e", "age": 5, "ok": true}])");
  add("struct_without_fields", struct_({}), "[{}, null, {}, {}]");
  add("list_of_structs", list(people), R"([[{"name": "a", "age": 1, "ok": true}], null, [],
                                           [null, {"name": "b", "age": 2, "ok": false}]])");
  add("map", map(utf8(), int32()), R"([[["a", 1], ["b", null]], null, [], [["c", 3]]])");
  add("map_with_sorted_keys", map(utf8(), int32(), /*keys_sorted=*/true), R"([[["a", 1], ["b", null]], null, []])");

  const FieldVector members = {field("number", int64()), field("text", utf8())};
  const std::vector<int8_t> codes = {4, 9};
  const std::string unions = R"([[4, 1], [9, "a"], [4, null], [9, "bb"], [9, null], [4, 3], [9, "ccc"]])";
  add("sparse_union", sparse_union(members, codes), unions);
  add("dense_union", dense_union(members, codes), unions);
  add("struct_of_dense_union", struct_({field("either", dense_union(members, codes))}),
      R"([{"either": [4, 1]}, {"either": [9, "a"]}, null, {"either": [9, "b"]}])");

  const auto indices = FromJson(int8(), "[0, 1, null, 2, 0, 1, 2, null, 2]");
  const auto names = FromJson(utf8(), R"(["AAPL", "a name longer than twelve bytes", "MSFT"])");
  const auto coded = DictionaryArray::FromArrays(dictionary(int8(), utf8()), indices, names).ValueOrDie();
  all.push_back({"dictionary", coded});
  all.push_back({"ordered_dictionary",
                 DictionaryArray::FromArrays(dictionary(int8(), utf8(), /*ordered=*/true), indices, names).ValueOrDie()});
  all.push_back({"dictionary_of_views", DictionaryArray::FromArrays(
                                            dictionary(uint32(), utf8_view()), FromJson(uint32(), "[2, 0, null, 1]"),
                                            FromJson(utf8_view(), R"(["x", "yyyyyyyyyyyyyyyyy", "z"])"))
                                            .ValueOrDie()});
  all.push_back({"dictionary_of_numbers",
                 DictionaryArray::FromArrays(dictionary(int64(), float64()), FromJson(int64(), "[1, 0, null, 1]"),
                                             FromJson(float64(), "[1.5, 2.5]"))
                     .ValueOrDie()});
  all.push_back({"list_of_dictionary", ListArray::FromArrays(*FromJson(int32(), "[0, 2, 2, 5, 9]"), *coded).ValueOrDie()});
  all.push_back({"struct_of_dictionary",
                 StructArray::Make({coded, FromJson(int32(), "[0, 1, 2, 3, 4, 5, 6, 7, 8]")},
                                   std::vector<std::string>{"coded", "number"})
                     .ValueOrDie()});

  const auto runs = RunEndEncodedArray::Make(20, FromJson(int32(), "[3, 5, 11, 20]"),
                                             FromJson(utf8(), R"(["a", null, "c", "d"])"))
                        .ValueOrDie();
  all.push_back({"run_end_encoded", runs});
  all.push_back({"run_end_encoded_16", RunEndEncodedArray::Make(20, FromJson(int16(), "[3, 20]"),
                                                                 FromJson(float64(), "[1.5, 2.5]"))
                                           .ValueOrDie()});
  all.push_back({"null", std::make_shared<NullArray>(11)});
  all.push_back({"struct_of_null", StructArray::Make({std::make_shared<NullArray>(5), FromJson(int8(), "[1, 2, 3, 4, 5]")},
                                                     std::vector<std::string>{"nothing", "number"})
                                       .ValueOrDie()});

  all.push_back({"extension_of_arrow", ExtensionType::WrapArray(
                                           extension::uuid(), FromJson(fixed_size_binary(16),
                                                                       R"(["0123456789abcdef", null, "fedcba9876543210"])"))});
  all.push_back({"extension", ExtensionType::WrapArray(std::make_shared<Price>(), FromJson(int64(), numbers))});
  return all;
}

/// The same, made once.
inline const std::vector<Exhibit>& Gallery() {
  static const std::vector<Exhibit> gallery = MakeGallery();
  return gallery;
}

/// A table of one column `c`.
inline std::shared_ptr<arrow::Table> TableOf(const std::shared_ptr<arrow::Array>& array) {
  return arrow::Table::Make(arrow::schema({arrow::field("c", array->type())}), {array});
}

}  // namespace qadataswap

#endif  // QADATASWAP_TESTS_ARROW_GALLERY_H
