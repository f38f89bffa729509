//! COPY (query) TO STDOUT: rows as a file of text, CSV or PostgreSQL's binary form, which psql's
//! `\copy`, ADBC and ConnectorX read. It only reads; COPY FROM is refused before it gets here.

use std::fmt::Debug;

use arrow::datatypes::Schema;
use bytes::{BufMut, Bytes, BytesMut};
use datafusion::sql::sqlparser::ast::{
    CopyLegacyCsvOption, CopyLegacyOption, CopyOption, Statement,
};
use datafusion_postgres::arrow_pg::encoder::Encoder;
use futures::{Sink, SinkExt, StreamExt};
use pgwire::api::Type;
use pgwire::api::portal::Format;
use pgwire::api::results::{FieldFormat, FieldInfo, Tag};
use pgwire::error::{PgWireError, PgWireResult};
use pgwire::messages::PgWireBackendMessage;
use pgwire::messages::copy::{CopyData, CopyDone, CopyOutResponse};
use pgwire::types::ToSqlText;
use postgres_types::{IsNull, ToSql};

use super::rows::{self, failure};
use crate::service::Running;

/// The head of a binary file: its signature, no flags, no extension.
const BINARY_HEAD: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
/// What stands for a further row at the end of a binary file.
const BINARY_END: &[u8] = &(-1_i16).to_be_bytes();

/// How rows are written.
#[derive(Debug, Clone)]
pub(super) struct Form {
    kind: Kind,
    delimiter: char,
    null: String,
    quote: char,
    header: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Csv,
    Binary,
}

/// One option, from the lists of today and of before PostgreSQL 9.
enum Say {
    Kind(Kind),
    Delimiter(char),
    Null(String),
    Quote(char),
    Escape(char),
    Header(bool),
}

impl Form {
    /// The form that a COPY asks for.
    ///
    /// # Errors
    /// SQLSTATE 0A000 for an option that is not written here.
    pub(super) fn of(statement: &Statement) -> PgWireResult<Self> {
        let Statement::Copy { options, legacy_options, .. } = statement else {
            return Err(unsupported("what is no COPY"));
        };
        let mut said = Vec::new();
        for option in options {
            said.extend(today(option)?);
        }
        for option in legacy_options {
            said.extend(before(option)?);
        }
        let kind = said.iter().find_map(|say| match say {
            Say::Kind(kind) => Some(*kind),
            _ => None,
        });
        let kind = kind.unwrap_or(Kind::Text);
        let (delimiter, null) = if kind == Kind::Csv { (',', "") } else { ('\t', "\\N") };
        let mut form = Self { kind, delimiter, null: null.to_owned(), quote: '"', header: false };
        let mut escape = None;
        for say in said {
            match say {
                Say::Kind(_) => {}
                Say::Delimiter(delimiter) => form.delimiter = delimiter,
                Say::Null(null) => form.null = null,
                Say::Quote(quote) => form.quote = quote,
                Say::Escape(with) => escape = Some(with),
                Say::Header(header) => form.header = header,
            }
        }
        if escape.is_some_and(|escape| escape != form.quote) {
            return Err(unsupported("an ESCAPE other than the quote"));
        }
        if !(form.delimiter.is_ascii() && form.quote.is_ascii()) {
            return Err(unsupported("a delimiter or quote beyond ASCII"));
        }
        if kind == Kind::Binary && form.header {
            return Err(failure(
                "42601",
                "cannot specify HEADER in BINARY mode".to_owned(),
                "leave HEADER out, or say FORMAT csv",
            ));
        }
        Ok(form)
    }

    /// Sends the rows, and gives what is said at the end: `COPY` and their number.
    pub(super) async fn send<C>(
        &self,
        client: &mut C,
        mut running: Running,
        schema: &Schema,
    ) -> PgWireResult<Tag>
    where
        C: Sink<PgWireBackendMessage> + Unpin,
        C::Error: Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        let binary = self.kind == Kind::Binary;
        let format = if binary { Format::UnifiedBinary } else { Format::UnifiedText };
        let fields = rows::fields(schema, &format, None)?;
        let code = if binary { FieldFormat::Binary } else { FieldFormat::Text }.value();
        let head = CopyOutResponse::new(code as i8, fields.len() as i16, vec![code; fields.len()]);
        client.feed(PgWireBackendMessage::CopyOutResponse(head)).await?;
        let mut writer = Writer { form: self, columns: fields.len(), at: 0, row: BytesMut::new() };
        if binary {
            // It goes with the first row, as in PostgreSQL: psycopg takes each message for a row.
            writer.row.put_slice(BINARY_HEAD);
        } else if self.header {
            client.feed(data(writer.names(schema)?)).await?;
        }
        let mut count = 0;
        while let Some(batch) = running.next().await {
            let batch = batch?;
            for row in 0..batch.num_rows() {
                client.feed(data(rows::write(&mut writer, &fields, &batch, row)?)).await?;
            }
            count += batch.num_rows();
        }
        if binary {
            writer.row.put_slice(BINARY_END);
            client.feed(data(writer.take_row())).await?;
        }
        client.feed(PgWireBackendMessage::CopyDone(CopyDone::new())).await?;
        Ok(Tag::new("COPY").with_rows(count))
    }
}

