//! Runs the server's binary for tests, each in a folder of its own.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};

use serde_json::Value;

/// A folder of a test, emptied when it begins.
pub(crate) struct Folder(PathBuf);

impl Folder {
    /// The folder of the test of that name.
    pub(crate) fn new(name: &str) -> Self {
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        drop(std::fs::remove_dir_all(&path));
        std::fs::create_dir_all(&path).expect("a folder can be made");
        Self(path)
    }

    /// A file in it.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// The database in it.
    pub(crate) fn database(&self) -> String {
        self.file("server.db").display().to_string()
    }
}

/// The program with these arguments, and nothing of our own environment's settings.
fn program(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_patrol-server"));
    for name in [
        "LISTEN",
        "DATABASE",
        "DIRECTORY",
        "SYNTHETIC_PEOPLE",
        "PLAIN_COOKIES",
        "URL",
        "STOP_MS",
        "STALL_MS",
        "METRICS",
        "TLS_CERTIFICATE",
        "TLS_KEY",
    ] {
        command.env_remove(format!("XUNCUN_{name}"));
    }
    command
        .env_remove("RUST_LOG")
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// What an errand said.
pub(crate) struct Said {
    /// Whether it succeeded.
    pub(crate) ok: bool,
    /// What it printed, one value a line.
    pub(crate) lines: Vec<Value>,
    /// What it logged.
    pub(crate) log: String,
}

/// Runs an errand to its end.
pub(crate) fn errand(args: &[&str], input: &str) -> Said {
    run(&mut program(args), input)
}

/// What the program prints, which need not be JSON.
pub(crate) fn text(args: &[&str]) -> String {
    let output = program(args).output().expect("the program ends");
    String::from_utf8(output.stdout).expect("text")
}

/// Runs an errand with settings of the environment.
pub(crate) fn errand_with(settings: &[(&str, &str)], args: &[&str]) -> Said {
    run(program(args).envs(settings.iter().copied()), "")
}

/// Runs an errand of which no file may grow beyond so many blocks of 512 bytes.
pub(crate) fn errand_within(blocks: u64, args: &[&str]) -> Said {
    let within = format!("ulimit -f {blocks}; exec \"$0\" \"$@\"");
    let errand = program(args);
    let mut shell = Command::new("sh");
    shell.args(["-c", &within]).arg(errand.get_program());
    shell.args(errand.get_args());
    for (name, value) in errand.get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    shell
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    run(&mut shell, "")
}

fn run(program: &mut Command, input: &str) -> Said {
    let mut child = program.spawn().expect("the program starts");
    let mut stdin = child.stdin.take().expect("a pipe");
    // An errand that reads nothing may have closed its end.
    drop(stdin.write_all(input.as_bytes()));
    drop(stdin);
    let output = child.wait_with_output().expect("the program ends");
    let text = String::from_utf8(output.stdout).expect("text");
    let line = |line: &str| serde_json::from_str(line).expect("a line is JSON");
    Said {
        ok: output.status.success(),
        lines: text.lines().map(line).collect(),
        log: String::from_utf8(output.stderr).expect("text"),
    }
}

/// A server that runs.
pub(crate) struct Running {
    child: Child,
    log: BufReader<ChildStderr>,
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// What it logged until it listened.
    pub(crate) started: String,
}

impl Running {
    /// Starts a server on a free port, and waits for the line that names it.
    pub(crate) fn start(args: &[&str]) -> Self {
        Self::begin(args).unwrap_or_else(|(_, log)| panic!("it ended before it listened:\n{log}"))
    }

    /// Starts a server that must not come up: what it logged before it failed.
    pub(crate) fn refused(args: &[&str]) -> String {
        match Self::begin(args) {
            Ok(running) => panic!("it listens:\n{}", running.started),
            Err((status, log)) => {
                assert!(!status.success(), "{log}");
                log
            }
        }
    }

    /// Starts a server, and waits until it listens or has ended.
    fn begin(args: &[&str]) -> Result<Self, (ExitStatus, String)> {
        let args = [args, &["--listen", "127.0.0.1:0"]].concat();
        let mut child = program(&args).spawn().expect("the program starts");
        let mut log = BufReader::new(child.stderr.take().expect("a pipe"));
        let mut started = String::new();
        let address = loop {
            let before = started.len();
            let read = log.read_line(&mut started).expect("a log can be read");
            if read == 0 {
                return Err((child.wait().expect("the program ends"), started));
            }
            let line = started.get(before..).unwrap_or_default();
            if let Some((_, rest)) = line.split_once("listening on ") {
                let word = rest.split_whitespace().next().expect("an address");
                break word.parse().expect("an address");
            }
        };
        Ok(Self {
            child,
            log,
            address,
            started,
        })
    }

    /// Sends it a signal by name.
    pub(crate) fn signal(&self, name: &str) {
        let kill = format!("kill -{name} {}", self.child.id());
        let sent = Command::new("sh").args(["-c", &kill]).status();
        assert!(sent.expect("a shell runs").success(), "{kill}");
    }

    /// Waits until it logs these words.
    pub(crate) fn wait_for(&mut self, words: &str) {
        let mut line = String::new();
        while !line.contains(words) {
            line.clear();
            let read = self.log.read_line(&mut line).expect("a log can be read");
            assert!(read > 0, "it ended and never logged {words}");
        }
    }

    /// Waits for its end: how it ended, and what it logged since it was last asked.
    pub(crate) fn ended(mut self) -> (ExitStatus, String) {
        let mut rest = String::new();
        self.log
            .read_to_string(&mut rest)
            .expect("a log can be read");
        (self.child.wait().expect("the program ends"), rest)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
