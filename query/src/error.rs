//! Why a query was not answered, and how each door says so: the one mapping to HTTP status and
//! SQLSTATE. It knows neither protocol, only their codes.

use std::time::Duration;

use datafusion::error::DataFusionError;
use spanledger_store::StoreError;

/// One variant per outcome that a client treats differently.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// The text is not SQL.
    #[error("cannot read the query: {0}")]
    Syntax(String),
    /// The text is SQL, but no query over what is there: unknown table or column, wrong types.
    #[error("{0}")]
    Invalid(String),
    /// A statement that does more than read.
    #[error("`{statement}` is refused: this door only reads")]
    ReadOnly {
        /// First words of the statement.
        statement: String,
    },
    /// Something that this server does not do.
    #[error("{0}")]
    Unsupported(String),
    /// No question has that name.
    #[error("no question is named `{0}`")]
    UnknownQuestion(String),
    /// What is asked about is not in the tables.
    #[error("{0}")]
    NotFound(String),
    /// A parameter of a question or query has no usable value.
    #[error("{what} is `{found}`, expected {expected}")]
    Parameter {
        /// Which parameter.
        what: String,
        /// The value.
        found: String,
        /// What it may be.
        expected: String,
    },
    /// The client accepts no format that we write.
    #[error("no answer can be written as `{0}`")]
    Format(String),
    /// The client accepts none of the few forms that this answer has.
    #[error("no answer can be written as `{accept}`, expected one of {offered}")]
    Page {
        /// What it accepts.
        accept: String,
        /// What there is.
        offered: String,
    },
    /// Ran longer than allowed.
    #[error("the query was stopped after {} s, its deadline", .0.as_secs_f64())]
    Deadline(Duration),
    /// The client asked to stop it, or went away.
    #[error("the query was cancelled")]
    Cancelled,
    /// Too many queries are running.
    #[error("{0} queries are running, the most allowed")]
    Busy(usize),
    /// More rows than allowed.
    #[error("the answer has more than {0} rows")]
    Rows(u64),
    /// A bigger answer than allowed.
    #[error("the answer has more than {0} bytes")]
    Bytes(u64),
    /// More memory or spill space than allowed.
    #[error("the query needs more memory than it may have: {0}")]
    Memory(String),
    /// The tables could not be read.
    #[error("cannot read the tables: {0}")]
    Store(#[from] StoreError),
    /// A fault of ours.
    #[error("the query failed: {0}")]
    Failed(String),
}

/// What the planner's and the kernels' words mean to a client: the words, the SQLSTATE, and what to do
/// about it; the first whose words are all there.
const INVALID: [(&[&str], &str, &str); 11] = [
    (
        &["No field named ctid"],
        "42703",
        "rows have no place of their own here: read the table whole (DuckDB: SET \
         pg_use_ctid_scan = false)",
    ),
    (
        &["table '", "not found"],
        "42P01",
        "SELECT table_name FROM information_schema.tables lists the tables",
    ),
    (
        &["No field named"],
        "42703",
        "SELECT table_name, column_name FROM information_schema.columns lists the columns; texts \
         stand in single quotes",
    ),
    (
        &["Invalid function"],
        "42883",
        "functions are DataFusion's and many of PostgreSQL's: look for another name of it",
    ),
    (&["mbiguous"], "42702", "say of which table the column is: table.column"),
    (&["GROUP BY"], "42803", "group by the column too, or aggregate it: max(column)"),
    (
        &["Correlated scalar subquery"],
        "42000",
        "aggregate what the inner query selects, max(column), or join its table",
    ),
    (&["ivide by zero"], "22012", "divide by nullif(divisor, 0), which gives null there"),
    (&["verflow"], "22003", "cast to a wider type before: bigint, numeric or double precision"),
    (&["annot cast"], "22P02", "TRY_CAST(value AS type) gives null for what is none"),
    (&["arsing error"], "22007", "instants are written '2026-11-25T08:00:00Z', days '2026-11-25'"),
];

impl QueryError {
    /// HTTP status.
    pub fn status(&self) -> u16 {
        match self {
            Self::Syntax(_) | Self::Invalid(_) | Self::Parameter { .. } => 400,
            Self::ReadOnly { .. } => 403,
            Self::UnknownQuestion(_) | Self::NotFound(_) => 404,
            Self::Format(_) | Self::Page { .. } => 406,
            Self::Rows(_) | Self::Bytes(_) | Self::Memory(_) | Self::Unsupported(_) => 422,
            // Nobody is left to read it; nginx's code for a client that closed.
            Self::Cancelled => 499,
            Self::Store(_) | Self::Failed(_) => 500,
            Self::Busy(_) => 503,
            Self::Deadline(_) => 504,
        }
    }