fn today(option: &CopyOption) -> PgWireResult<Option<Say>> {
    Ok(Some(match option {
        CopyOption::Format(name) => Say::Kind(match name.value.to_lowercase().as_str() {
            "text" => Kind::Text,
            "csv" => Kind::Csv,
            "binary" => Kind::Binary,
            _ => return Err(unsupported(&format!("the format `{name}`"))),
        }),
        CopyOption::Delimiter(delimiter) => Say::Delimiter(*delimiter),
        CopyOption::Null(null) => Say::Null(null.clone()),
        CopyOption::Header(header) => Say::Header(*header),
        CopyOption::Quote(quote) => Say::Quote(*quote),
        CopyOption::Escape(escape) => Say::Escape(*escape),
        CopyOption::Encoding(name) if is_utf8(name) => return Ok(None),
        other => return Err(unsupported(&format!("the option {other}"))),
    }))
}

fn before(option: &CopyLegacyOption) -> PgWireResult<Vec<Say>> {
    Ok(match option {
        CopyLegacyOption::Binary => vec![Say::Kind(Kind::Binary)],
        CopyLegacyOption::Delimiter(delimiter) => vec![Say::Delimiter(*delimiter)],
        CopyLegacyOption::Null(null) => vec![Say::Null(null.clone())],
        CopyLegacyOption::Header => vec![Say::Header(true)],
        CopyLegacyOption::Csv(options) => {
            let mut said = vec![Say::Kind(Kind::Csv)];
            for option in options {
                said.push(match option {
                    CopyLegacyCsvOption::Header => Say::Header(true),
                    CopyLegacyCsvOption::Quote(quote) => Say::Quote(*quote),
                    CopyLegacyCsvOption::Escape(escape) => Say::Escape(*escape),
                    other => return Err(unsupported(&format!("the option {other}"))),
                });
            }
            said
        }
        other => return Err(unsupported(&format!("the option {other}"))),
    })
}

fn is_utf8(name: &str) -> bool {
    name.eq_ignore_ascii_case("utf8") || name.eq_ignore_ascii_case("utf-8")
}

fn unsupported(what: &str) -> PgWireError {
    let hint = "use FORMAT text, csv or binary, with DELIMITER, NULL, QUOTE or HEADER";
    failure("0A000", format!("COPY does not write {what}"), hint)
}

fn data(bytes: Bytes) -> PgWireBackendMessage {
    PgWireBackendMessage::CopyData(CopyData::new(bytes))
}

/// One row at a time.
struct Writer<'a> {
    form: &'a Form,
    columns: usize,
    at: usize,
    row: BytesMut,
}

impl Writer<'_> {
    /// The line of the columns' names.
    fn names(&mut self, schema: &Schema) -> PgWireResult<Bytes> {
        let text = FieldInfo::new(String::new(), None, None, Type::TEXT, FieldFormat::Text);
        for field in schema.fields() {
            self.encode_field(&field.name().as_str(), &text)?;
        }
        Ok(self.take_row())
    }

    /// A value of a text form: its special characters behind a backslash (PostgreSQL, COPY, "Text
    /// Format").
    fn escaped(&mut self, value: &[u8]) {
        for byte in value {
            let letter = match byte {
                0x08 => b'b',
                0x0c => b'f',
                b'\n' => b'n',
                b'\r' => b'r',
                b'\t' => b't',
                0x0b => b'v',
                b'\\' => b'\\',
                byte if *byte == self.form.delimiter as u8 => *byte,
                byte => {
                    self.row.put_u8(*byte);
                    continue;
                }
            };
            self.row.put_slice(&[b'\\', letter]);
        }
    }

    /// A value of a CSV file, in quotes where it would be read as something else: as a null, too.
    fn quoted(&mut self, value: &[u8]) {
        let quote = self.form.quote as u8;
        let special = |byte: &u8| [b'\n', b'\r', quote, self.form.delimiter as u8].contains(byte);
        let ends = self.columns == 1 && value == b"\\.";
        if value != self.form.null.as_bytes() && !ends && !value.iter().any(special) {
            self.row.put_slice(value);
            return;
        }
        self.row.put_u8(quote);
        for byte in value {
            if *byte == quote {
                self.row.put_u8(quote);
            }
            self.row.put_u8(*byte);
        }
        self.row.put_u8(quote);
    }
}

impl Encoder for Writer<'_> {
    type Item = Bytes;

    fn encode_field<T>(&mut self, value: &T, field: &FieldInfo) -> PgWireResult<()>
    where
        T: ToSql + ToSqlText + Sized,
    {
        let (kind, mut bytes) = (field.datatype(), BytesMut::new());
        if self.form.kind == Kind::Binary {
            if self.at == 0 {
                self.row.put_i16(self.columns as i16);
            }
            match value.to_sql(kind, &mut bytes)? {
                IsNull::Yes => self.row.put_i32(-1),
                IsNull::No => {
                    self.row.put_i32(bytes.len() as i32);
                    self.row.put_slice(&bytes);
                }
            }
        } else {
            if self.at > 0 {
                self.row.put_u8(self.form.delimiter as u8);
            }
            let form = self.form;
            match (value.to_sql_text(kind, &mut bytes, field.format_options())?, form.kind) {
                (IsNull::Yes, _) => self.row.put_slice(form.null.as_bytes()),
                (IsNull::No, Kind::Csv) => self.quoted(&bytes),
                (IsNull::No, _) => self.escaped(&bytes),
            }
        }
        self.at += 1;
        Ok(())
    }

    fn take_row(&mut self) -> Bytes {
        self.at = 0;
        if self.form.kind != Kind::Binary {
            self.row.put_u8(b'\n');
        }
        self.row.split().freeze()
    }
}
