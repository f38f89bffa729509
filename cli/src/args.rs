//! The command line. Takes the arguments of the process, gives one [`Command`]; what a command
//! does is elsewhere.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};

/// The ledger of AI workloads: latency, drift and spend per model, to the cent.
#[derive(Debug, Parser)]
#[command(name = "spanledger", version, about, arg_required_else_help = true)]
pub struct Args {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the collector, the ledger's jobs and the query doors in one process
    Serve(ServeFlags),
    /// Serve on a temporary folder, fed with the bundled public data, and print three answers
    Demo(DemoFlags),
    /// Run one SQL query on a running server, or on a data folder
    Sql(SqlFlags),
    /// Ask a question of the catalogue: spend, latency, drift
    Ask(AskFlags),
    /// Show how a figure came about: attributes, dialect, usage, trace, owner, price
    Explain(ExplainFlags),
    /// Show what each service sends, what is missing, and what to set to mend it
    Doctor(DoctorFlags),
    /// Bring a bill in
    Import(ImportFlags),
    /// The price book: see, compare, correct, quote, price calls again
    Prices(PricesFlags),
    /// Print every table and column, with meaning, unit and source, as Markdown
    Schema,
    /// About the settings
    Config(ConfigFlags),
}

/// Flags of `serve`; each also is a key of the settings file and a variable of the environment.
#[derive(Debug, Default, ClapArgs)]
pub struct ServeFlags {
    /// Folder of the log, the tables and `addresses.json` [default: ./spanledger-data]
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<String>,
    /// Root of the tables: a folder, as a path or file:// URL [default: DIR/store]
    #[arg(long, value_name = "URL")]
    pub store: Option<String>,
    /// Which parts run [default: all]
    #[arg(long, value_name = "ROLE")]
    pub role: Option<String>,
    /// Door for OTLP/gRPC; `127.0.0.1:0` takes a free port, `off` closes it [default: 127.0.0.1:4317]
    #[arg(long, value_name = "ADDR")]
    pub otlp_grpc_addr: Option<String>,
    /// Door for OTLP/HTTP [default: 127.0.0.1:4318]
    #[arg(long, value_name = "ADDR")]
    pub otlp_http_addr: Option<String>,
    /// Door for the HTTP API, health and metrics [default: 127.0.0.1:9700]
    #[arg(long, value_name = "ADDR")]
    pub http_addr: Option<String>,
    /// Door for the PostgreSQL wire [default: 127.0.0.1:9701]
    #[arg(long, value_name = "ADDR")]
    pub pg_addr: Option<String>,
    /// Door for Flight SQL; not built yet, so only `off` [default: off]
    #[arg(long, value_name = "ADDR")]
    pub flight_addr: Option<String>,
    /// Settings file [default: ./spanledger.toml when it exists]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Print the settings in force, with where each came from, and stop
    #[arg(long)]
    pub print_config: bool,
}

/// Flags of `demo`.
#[derive(Debug, ClapArgs)]
pub struct DemoFlags {
    /// Everything `serve` takes; the folder is a temporary one unless given
    #[command(flatten)]
    pub serve: ServeFlags,
    /// End after the answers are printed
    #[arg(long)]
    pub exit: bool,
}

/// Where a client command finds the server, and as whom it comes.
#[derive(Debug, Clone, ClapArgs)]
pub struct Server {
    /// HTTP door of the server
    #[arg(long, env = "SPANLEDGER_URL", default_value = "http://127.0.0.1:9700")]
    pub url: String,
    /// Token of your tenant, one of the server's `auth.tokens`
    #[arg(long, env = "SPANLEDGER_TOKEN", hide_env_values = true)]
    pub token: Option<String>,
}

impl Server {
    /// The server of this process, which needs no token.
    pub fn at(url: &str) -> Server {
        Server { url: url.to_owned(), token: None }
    }
}

/// Form of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Aligned columns for a person
    Table,
    /// Comma-separated values
    Csv,
    /// The answer object of the HTTP API
    Json,
}

/// Flags of `sql`.
#[derive(Debug, ClapArgs)]
pub struct SqlFlags {
    /// The query; standard input when left out
    pub query: Option<String>,
    /// Form of the answer
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub format: Format,
    /// Read this data folder without a server
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// The server
    #[command(flatten)]
    pub server: Server,
}