    /// SQLSTATE, PostgreSQL appendix A.
    pub fn sqlstate(&self) -> &'static str {
        match self {
            Self::Syntax(_) => "42601",
            Self::Invalid(text) => known(text).map_or("42000", |(code, _)| code),
            Self::Parameter { .. } => "22023",
            Self::ReadOnly { .. } => "25006",
            Self::UnknownQuestion(_) => "42883",
            Self::NotFound(_) => "02000",
            Self::Format(_) | Self::Page { .. } | Self::Unsupported(_) => "0A000",
            Self::Rows(_) | Self::Bytes(_) => "54000",
            Self::Memory(_) => "53200",
            Self::Cancelled | Self::Deadline(_) => "57014",
            Self::Busy(_) => "53300",
            Self::Store(_) => "58030",
            Self::Failed(_) => "XX000",
        }
    }

    /// What kind of failure it is, in a few words.
    pub fn title(&self) -> &'static str {
        match self {
            Self::Syntax(_) => "syntax error",
            Self::Invalid(_) => "invalid query",
            Self::ReadOnly { .. } => "read only",
            Self::Unsupported(_) => "not supported",
            Self::UnknownQuestion(_) => "unknown question",
            Self::NotFound(_) => "not found",
            Self::Parameter { .. } => "invalid parameter",
            Self::Format(_) | Self::Page { .. } => "not acceptable",
            Self::Deadline(_) => "deadline exceeded",
            Self::Cancelled => "cancelled",
            Self::Busy(_) => "too many queries",
            Self::Rows(_) => "too many rows",
            Self::Bytes(_) => "answer too large",
            Self::Memory(_) => "out of memory",
            Self::Store(_) => "store unavailable",
            Self::Failed(_) => "internal error",
        }
    }

    /// What the caller may do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::ReadOnly { .. } => "use SELECT, WITH, VALUES, EXPLAIN or SHOW",
            Self::NotFound(_) => {
                "look the id up with SQL; rows are visible about a second after they were \
                 acknowledged, and calls once their trace was quiet"
            }
            Self::UnknownQuestion(_) => "GET /api/v1/questions lists the questions",
            Self::Syntax(_) => "the text is read as PostgreSQL's SQL",
            Self::Unsupported(_) => {
                "write it another way: not all of PostgreSQL's SQL is planned here"
            }
            Self::Invalid(text) => known(text).map_or(
                "check the types of columns (information_schema.columns) and what functions take",
                |(_, hint)| hint,
            ),
            Self::Parameter { .. } => {
                "GET /api/v1/questions and /api/v1/openapi.json say what parameters there are and \
                 what each takes"
            }
            Self::Page { .. } => "name it in the header `accept`",
            Self::Format(_) => {
                "accept application/json, text/csv, application/vnd.apache.arrow.stream or \
                 application/vnd.apache.parquet"
            }
            Self::Deadline(_) => {
                "narrow the time range, aggregate, or raise the setting `query.timeout`"
            }
            Self::Cancelled => "its client stopped it or left; ask again",
            Self::Busy(_) => "try again in a second, or raise the setting `query.concurrency_max`",
            Self::Rows(_) => "add a LIMIT, aggregate, or raise the setting `query.rows_max`",
            Self::Bytes(_) => "select fewer columns or rows, or aggregate",
            Self::Memory(_) => {
                "narrow the time range, group by fewer columns, or raise the setting \
                 `query.memory_max`"
            }
            Self::Store(_) => "GET /health/ready says what is wrong with the tables",
            Self::Failed(_) => "a fault of the server: its log says more",
        }
    }

    /// The outcome's label in metrics.
    pub(crate) fn outcome(&self) -> &'static str {
        match self.status() {
            499 => "cancelled",
            500 => "failed",
            503 => "busy",
            504 => "deadline",
            422 => "too-large",
            _ => "refused",
        }
    }
}

/// SQLSTATE and advice for what the planner or a kernel says.
fn known(text: &str) -> Option<(&'static str, &'static str)> {
    let known = INVALID.iter().find(|(words, ..)| words.iter().all(|w| text.contains(w)));
    known.map(|(_, code, hint)| (*code, *hint))
}

/// What planning or running has to say, as an outcome.
impl From<DataFusionError> for QueryError {
    fn from(error: DataFusionError) -> Self {
        let text = |e: &DataFusionError| e.strip_backtrace();
        match error.find_root() {
            DataFusionError::SQL(parser, _) => Self::Syntax(parser.to_string()),
            DataFusionError::ResourcesExhausted(why) => Self::Memory(why.clone()),
            DataFusionError::Plan(why) | DataFusionError::Configuration(why) => {
                Self::Invalid(why.clone())
            }
            DataFusionError::NotImplemented(why) => Self::Unsupported(why.clone()),
            root @ (DataFusionError::SchemaError(..) | DataFusionError::Diagnostic(..)) => {
                Self::Invalid(text(root))
            }
            // The disk manager says so inside an I/O error.
            root @ DataFusionError::ArrowError(..)
                if text(root).contains("max_temp_directory_size") =>
            {
                Self::Memory("its spilled rows take more disk than they may".to_owned())
            }
            // A cast, a division by zero: of the data and the query, not a fault of ours.
            root @ DataFusionError::ArrowError(..) => Self::Invalid(text(root)),
            DataFusionError::Execution(why) => Self::Invalid(why.clone()),
            root => Self::Failed(text(root)),
        }
    }
}
