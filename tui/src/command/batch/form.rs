//! The forms answers are written in.

use super::row::{COLUMNS, Cell, Kind};
use super::work::Answers;
use crate::args::BatchFormat;
use anyhow::Context as _;
use parquet::basic::{Compression, ConvertedType, Repetition, Type as Physical};
use parquet::column::writer::ColumnWriter;
use parquet::data_type::ByteArray;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::Type;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::sync::Arc;

/// A form of answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// An object a line.
    JsonLines,
    /// A row a line.
    Csv,
    /// Columns.
    Parquet,
}

/// Where answers go.
pub(super) trait Sink {
    /// Their form.
    fn form(&self) -> Form;
    /// Takes some, in order.
    fn write(&mut self, answers: Answers) -> anyhow::Result<()>;
    /// Hands on what has been taken, where the form has a beginning without its end.
    fn flush(&mut self) -> anyhow::Result<()>;
    /// Ends the file.
    fn finish(&mut self) -> anyhow::Result<()>;
}

/// The sink of a format: a file, or standard output.
pub(super) fn sink(format: BatchFormat, output: Option<&Path>) -> anyhow::Result<Box<dyn Sink>> {
    let out: Box<dyn Write + Send> = match output {
        Some(path) => {
            let file = File::create(path).with_context(|| format!("cannot write {}", path.display()))?;
            Box::new(file)
        }
        None => Box::new(io::stdout()),
    };
    let out = BufWriter::with_capacity(super::BUFFER, out);
    Ok(match format {
        BatchFormat::Jsonl => Box::new(Text::new(out, Form::JsonLines)),
        BatchFormat::Csv => Box::new(Text::new(out, Form::Csv)),
        BatchFormat::Parquet => Box::new(Columns::new(out)?),
    })
}

/// Lines of text.
pub(super) struct Text<W> {
    out: W,
    form: Form,
    begun: bool,
}

impl<W: Write> Text<W> {
    /// JSON Lines or CSV.
    pub(super) const fn new(out: W, form: Form) -> Self {
        Self { out, form, begun: false }
    }

    /// The names of the columns come first, also where no row does.
    fn begin(&mut self) -> anyhow::Result<()> {
        if !std::mem::replace(&mut self.begun, true) && self.form == Form::Csv {
            let names: Vec<&str> = COLUMNS.iter().map(|(name, _)| *name).collect();
            writeln!(self.out, "{}", names.join(","))?;
        }
        Ok(())
    }
}

impl<W: Write> Sink for Text<W> {
    fn form(&self) -> Form {
        self.form
    }

    fn write(&mut self, answers: Answers) -> anyhow::Result<()> {
        self.begin()?;
        Ok(self.out.write_all(&answers.text)?)
    }

    fn flush(&mut self) -> anyhow::Result<()> {
        Ok(self.out.flush()?)
    }

    fn finish(&mut self) -> anyhow::Result<()> {
        self.begin()?;
        self.flush()
    }
}

/// Rows of a group of a Parquet file: what a reader skips or reads at once.
const GROUP: usize = 1 << 16;

/// A Parquet file.
struct Columns<W: Write + Send> {
    /// `None` once it has ended.
    writer: Option<SerializedFileWriter<W>>,
    rows: Vec<Vec<Cell>>,
}

impl<W: Write + Send> Columns<W> {
    fn new(out: W) -> anyhow::Result<Self> {
        let fields = COLUMNS.iter().map(|(name, kind)| {
            let (physical, converted) = match kind {
                Kind::Text => (Physical::BYTE_ARRAY, ConvertedType::UTF8),
                Kind::Whole => (Physical::INT64, ConvertedType::NONE),
                Kind::Real => (Physical::DOUBLE, ConvertedType::NONE),
            };
            let field = Type::primitive_type_builder(name, physical)
                .with_repetition(Repetition::OPTIONAL)
                .with_converted_type(converted);
            field.build().map(Arc::new)
        });
        let fields = fields.collect::<Result<Vec<_>, _>>()?;
        let schema = Type::group_type_builder("plans").with_fields(fields).build()?;
        let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
        let writer = SerializedFileWriter::new(out, Arc::new(schema), Arc::new(properties))?;
        Ok(Self { writer: Some(writer), rows: Vec::new() })
    }

