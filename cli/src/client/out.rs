//! Standard output that may be closed before all is said, as by `| head`. Takes bytes; tells a closed
//! pipe apart from every other failure, so that the command can end without a word.

use std::io::{self, ErrorKind, Write};

/// The reader of standard output has gone.
#[derive(Debug, thiserror::Error)]
#[error("nobody reads the output any more")]
pub struct OutputClosed;

/// Standard output.
#[derive(Debug)]
pub struct Out(io::Stdout);

/// The output of the command.
pub fn stdout() -> Out {
    Out(io::stdout())
}

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes).map_err(closed)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush().map_err(closed)
    }
}

fn closed(error: io::Error) -> io::Error {
    match error.kind() {
        ErrorKind::BrokenPipe => io::Error::new(ErrorKind::BrokenPipe, OutputClosed),
        _ => error,
    }
}

/// Whether a command failed because its output was closed. A connection that broke is no such thing.
pub fn is_closed(error: &anyhow::Error) -> bool {
    let io = |cause: &&(dyn std::error::Error + 'static)| {
        let inner = cause.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        inner.is_some_and(|inner| inner.is::<OutputClosed>())
            || cause.downcast_ref::<csv::Error>().is_some_and(|error| match error.kind() {
                csv::ErrorKind::Io(error) => {
                    error.get_ref().is_some_and(|inner| inner.is::<OutputClosed>())
                }
                _ => false,
            })
    };
    error.chain().any(|cause| io(&cause))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closed_output_is_told_from_a_connection_that_broke() {
        let pipe = || io::Error::from(ErrorKind::BrokenPipe);
        let failed = |error: io::Error| anyhow::Error::from(error).context("printing the answer");
        assert!(is_closed(&failed(closed(pipe()))));
        assert!(is_closed(&anyhow::Error::from(csv::Error::from(closed(pipe())))));
        assert!(!is_closed(&failed(pipe())));
        assert!(!is_closed(&failed(closed(io::Error::from(ErrorKind::StorageFull)))));
    }
}
