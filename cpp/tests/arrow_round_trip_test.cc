// Every type of Arrow goes through a ring unchanged and is read where it lies.
#include <arrow/api.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "arrow_gallery.h"
#include "arrow_test_base.h"

namespace qadataswap {
namespace {

class EveryType : public DataFrames, public ::testing::WithParamInterface<Exhibit> {
 protected:
  /// Writes a table and reads it back, equal, valid, and in place.
  void Pass(const std::shared_ptr<arrow::Table>& table) {
    ASSERT_OK(table->ValidateFull());
    ASSERT_OK(writer_->Write(table));
    Frame frame = NextFrame();
    ASSERT_RESULT(auto read, reader_->ToTable(frame));
    ASSERT_OK(read->ValidateFull());
    EXPECT_TRUE(read->schema()->Equals(*table->schema(), /*check_metadata=*/true))
        << "wrote " << table->schema()->ToString(true) << "\nread " << read->schema()->ToString(true);
    EXPECT_TRUE(read->Equals(*table, /*check_metadata=*/true))
        << "wrote " << table->ToString() << "\nread " << read->ToString();
    EXPECT_EQ(frame.num_rows(), static_cast<uint64_t>(table->num_rows()));
    EXPECT_EQ(frame.bytes_copied(), 0u);
    ExpectWithin(*read, frame.bytes());
  }
};

TEST_P(EveryType, WholeIsReadAsItWasWritten) { Pass(TableOf(GetParam().array)); }

TEST_P(EveryType, SliceIsReadAsItWasWritten) {
  const auto& array = GetParam().array;
  for (int64_t offset : {1, 2, 3}) {
    if (offset >= array->length()) break;
    Pass(TableOf(array->Slice(offset)));
    Pass(TableOf(array->Slice(offset, array->length() - offset - 1)));
  }
}

TEST_P(EveryType, SliceOfNoRowsIsReadAsItWasWritten) { Pass(TableOf(GetParam().array->Slice(1, 0))); }

TEST_P(EveryType, EmptyIsReadAsItWasWritten) {
  Pass(TableOf(arrow::MakeEmptyArray(GetParam().array->type()).ValueOrDie()));
}

TEST_P(EveryType, NullsOnlyAreReadAsTheyWereWritten) {
  Pass(TableOf(arrow::MakeArrayOfNull(GetParam().array->type(), 9).ValueOrDie()));
}

TEST_P(EveryType, ChunksAreReadAsTheyWereWritten) {
  const auto& array = GetParam().array;
  const auto chunks = std::make_shared<arrow::ChunkedArray>(
      arrow::ArrayVector{array->Slice(1), array, array->Slice(0, 1)}, array->type());
  Pass(arrow::Table::Make(arrow::schema({arrow::field("c", array->type())}), {chunks}));
}

TEST_P(EveryType, InsideAStructIsReadAsItWasWritten) {
  const auto& array = GetParam().array;
  ASSERT_RESULT(auto nested, arrow::StructArray::Make({array, array}, std::vector<std::string>{"a", "b"}));
  Pass(TableOf(nested));
  Pass(TableOf(nested->Slice(1)));
}

TEST_P(EveryType, ImportIsThatOfArrow) {
  ASSERT_OK(writer_->Write(TableOf(GetParam().array)));
  Frame frame = NextFrame();
  ASSERT_RESULT(auto ours, reader_->ToTable(frame));
  ASSERT_VALUE(ArrowArray array, frame.ExportBatch(0));
  ASSERT_RESULT(auto theirs, arrow::ImportRecordBatch(&array, ours->schema()));
  const arrow::ArrayData& left = *ours->column(0)->chunk(0)->data();
  const arrow::ArrayData& right = *theirs->column(0)->data();
  ASSERT_EQ(left.buffers.size(), right.buffers.size());
  for (size_t i = 0; i < left.buffers.size(); ++i) {
    ASSERT_EQ(left.buffers[i] == nullptr, right.buffers[i] == nullptr) << "buffer " << i;
    if (left.buffers[i] == nullptr) continue;
    if (right.buffers[i]->size() > 0) {
      EXPECT_EQ(left.buffers[i]->data(), right.buffers[i]->data()) << "buffer " << i;
    }
    EXPECT_GE(left.buffers[i]->size(), right.buffers[i]->size()) << "buffer " << i;
  }
  EXPECT_EQ(left.child_data.size(), right.child_data.size());
  EXPECT_EQ(left.GetNullCount(), right.GetNullCount());
}

INSTANTIATE_TEST_SUITE_P(Gallery, EveryType, ::testing::ValuesIn(Gallery()),
                         [](const auto& info) { return info.param.name; });

class RoundTrip : public DataFrames {
 protected:
  std::shared_ptr<arrow::Table> Pass(const std::shared_ptr<arrow::Table>& table) {
    EXPECT_TRUE(writer_->Write(table).ok());
    auto read = reader_->Read(kSoon).ValueOrDie();
    EXPECT_NE(read, nullptr);
    EXPECT_TRUE(read->ValidateFull().ok());
    EXPECT_TRUE(read->Equals(*table, /*check_metadata=*/true))
        << "wrote " << table->ToString() << "\nread " << read->ToString();
    return read;
  }
};

TEST_F(RoundTrip, TableOfEveryTypeIsReadAsItWasWritten) {
  arrow::FieldVector fields;
  arrow::ArrayVector columns;
  for (const Exhibit& exhibit : Gallery()) {
    if (exhibit.array->length() < 3) continue;
    fields.push_back(arrow::field(exhibit.name, exhibit.array->type()));
    columns.push_back(exhibit.array->Slice(1, 2));
  }
  Pass(arrow::Table::Make(arrow::schema(fields), columns));
}

TEST_F(RoundTrip, MetadataOfSchemaAndFieldsIsKept) {
  const auto metadata = arrow::key_value_metadata({"who", "", "zh"}, {"me", "", "\xe4\xb8\xad"});
  const auto field = arrow::field("n", arrow::int64(), false, metadata);
  Pass(arrow::Table::Make(arrow::schema({field}, metadata), {FromJson(arrow::int64(), "[1, 2]")}));
}

TEST_F(RoundTrip, MetadataMakesAnotherSchema) {
  const auto column = FromJson(arrow::int64(), "[1]");
  for (const char* who : {"me", "you", "me"}) {
    const auto metadata = arrow::key_value_metadata({"who"}, {who});
    Pass(arrow::Table::Make(arrow::schema({arrow::field("n", arrow::int64())}, metadata), {column}));
  }
}

TEST_F(RoundTrip, TableOfNoColumnsKeepsItsRows) {
  const auto batch = arrow::RecordBatch::Make(arrow::schema({}), 7, arrow::ArrayVector{});
  ASSERT_OK(writer_->Write(batch));
  ASSERT_RESULT(auto read, reader_->ReadBatch(kSoon));
  EXPECT_EQ(read->num_rows(), 7);
  EXPECT_EQ(read->num_columns(), 0);
}

TEST_F(RoundTrip, TableOfNoChunksIsATableOfNoRows) {
  const auto schema = arrow::schema({arrow::field("n", arrow::int64())});
  ASSERT_RESULT(auto table, arrow::Table::FromRecordBatches(schema, {}));
  EXPECT_EQ(Pass(table)->num_rows(), 0);
}

TEST_F(RoundTrip, ColumnsOfDifferentChunksAreAligned) {
  const auto numbers = FromJson(arrow::int64(), "[0, 1, 2, 3, 4, 5, 6]");
  const auto texts = FromJson(arrow::utf8_view(), R"(["a", "b", "c", "d", "e", "f", "g"])");
  const auto left = std::make_shared<arrow::ChunkedArray>(arrow::ArrayVector{numbers->Slice(0, 3), numbers->Slice(3)});
  const auto right = std::make_shared<arrow::ChunkedArray>(arrow::ArrayVector{texts->Slice(0, 5), texts->Slice(5)});
  const auto schema = arrow::schema({arrow::field("n", arrow::int64()), arrow::field("s", arrow::utf8_view())});
  const auto read = Pass(arrow::Table::Make(schema, {left, right}));
  EXPECT_EQ(read->column(0)->num_chunks(), 3);
}

TEST_F(RoundTrip, ChunksOfDifferentDictionariesKeepTheirs) {
  const auto type = arrow::dictionary(arrow::int8(), arrow::utf8());
  arrow::ArrayVector chunks;
  for (const char* names : {R"(["a", "b"])", R"(["c"])", R"(["a", "b"])", R"(["a", "b", "d"])"}) {
    ASSERT_RESULT(auto chunk, arrow::DictionaryArray::FromArrays(type, FromJson(arrow::int8(), "[0, null, 0]"),
                                                                 FromJson(arrow::utf8(), names)));
    chunks.push_back(std::move(chunk));
  }
  Pass(arrow::Table::Make(arrow::schema({arrow::field("c", type)}),
                          {std::make_shared<arrow::ChunkedArray>(chunks, type)}));
}

TEST_F(RoundTrip, DictionariesChangeFromTableToTable) {
  const auto type = arrow::dictionary(arrow::int8(), arrow::utf8());
  for (const char* names : {R"(["a", "b"])", R"(["c", "a much longer name"])", R"(["a", "b"])"}) {
    ASSERT_RESULT(auto column, arrow::DictionaryArray::FromArrays(type, FromJson(arrow::int8(), "[1, null, 0]"),
                                                                  FromJson(arrow::utf8(), names)));
    Pass(TableOf(column));
  }
}

TEST_F(RoundTrip, SchemasChangeFromTableToTable) {
  for (int round = 0; round < 2; ++round) {
    for (const Exhibit& exhibit : Gallery()) Pass(TableOf(exhibit.array));
  }
}

TEST_F(RoundTrip, ViewsWithLengthsOfSeveralBuffersAreKept) {
  const auto first = FromJson(arrow::utf8_view(), R"(["a text of more than twelve bytes", "short"])");
  const auto second = FromJson(arrow::utf8_view(), R"(["another text of more than twelve bytes"])");
  ASSERT_RESULT(auto both, arrow::Concatenate({first, second}));
  EXPECT_GT(both->data()->buffers.size(), 3u);
  Pass(TableOf(both));
}

TEST_F(RoundTrip, NullCountThatIsNotKnownIsCounted) {
  const auto data = FromJson(arrow::int32(), "[1, null, 3, null]")->data()->Copy();
  data->SetNullCount(arrow::kUnknownNullCount);
  EXPECT_EQ(Pass(TableOf(arrow::MakeArray(data)))->column(0)->null_count(), 2);
}

TEST_F(RoundTrip, BitmapOfOnesIsLeftOut) {
  const auto data = FromJson(arrow::int32(), "[1, 2, 3]")->data()->Copy();
  ASSERT_RESULT(data->buffers[0], arrow::AllocateBitmap(3));
  std::memset(data->buffers[0]->mutable_data(), 0xFF, 1);
  data->SetNullCount(arrow::kUnknownNullCount);
  const auto read = Pass(TableOf(arrow::MakeArray(data)));
  EXPECT_EQ(read->column(0)->chunk(0)->data()->buffers[0], nullptr);
}

TEST_F(RoundTrip, ExtensionTypeThatIsNotRegisteredIsReadAsItsStorage) {
  const auto numbers = FromJson(arrow::int64(), "[1, null]");
  ASSERT_OK(writer_->Write(TableOf(arrow::ExtensionType::WrapArray(std::make_shared<Price>(), numbers))));
  ASSERT_OK(arrow::UnregisterExtensionType("qadataswap.test.price"));
  const auto read = reader_->Read(kSoon);
  ASSERT_OK(arrow::RegisterExtensionType(std::make_shared<Price>()));
  ASSERT_OK(read);
  EXPECT_TRUE((*read)->column(0)->chunk(0)->Equals(numbers));
  EXPECT_EQ(*(*read)->schema()->field(0)->metadata()->Get("ARROW:extension:name"), "qadataswap.test.price");
}

TEST_F(RoundTrip, CompressedFramesAreReadAsTheyWereWritten) {
  for (auto compression : {Compression::kLz4, Compression::kZstd}) {
    WriterOptions options;
    options.compression = compression;
    Open(options);
    for (const Exhibit& exhibit : Gallery()) Pass(TableOf(exhibit.array));
  }
}

TEST_F(RoundTrip, ValidatedFramesAreReadAsTheyWereWritten) {
  for (auto validation : {Validation::kFull, Validation::kFullOnCopy}) {
    ReaderOptions options;
    options.validation = validation;
    Open({}, options);
    for (const Exhibit& exhibit : Gallery()) Pass(TableOf(exhibit.array));
  }
}

}  // namespace
}  // namespace qadataswap