/// Flags of `ask`.
#[derive(Debug, ClapArgs)]
pub struct AskFlags {
    /// Name of the question
    #[arg(required_unless_present = "list")]
    pub question: Option<String>,
    /// List the questions and their parameters
    #[arg(long)]
    pub list: bool,
    /// Columns to group by, comma-separated
    #[arg(long)]
    pub by: Option<String>,
    /// Start, inclusive: RFC 3339, a date, or relative such as -24h
    #[arg(long, allow_hyphen_values = true)]
    pub from: Option<String>,
    /// End, exclusive
    #[arg(long, allow_hyphen_values = true)]
    pub to: Option<String>,
    /// Width of a time bucket: 1h, 1d, 1mo
    #[arg(long)]
    pub grain: Option<String>,
    /// Keep only rows with column=value; repeat for more
    #[arg(long = "filter", value_name = "COL=VALUE")]
    pub filters: Vec<String>,
    /// A further parameter of the question, name=value
    #[arg(long = "param", value_name = "NAME=VALUE")]
    pub params: Vec<String>,
    /// Form of the answer
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub format: Format,
    /// The server
    #[command(flatten)]
    pub server: Server,
}

/// `explain …`
#[derive(Debug, ClapArgs)]
pub struct ExplainFlags {
    /// What is explained
    #[arg(value_enum)]
    pub subject: Subject,
    /// Span id (16 hex digits), trace_id/span_id, or a trace id; import_id/line_number of a line
    pub id: String,
    /// Form of the answer
    #[arg(long, value_enum, default_value_t = ExplainFormat::Text)]
    pub format: ExplainFormat,
    /// The server
    #[command(flatten)]
    pub server: Server,
}

/// What can be explained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Subject {
    /// A row of spans
    Span,
    /// A row of calls
    Call,
    /// A row of billing_lines
    Line,
}

/// Form of an explanation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ExplainFormat {
    /// Steps for a person
    Text,
    /// One JSON object
    Json,
}

/// Flags of `doctor`.
#[derive(Debug, ClapArgs)]
pub struct DoctorFlags {
    /// Start, inclusive: RFC 3339, a date, or relative such as -24h
    #[arg(long, allow_hyphen_values = true)]
    pub from: Option<String>,
    /// End, exclusive
    #[arg(long, allow_hyphen_values = true)]
    pub to: Option<String>,
    /// Form of the report
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub format: Format,
    /// The server
    #[command(flatten)]
    pub server: Server,
}

/// `import …`
#[derive(Debug, ClapArgs)]
pub struct ImportFlags {
    /// What kind of file.
    #[command(subcommand)]
    pub what: Import,
}

/// What can be imported.
#[derive(Debug, Subcommand)]
pub enum Import {
    /// Bills; a new import of the same source and billing period supersedes the old one
    Billing {
        /// Format of the files
        #[arg(long, default_value = "focus")]
        format: String,
        /// Whose bill it is; taken from the file when left out
        #[arg(long)]
        source: Option<String>,
        /// The files
        #[arg(required = true)]
        files: Vec<PathBuf>,
        /// The server
        #[command(flatten)]
        server: Server,
    },
}

/// `prices …`
#[derive(Debug, ClapArgs)]
pub struct PricesFlags {
    /// What to do with prices.
    #[command(subcommand)]
    pub what: Prices,
}

/// The tables a command works on: those of a server, or of a data folder.
#[derive(Debug, ClapArgs)]
pub struct Target {
    /// Work on this data folder without a server
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// The server
    #[command(flatten)]
    pub server: Server,
}

