//! Rows of a CSV file. Takes the guarded text, gives records of the header's length; a row that
//! has another length or is not UTF-8 is a fault of that row, not of the file.

use csv::{ErrorKind, ReaderBuilder, StringRecord};

use super::error::{ImportError, Problem};
use super::input::{Fault, Guarded, SPLIT_HINT, read_error};

/// Rows of a CSV file.
pub(super) struct CsvRows {
    reader: csv::Reader<Guarded>,
    header: Vec<String>,
    file: String,
    row: u64,
}

impl CsvRows {
    /// Reads the header.
    pub(super) fn open(text: Guarded, delimiter: u8, file: &str) -> Result<CsvRows, ImportError> {
        // Lengths are checked here, to say how many fields were found where.
        let reader = ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .delimiter(delimiter)
            .buffer_capacity(1 << 16)
            .from_reader(text);
        let mut rows = CsvRows { reader, header: Vec::new(), file: file.to_owned(), row: 0 };
        let mut record = StringRecord::new();
        match rows.read(&mut record) {
            Ok(_) => rows.header = record.iter().map(|name| name.trim().to_owned()).collect(),
            Err(Fault::File(error)) => return Err(error),
            Err(Fault::Row(_)) => {
                return Err(ImportError::Unsupported {
                    file: file.to_owned(),
                    found: "text that is not UTF-8".to_owned(),
                    expected: "CSV in UTF-8",
                    hint: "save it as UTF-8",
                });
            }
        }
        Ok(rows)
    }

    pub(super) fn header(&self) -> &[String] {
        &self.header
    }

    pub(super) fn next(&mut self, record: &mut StringRecord) -> Result<bool, Fault> {
        self.row += 1;
        if !self.read(record)? {
            return Ok(false);
        }
        if record.len() == self.header.len() {
            return Ok(true);
        }
        Err(Fault::Row(Problem::row(
            self.row,
            format!("{} fields", record.len()),
            format!("{} as in the header", self.header.len()),
        )))
    }

    fn read(&mut self, record: &mut StringRecord) -> Result<bool, Fault> {
        self.reader.get_mut().record_starts();
        self.reader.read_record(record).map_err(|error| match error.kind() {
            ErrorKind::Utf8 { err, .. } => {
                let column = self.header.get(err.field()).map_or("", String::as_str);
                let mut problem = Problem::cell(self.row, column, "", "text in UTF-8");
                "bytes that are not UTF-8".clone_into(&mut problem.found);
                Fault::Row(problem)
            }
            _ => Fault::File(match self.reader.get_ref().hit() {
                Some((what, limit)) => {
                    ImportError::TooLarge { file: self.file.clone(), what, limit, hint: SPLIT_HINT }
                }
                None => read_error(&self.file, &error),
            }),
        })
    }

    pub(super) fn content_hash(&self) -> u128 {
        self.reader.get_ref().digest()
    }
}
