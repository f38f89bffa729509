//! The process under test: started on a folder with free ports, killed at the end.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Everything happens often: commits, segments, rounds of upkeep, settling.
pub(crate) const SETTINGS: &str = r#"
flush_interval = "20ms"
upkeep_interval = "200ms"
[wal]
segment_bytes = "32KiB"
[settle]
quiet = "300ms"
"#;

/// Names and addresses of its open doors.
pub(crate) type Doors = BTreeMap<String, String>;

/// How long a process that met its fault may take to be gone: its sockets close a little earlier.
const GONE_WITHIN: Duration = Duration::from_millis(200);

pub(crate) struct Process {
    child: Child,
    /// Whether a fault was asked for.
    armed: bool,
}

impl Process {
    pub(crate) fn start(folder: &Path, fault: Option<&str>) -> Process {
        let mut command = Command::new(env!("CARGO_BIN_EXE_spanledger"));
        command.arg("serve").arg("--data-dir").arg(folder.join("data"));
        command.arg("--config").arg(folder.join("spanledger.toml"));
        command.args(["--otlp-grpc-addr", "off", "--otlp-http-addr", "127.0.0.1:0"]);
        command.args(["--http-addr", "127.0.0.1:0", "--pg-addr", "off"]);
        command.stdout(Stdio::piped());
        let errors = File::options().create(true).append(true).open(folder.join("stderr"));
        command.stderr(errors.unwrap());
        if let Some(fault) = fault {
            command.env("SPANLEDGER_FAULT", fault);
        }
        Process { child: command.spawn().unwrap(), armed: fault.is_some() }
    }

    /// The doors once it is ready; none when a fault was met before.
    pub(crate) fn doors(&mut self) -> Option<Doors> {
        let stdout = self.child.stdout.as_mut().unwrap();
        let mut doors = Doors::new();
        tokio::task::block_in_place(|| {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                match line.split(' ').collect::<Vec<_>>()[..] {
                    ["listening", name, address] => {
                        doors.insert(name.to_owned(), address.to_owned());
                    }
                    ["ready"] => return Some(doors),
                    _ => panic!("`{line}` on standard output"),
                }
            }
            None
        })
    }

    /// Kills it with SIGKILL; says whether it had ended by itself.
    pub(crate) fn kill(mut self) -> bool {
        let asked = Instant::now();
        let mut ended = self.child.try_wait().unwrap().is_some();
        while self.armed && !ended && asked.elapsed() < GONE_WITHIN {
            std::thread::sleep(Duration::from_millis(10));
            ended = self.child.try_wait().unwrap().is_some();
        }
        // Fails only when it has ended.
        let _ = self.child.kill();
        self.child.wait().unwrap();
        ended
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // A panic of the test leaves no process behind.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
