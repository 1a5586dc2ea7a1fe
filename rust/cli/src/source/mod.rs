//! A file as record batches: Parquet, Arrow IPC (file or stream) or CSV.

mod cut;
mod format;

pub(crate) use format::Format;

use crate::exit::{Exit, Failed};
use anyhow::Context;
use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow::ipc::reader::{FileReader, StreamReader};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use std::fs::File;
use std::io::{BufReader, Seek};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// CSV rows from which the columns' types are inferred.
const CSV_INFER_ROWS: usize = 10_000;

/// A file to be read in frames of a given number of rows.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    path: PathBuf,
    format: Format,
}

/// The frames of a file, in order.
pub(crate) type Frames = Box<dyn Iterator<Item = Result<RecordBatch, ArrowError>>>;

impl Source {
    /// Finds out what `path` is, unless told.
    pub(crate) fn new(path: &Path, format: Option<Format>) -> anyhow::Result<Source> {
        let format = match format {
            Some(format) => format,
            None => {
                let file = open(path)?;
                Format::of(path, file)?.ok_or_else(|| {
                    let message = format!(
                        "{}: expected Parquet, Arrow IPC or CSV; name it with --format",
                        path.display()
                    );
                    Failed::new(Exit::Usage, message)
                })?
            }
        };
        Ok(Source { path: path.to_owned(), format })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Rows in the file, if its format tells without reading it all.
    pub(crate) fn rows(&self) -> anyhow::Result<Option<u64>> {
        if self.format != Format::Parquet {
            return Ok(None);
        }
        let builder =
            ParquetRecordBatchReaderBuilder::try_new(open(&self.path)?).with_context(|| self.unreadable())?;
        Ok(u64::try_from(builder.metadata().file_metadata().num_rows()).ok())
    }

    /// Reads the file from its start, in frames of `rows` rows; the last may have fewer.
    pub(crate) fn frames(&self, rows: usize) -> anyhow::Result<Frames> {
        let (schema, batches) = self.batches(rows).with_context(|| self.unreadable())?;
        Ok(Box::new(cut::Cut::new(schema, batches, rows)))
    }

    fn batches(&self, rows: usize) -> anyhow::Result<(SchemaRef, Frames)> {
        let file = open(&self.path)?;
        Ok(match self.format {
            Format::Parquet => {
                let reader = ParquetRecordBatchReaderBuilder::try_new(file)?.with_batch_size(rows).build()?;
                (arrow::array::RecordBatchReader::schema(&reader), Box::new(reader))
            }
            Format::Arrow => {
                let reader = FileReader::try_new_buffered(file, None)?;
                (reader.schema(), Box::new(reader))
            }
            Format::ArrowStream => {
                let reader = StreamReader::try_new_buffered(file, None)?;
                (reader.schema(), Box::new(reader))
            }
            Format::Csv => {
                let format = arrow::csv::reader::Format::default().with_header(true);
                let mut file = BufReader::new(file);
                let (schema, _) = format.infer_schema(&mut file, Some(CSV_INFER_ROWS))?;
                file.rewind()?;
                let schema = Arc::new(schema);
                let builder = arrow::csv::ReaderBuilder::new(schema.clone()).with_format(format);
                (schema, Box::new(builder.with_batch_size(rows).build_buffered(file)?))
            }
        })
    }

    /// What to say when reading fails.
    pub(crate) fn unreadable(&self) -> String {
        format!("reading {} as {}", self.path.display(), self.format)
    }
}

fn open(path: &Path) -> anyhow::Result<File> {
    File::open(path).with_context(|| format!("opening {}", path.display()))
}
