//! What came of a run, and the sentences that say what must have.

use std::process::Output;

use serde_json::Value;

/// A run that is over.
#[derive(Debug)]
pub struct Run {
    /// Exit code, 128 and the signal where it was killed.
    pub code: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl From<Output> for Run {
    fn from(output: Output) -> Self {
        use std::os::unix::process::ExitStatusExt as _;
        let signal = output.status.signal().map_or(-1, |signal| 128 + signal);
        Self {
            code: output.status.code().unwrap_or(signal),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

impl Run {
    /// It ended with this code.
    #[track_caller]
    pub fn ends_with(&self, code: i32) -> &Self {
        assert_eq!(self.code, code, "{self:#?}");
        self
    }

    /// It succeeded and printed exactly this.
    #[track_caller]
    pub fn answers(&self, stdout: &str) -> &Self {
        self.ends_with(0);
        assert_eq!(self.stdout, stdout, "{}", self.stderr);
        self
    }

    /// It printed exactly this.
    #[track_caller]
    pub fn prints(&self, stdout: &str) -> &Self {
        assert_eq!(self.stdout, stdout, "{}", self.stderr);
        self
    }

    /// Its standard error holds this.
    #[track_caller]
    pub fn says(&self, text: &str) -> &Self {
        assert!(self.stderr.contains(text), "`{text}` is not in:\n{}", self.stderr);
        self
    }

    /// Neither output holds this.
    #[track_caller]
    pub fn never_says(&self, text: &str) -> &Self {
        assert!(
            !self.stderr.contains(text) && !self.stdout.contains(text),
            "`{text}` is in {self:#?}"
        );
        self
    }

    /// Its standard output as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error} in {self:#?}"))
    }

    /// The error payload's type and message.
    #[track_caller]
    pub fn error(&self) -> (String, String) {
        self.ends_with(1);
        let json = self.json();
        let text = |name: &str| json[name].as_str().unwrap_or_default().to_owned();
        (text("errorType"), text("errorMessage"))
    }

    /// The request id in the START line.
    #[track_caller]
    pub fn request_id(&self) -> &str {
        let line = self.stderr.lines().find_map(|line| line.strip_prefix("START RequestId: "));
        line.and_then(|line| line.split(' ').next())
            .unwrap_or_else(|| panic!("no START line in {self:#?}"))
    }
}
