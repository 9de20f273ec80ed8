//! What children print, and the lines Lambda prints around it, on standard error. Whole lines only,
//! so that nobody's words end up in the middle of another's. Outcomes are not decided here.

use std::io::{self, Write};
use std::os::fd::OwnedFd;

use tokio::net::unix::pipe::Receiver;

/// A line longer than this is passed on in pieces, so that memory stays bounded.
const LONGEST_LINE: usize = 256 << 10;
/// A pipe holds this much; what was written before a call arrived is in it.
const PIPE: usize = 64 << 10;

/// One output of a child.
#[derive(Debug)]
pub struct Stream {
    pipe: Option<Receiver>,
    partial: Vec<u8>,
    /// A piece of an endless line has been passed on, and its end has not.
    unended: bool,
}

impl Stream {
    /// Takes the reading end of a pipe.
    pub fn new(pipe: OwnedFd) -> io::Result<Self> {
        Ok(Self { pipe: Some(Receiver::from_owned_fd(pipe)?), partial: Vec::new(), unended: false })
    }

    /// Waits until there is something to read.
    pub async fn readable(&self) {
        match &self.pipe {
            Some(pipe) => drop(pipe.readable().await),
            None => std::future::pending().await,
        }
    }

    /// Passes on what has been written so far, up to about one pipe's worth.
    pub fn pump(&mut self, out: &mut impl Write) {
        let mut buffer = [0; 16 << 10];
        for _ in 0..=PIPE / buffer.len() {
            let Some(pipe) = &self.pipe else { return };
            match pipe.try_read(&mut buffer) {
                Ok(0) => self.close(out),
                Ok(count) => self.take(&buffer[..count], out),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(_) => self.close(out),
            }
        }
    }

    /// Passes on an unfinished last line and stops reading.
    pub fn close(&mut self, out: &mut impl Write) {
        self.pipe = None;
        if self.unended || !self.partial.is_empty() {
            self.unended = false;
            self.partial.push(b'\n');
            emit(out, &self.partial);
            self.partial = Vec::new();
        }
    }

    fn take(&mut self, bytes: &[u8], out: &mut impl Write) {
        let end = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1);
        if end > 0 {
            self.partial.extend_from_slice(&bytes[..end]);
            emit(out, &self.partial);
            self.partial.clear();
            self.unended = false;
        }
        self.partial.extend_from_slice(&bytes[end..]);
        if self.partial.len() >= LONGEST_LINE {
            emit(out, &self.partial);
            self.partial.clear();
            self.unended = true;
        }
    }
}

/// Log lines go where they can; a reader that went away is no reason to end a run.
fn emit(out: &mut impl Write, bytes: &[u8]) {
    let _ = out.write_all(bytes).and_then(|()| out.flush());
}

/// Writes one line of the supervisor's own.
pub fn line(out: &mut impl Write, text: &str) {
    emit(out, format!("{text}\n").as_bytes());
}

/// `START`, as Lambda prints it.
pub fn start(request_id: &str, version: &str) -> String {
    format!("START RequestId: {request_id} Version: {version}")
}

/// `END`, as Lambda prints it.
pub fn end(request_id: &str) -> String {
    format!("END RequestId: {request_id}")
}

/// What a REPORT line tells.
#[derive(Debug, Clone)]
pub struct Report<'a> {
    /// Request id.
    pub request_id: &'a str,
    /// From handing out the event to the runtime's next call, in milliseconds.
    pub duration: f64,
    /// From starting the runtime to its first call, in milliseconds.
    pub init: Option<f64>,
    /// Memory size in MB.
    pub memory: u32,
    /// Largest resident set, in bytes.
    pub peak_memory: u64,
    /// What the line ends in when the invocation did not get an answer from the function.
    pub status: Option<Status<'a>>,
}

/// How a REPORT line says that an invocation failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status<'a> {
    /// It was cut off.
    Timeout,
    /// It failed with this error type.
    Error(&'a str),
}

/// `REPORT`, as Lambda prints it: tabs between fields and after the last.
pub fn report(report: &Report<'_>) -> String {
    let billed = report.duration.ceil() + report.init.unwrap_or(0.0).ceil();
    let init =
        report.init.map_or_else(String::new, |init| format!("Init Duration: {init:.2} ms\t"));
    let line = format!(
        "REPORT RequestId: {}\tDuration: {:.2} ms\tBilled Duration: {billed} ms\tMemory Size: {} MB\tMax Memory Used: {} MB\t{init}",
        report.request_id,
        report.duration,
        report.memory,
        report.peak_memory.div_ceil(1 << 20),
    );
    match report.status {
        Some(Status::Timeout) => line + "Status: timeout",
        Some(Status::Error(kind)) => line + "Status: error\tError Type: " + kind,
        None => line,
    }
}

/// `INIT_REPORT`, which Lambda prints only when starting the runtime failed.
pub fn init_report(duration: f64, kind: &str) -> String {
    format!(
        "INIT_REPORT Init Duration: {duration:.2} ms\tPhase: init\tStatus: error\tError Type: {kind}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream() -> Stream {
        Stream { pipe: None, partial: Vec::new(), unended: false }
    }

    #[test]
    fn only_whole_lines_are_passed_on() {
        let (mut stream, mut out) = (stream(), Vec::new());
        stream.take(b"one\ntw", &mut out);
        assert_eq!(out, b"one\n");
        stream.take(b"o\nthr", &mut out);
        assert_eq!(out, b"one\ntwo\n");
        stream.close(&mut out);
        assert_eq!(out, b"one\ntwo\nthr\n");
    }

    #[test]
    fn an_endless_line_does_not_pile_up() {
        let (mut stream, mut out) = (stream(), Vec::new());
        for _ in 0..100 {
            stream.take(&[b'x'; 10_000], &mut out);
            assert!(stream.partial.len() < LONGEST_LINE + 10_000);
        }
        assert!(out.len() > LONGEST_LINE);
        stream.close(&mut out);
        assert_eq!(out.len(), 100 * 10_000 + 1, "the line has its end, once");
        assert!(out.ends_with(b"x\n"));
    }

    #[test]
    fn a_report_is_the_line_recorded_on_lambda() {
        let mut facts = Report {
            request_id: "r",
            duration: 2.9,
            init: Some(110.1),
            memory: 128,
            peak_memory: 36 << 20,
            status: None,
        };
        let line = "REPORT RequestId: r\tDuration: 2.90 ms\tBilled Duration: 114 ms\tMemory Size: 128 MB\tMax Memory Used: 36 MB\tInit Duration: 110.10 ms\t";
        assert_eq!(report(&facts), line);
        (facts.init, facts.status) = (None, Some(Status::Error("Runtime.ExitError")));
        assert!(
            report(&facts)
                .ends_with("Max Memory Used: 36 MB\tStatus: error\tError Type: Runtime.ExitError")
        );
    }
}