    fn write_group(&mut self) -> anyhow::Result<()> {
        let rows = std::mem::take(&mut self.rows);
        let Some(writer) = self.writer.as_mut().filter(|_| !rows.is_empty()) else { return Ok(()) };
        let mut group = writer.next_row_group()?;
        let mut index = 0;
        while let Some(mut column) = group.next_column()? {
            let cells = rows.iter().filter_map(|row| row.get(index));
            match column.untyped() {
                ColumnWriter::ByteArrayColumnWriter(typed) => {
                    let (values, levels) = packed(cells, |cell| match cell {
                        Cell::Text(text) => text.as_deref().map(ByteArray::from),
                        Cell::Whole(_) | Cell::Real(_) => None,
                    });
                    typed.write_batch(&values, Some(&levels), None)?;
                }
                ColumnWriter::Int64ColumnWriter(typed) => {
                    let (values, levels) = packed(cells, |cell| match cell {
                        Cell::Whole(n) => *n,
                        Cell::Text(_) | Cell::Real(_) => None,
                    });
                    typed.write_batch(&values, Some(&levels), None)?;
                }
                ColumnWriter::DoubleColumnWriter(typed) => {
                    let (values, levels) = packed(cells, |cell| match cell {
                        Cell::Real(x) => *x,
                        Cell::Text(_) | Cell::Whole(_) => None,
                    });
                    typed.write_batch(&values, Some(&levels), None)?;
                }
                ColumnWriter::BoolColumnWriter(_)
                | ColumnWriter::Int32ColumnWriter(_)
                | ColumnWriter::Int96ColumnWriter(_)
                | ColumnWriter::FloatColumnWriter(_)
                | ColumnWriter::FixedLenByteArrayColumnWriter(_) => {}
            }
            column.close()?;
            index += 1;
        }
        group.close()?;
        Ok(())
    }
}

/// The values that are there, and for every row whether one is.
fn packed<'a, T>(
    cells: impl Iterator<Item = &'a Cell>,
    value: impl Fn(&Cell) -> Option<T>,
) -> (Vec<T>, Vec<i16>) {
    let (mut values, mut levels) = (Vec::new(), Vec::new());
    for cell in cells {
        let found = value(cell);
        levels.push(i16::from(found.is_some()));
        values.extend(found);
    }
    (values, levels)
}

impl<W: Write + Send> Sink for Columns<W> {
    fn form(&self) -> Form {
        Form::Parquet
    }

    fn write(&mut self, answers: Answers) -> anyhow::Result<()> {
        self.rows.extend(answers.rows.into_iter().map(|row| row.0));
        if self.rows.len() >= GROUP { self.write_group() } else { Ok(()) }
    }

    fn flush(&mut self) -> anyhow::Result<()> {
        // A group of few rows is worth less than one of many: a file is for its end.
        Ok(())
    }

    fn finish(&mut self) -> anyhow::Result<()> {
        self.write_group()?;
        if let Some(writer) = self.writer.take() {
            writer.into_inner()?.flush()?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::batch::row::Row;
    use parquet::file::reader::{FileReader as _, SerializedFileReader};
    use parquet::record::Field;

    #[test]
    fn a_parquet_file_reads_back_as_what_was_written() {
        let row = |id: &str, context: Option<i64>| {
            let cells = COLUMNS.iter().map(|(name, kind)| match (*name, kind) {
                ("id", _) => Cell::Text(Some(id.to_owned())),
                ("context", _) => Cell::Whole(context),
                ("bytes_per_token", _) => Cell::Real(context.map(|_| 5536.03125)),
                (_, Kind::Text) => Cell::Text(None),
                (_, Kind::Whole) => Cell::Whole(None),
                (_, Kind::Real) => Cell::Real(None),
            });
            Row(cells.collect())
        };
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut sink = Columns::new(file.reopen().unwrap()).unwrap();
        for rows in [vec![row("a", Some(7)), row("b", None)], vec![row("c", Some(i64::MAX))]] {
            sink.write(Answers { rows, ..Answers::default() }).unwrap();
        }
        sink.finish().unwrap();
        let reader = SerializedFileReader::new(file.reopen().unwrap()).unwrap();
        let read: Vec<Vec<(String, Field)>> = reader
            .get_row_iter(None)
            .unwrap()
            .map(|row| {
                row.unwrap().get_column_iter().map(|(name, field)| (name.clone(), field.clone())).collect()
            })
            .collect();
        assert_eq!(read.len(), 3);
        let names: Vec<&str> = read[0].iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, COLUMNS.map(|(name, _)| name));
        let field = |row: usize, name: &str| read[row].iter().find(|(n, _)| n == name).unwrap().1.clone();
        assert_eq!(field(0, "id"), Field::Str("a".into()));
        assert_eq!(field(0, "bytes_per_token"), Field::Double(5536.03125));
        assert_eq!((field(1, "context"), field(2, "context")), (Field::Null, Field::Long(i64::MAX)));
    }
}
