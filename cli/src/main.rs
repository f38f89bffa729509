//! The binary `spanledger`: arguments, settings, wiring of the rooms. No rule of the ledger and
//! no wire protocol lives here.

mod args;
mod client;
mod demo;
mod offline;
mod serve;
mod settings;
mod telemetry;

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser;

use crate::args::{Args, Command};

/// Without transparent huge pages, which hold some sixty mebibytes that nobody asked for.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Exit status of a command whose output was closed before all was said: that of a process which
/// SIGPIPE ends (128 + 13).
const OUTPUT_CLOSED: u8 = 141;

/// Exit status: 0 done, 1 failed, 2 wrong use (clap's own), 141 nobody reads the output.
fn main() -> ExitCode {
    let args = Args::parse();
    match run(args.command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if client::out::is_closed(&error) => ExitCode::from(OUTPUT_CLOSED),
        Err(error) => {
            say_error(&error);
            if error.is::<settings::SettingsError>() {
                ExitCode::from(2)
            } else {
                ExitCode::from(1)
            }
        }
    }
}

fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Serve(flags) => serve::main(&flags),
        Command::Demo(flags) => demo::main(&flags),
        Command::Sql(query) => client::sql::main(&query),
        Command::Ask(question) => client::ask::main(&question),
        Command::Explain(what) => client::explain::main(&what),
        Command::Doctor(window) => client::doctor::main(&window),
        Command::Import(what) => client::import::main(&what),
        Command::Prices(what) => client::prices::main(&what),
        Command::Schema => offline::schema(),
        Command::Config(what) => offline::config(&what),
    }
}

/// The error and its causes, one a line, on stderr; to nobody when that is closed.
fn say_error(error: &anyhow::Error) {
    let mut text = format!("error: {error}\n");
    for cause in error.chain().skip(1) {
        text.push_str(&format!("  because {cause}\n"));
    }
    let _ = std::io::stderr().write_all(text.as_bytes());
}