/// What can be asked of the price book.
#[derive(Debug, Subcommand)]
pub enum Prices {
    /// Show the prices that hold, as believed now or then
    List(ListPrices),
    /// Show everything ever believed of a model or a price
    Show {
        /// Id of a price (16 hex digits), or of a model
        what: String,
        /// Form of the answer
        #[arg(long, value_enum, default_value_t = Format::Table)]
        format: Format,
        /// The tables
        #[command(flatten)]
        target: Target,
    },
    /// Show what changed between two beliefs
    Diff {
        /// An instant, a date, or the source of a book or contract: what was believed when it came
        before: String,
        /// The same; now when left out
        after: Option<String>,
        /// Form of the answer
        #[arg(long, value_enum, default_value_t = Format::Table)]
        format: Format,
        /// The tables
        #[command(flatten)]
        target: Target,
    },
    /// Compare with LiteLLM's map of prices; where the books differ, what moves most money first
    Check {
        /// `model_prices_and_context_window.json`, plain or gzip
        #[arg(long, value_name = "FILE")]
        against: PathBuf,
        /// Compare the prices that hold at this instant [default: now]
        #[arg(long)]
        at: Option<String>,
        /// Differences shown at most
        #[arg(long, default_value_t = 50)]
        limit: usize,
        /// Form of the answer
        #[arg(long, value_enum, default_value_t = Format::Table)]
        format: Format,
        /// The tables
        #[command(flatten)]
        target: Target,
    },
    /// Bring a newer book, or prices of your own
    Import {
        /// genai-prices (JSON), toml or csv; by the ending of the file when left out
        #[arg(long)]
        format: Option<String>,
        /// Name and version of the book or contract [default: the name of the file]
        #[arg(long)]
        name: Option<String>,
        /// Say what would change, and change nothing
        #[arg(long)]
        dry_run: bool,
        /// The files
        #[arg(required = true)]
        files: Vec<PathBuf>,
        /// The tables
        #[command(flatten)]
        target: Target,
    },
    /// Set one price of your own
    Set(SetPrice),
    /// Price settled calls again with what is believed now; shows the difference before it writes
    Reprice {
        /// First instant a call may start at, as RFC 3339 or a date
        #[arg(long)]
        from: Option<String>,
        /// First instant after them
        #[arg(long)]
        to: Option<String>,
        /// Show the difference and write nothing
        #[arg(long)]
        dry_run: bool,
        /// Do not ask before writing
        #[arg(long)]
        yes: bool,
        /// The tables
        #[command(flatten)]
        target: Target,
    },
    /// Price usages, one JSON object a line on standard input, one answer a line
    Quote {
        /// Read and write JSON lines (the only form)
        #[arg(long, required = true)]
        jsonl: bool,
        /// With the prices of this data folder instead of the bundled book
        #[arg(long, value_name = "DIR")]
        data_dir: Option<PathBuf>,
        /// With what was believed then [default: now]
        #[arg(long)]
        as_of: Option<String>,
    },
}

/// Flags of `prices list`.
#[derive(Debug, ClapArgs)]
pub struct ListPrices {
    /// Only this provider, in the book's spelling
    #[arg(long)]
    pub provider: Option<String>,
    /// Only models with this in their id
    #[arg(long)]
    pub model: Option<String>,
    /// Only your own prices: contracts, discounts, commitments, exchange rates
    #[arg(long)]
    pub own: bool,
    /// Prices that hold at this instant; `any`: whenever they hold [default: now]
    #[arg(long)]
    pub at: Option<String>,
    /// As believed then [default: now]
    #[arg(long)]
    pub as_of: Option<String>,
    /// Form of the answer
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub format: Format,
    /// The tables
    #[command(flatten)]
    pub target: Target,
}

/// Flags of `prices set`: the keys of `[[price]]` in `prices.toml`.
#[derive(Debug, ClapArgs)]
pub struct SetPrice {
    /// Provider
    #[arg(long)]
    pub provider: String,
    /// Model; `gpt-4o*` for every name that begins so
    #[arg(long)]
    pub model: String,
    /// Unit, such as input_tokens
    #[arg(long)]
    pub unit: String,
    /// Price of the unit's own quantity, such as a million tokens
    #[arg(long)]
    pub amount: String,
    /// Another quantity
    #[arg(long)]
    pub per: Option<u64>,
    /// Currency [default: USD]
    #[arg(long)]
    pub currency: Option<String>,
    /// Tier; the standard one when left out
    #[arg(long)]
    pub service_tier: Option<String>,
    /// Region; any when left out
    #[arg(long)]
    pub region: Option<String>,
    /// Input tokens above which it holds
    #[arg(long)]
    pub context_from: Option<u64>,
    /// First instant it holds
    #[arg(long)]
    pub valid_from: Option<String>,
    /// First instant it no longer holds
    #[arg(long)]
    pub valid_to: Option<String>,
    /// Remark
    #[arg(long)]
    pub note: Option<String>,
    /// Say what would change, and change nothing
    #[arg(long)]
    pub dry_run: bool,
    /// The tables
    #[command(flatten)]
    pub target: Target,
}

/// `config …`
#[derive(Debug, ClapArgs)]
pub struct ConfigFlags {
    /// What to say about settings.
    #[command(subcommand)]
    pub what: Config,
}

/// What can be said of the settings.
#[derive(Debug, Subcommand)]
pub enum Config {
    /// Every setting with its key, variable, default and meaning, as Markdown
    Reference,
}
