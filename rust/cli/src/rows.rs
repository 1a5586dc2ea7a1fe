//! Rows of record batches as JSON, and schemas.
//!
//! A row is an object by column name. Integers, decimals, floats and booleans are JSON numbers and booleans (a
//! float that is no number is `null`), strings are strings, dates and times ISO 8601 strings, binaries
//! hexadecimal, lists arrays, structs and maps objects; a null is `null` and always there.

use crate::exit::{Exit, Failed};
use arrow::array::RecordBatch;
use arrow::datatypes::Schema;
use arrow::json::WriterBuilder;
use arrow::json::writer::JsonArray;
use serde::Serialize;
use serde_json::value::RawValue;

/// The rows of `batches`, at most `limit`, as a JSON array.
pub(crate) fn to_json(batches: &[RecordBatch], limit: Option<usize>) -> anyhow::Result<Box<RawValue>> {
    let batches = head(batches, limit);
    let mut writer = WriterBuilder::new().with_explicit_nulls(true).build::<_, JsonArray>(Vec::new());
    for batch in &batches {
        writer.write(batch).map_err(|error| {
            let message = format!("a column has no form in JSON: {error}; leave --json away");
            Failed::new(Exit::Corrupt, message)
        })?;
    }
    writer.finish()?;
    let mut text = writer.into_inner();
    if text.is_empty() {
        text.extend_from_slice(b"[]");
    }
    Ok(RawValue::from_string(String::from_utf8(text)?)?)
}

/// The first rows of `batches`.
pub(crate) fn head(batches: &[RecordBatch], limit: Option<usize>) -> Vec<RecordBatch> {
    let mut left = limit.unwrap_or(usize::MAX);
    let mut head = Vec::new();
    for batch in batches {
        let rows = batch.num_rows().min(left);
        if rows > 0 {
            head.push(batch.slice(0, rows));
        }
        left -= rows;
    }
    head
}

/// One column of a schema.
#[derive(Debug, Serialize)]
pub(crate) struct Column {
    pub(crate) name: String,
    #[serde(rename = "type")]
    pub(crate) data_type: String,
    pub(crate) nullable: bool,
}

/// The columns of a schema.
pub(crate) fn columns(schema: &Schema) -> Vec<Column> {
    let column = |field: &arrow::datatypes::FieldRef| Column {
        name: field.name().clone(),
        data_type: field.data_type().to_string(),
        nullable: field.is_nullable(),
    };
    schema.fields().iter().map(column).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{
        ArrayRef, BinaryViewArray, BooleanArray, Date32Array, Decimal128Array, DictionaryArray, Float64Array,
        Int64Array, ListArray, StringViewArray, StructArray, TimestampNanosecondArray,
    };
    use arrow::datatypes::{DataType, Field, Int8Type, Int64Type};
    use std::sync::Arc;

    fn batch() -> RecordBatch {
        let price = Arc::new(Float64Array::from(vec![Some(1.5), None])) as _;
        let symbol = Arc::new(StringViewArray::from(vec!["ES", "a long name \"quoted\""])) as _;
        RecordBatch::try_from_iter_with_nullable([("price", price, true), ("symbol", symbol, false)])
            .expect("two columns")
    }

    #[test]
    fn nulls_are_there() {
        let json = to_json(&[batch(), batch()], Some(2)).expect("JSON");
        assert_eq!(
            json.get(),
            r#"[{"price":1.5,"symbol":"ES"},{"price":null,"symbol":"a long name \"quoted\""}]"#
        );
    }

    #[test]
    fn each_kind_of_value_has_its_form() {
        let decimal = Decimal128Array::from(vec![12_345]).with_precision_and_scale(10, 2).expect("in range");
        let list = ListArray::from_iter_primitive::<Int64Type, _, _>([Some(vec![Some(1), None])]);
        let point = StructArray::from(vec![(
            Arc::new(Field::new("x", DataType::Boolean, true)),
            Arc::new(BooleanArray::from(vec![true])) as ArrayRef,
        )]);
        let kind: DictionaryArray<Int8Type> = ["quote"].into_iter().collect();
        let columns: [(&str, ArrayRef, &str); 8] = [
            ("integer", Arc::new(Int64Array::from(vec![i64::MAX])), "9223372036854775807"),
            ("not a number", Arc::new(Float64Array::from(vec![f64::NAN])), "null"),
            ("decimal", Arc::new(decimal), "123.45"),
            ("date", Arc::new(Date32Array::from(vec![0])), r#""1970-01-01""#),
            ("binary", Arc::new(BinaryViewArray::from(vec![&[0xab_u8, 1][..]])), r#""ab01""#),
            ("list", Arc::new(list), "[1,null]"),
            ("struct", Arc::new(point), r#"{"x":true}"#),
            ("dictionary", Arc::new(kind), r#""quote""#),
        ];
        for (name, column, json) in columns {
            let batch = RecordBatch::try_from_iter([(name, column)]).expect("one column");
            let text = to_json(&[batch], None).expect("JSON");
            assert_eq!(text.get(), format!(r#"[{{"{name}":{json}}}]"#));
        }
    }

    #[test]
    fn times_have_zones() {
        for (zone, text) in
            [("UTC", "1970-01-01T00:00:00Z"), ("America/New_York", "1969-12-31T19:00:00-05:00")]
        {
            let time = Arc::new(TimestampNanosecondArray::from(vec![0]).with_timezone(zone)) as _;
            let batch = RecordBatch::try_from_iter([("t", time)]).expect("one column");
            assert_eq!(to_json(&[batch], None).expect("JSON").get(), format!(r#"[{{"t":"{text}"}}]"#));
        }
    }

    #[test]
    fn no_rows_are_an_empty_array() {
        assert_eq!(to_json(&[], None).expect("JSON").get(), "[]");
        assert_eq!(to_json(&[batch()], Some(0)).expect("JSON").get(), "[]");
    }

    #[test]
    fn the_head_spans_chunks() {
        let rows = |limit| head(&[batch(), batch()], limit).iter().map(RecordBatch::num_rows).sum::<usize>();
        assert_eq!((rows(Some(3)), rows(None), rows(Some(0))), (3, 4, 0));
    }
}
