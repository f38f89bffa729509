//! How far loading has come, and one way to show it. Knows terminals, not data.

use std::io::Write;
use std::time::{Duration, Instant};

/// A step of loading and how far it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Progress {
    /// What is loaded, such as `spans of claude-code`.
    pub(crate) step: &'static str,
    /// Items acknowledged so far.
    pub(crate) done: u64,
    /// Items in all.
    pub(crate) total: u64,
}

/// Redrawing more often than this only flickers.
const REDRAW: Duration = Duration::from_millis(50);

/// Shows progress on `out`: on a terminal one line that is written over, elsewhere one line per
/// finished step. A failing `out` is ignored: progress is a courtesy.
pub(crate) fn show(mut out: impl Write, terminal: bool) -> impl FnMut(Progress) {
    let mut drawn: Option<Instant> = None;
    move |p| {
        let finished = p.done >= p.total;
        let line = format!("  {:<42} {:>6} of {:>6}", p.step, p.done, p.total);
        let written = match (terminal, finished) {
            (true, true) => writeln!(out, "\r{line}"),
            (true, false) if drawn.is_none_or(|at| at.elapsed() >= REDRAW) => {
                drawn = Some(Instant::now());
                write!(out, "\r{line}").and_then(|()| out.flush())
            }
            (false, true) => writeln!(out, "{line}"),
            (_, false) => Ok(()),
        };
        drop(written);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(terminal: bool) -> String {
        let mut out = Vec::new();
        let mut show = show(&mut out, terminal);
        for done in [1, 2, 3] {
            show(Progress { step: "spans", done, total: 3 });
        }
        drop(show);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_file_gets_one_line_per_step_and_a_terminal_writes_over() {
        let line = "  spans                                           3 of      3\n";
        assert_eq!(shown(false), line);
        let terminal = shown(true);
        assert_eq!(terminal.matches('\n').count(), 1);
        assert!(terminal.ends_with(line), "{terminal:?}");
    }
}
