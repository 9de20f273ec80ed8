//! How a run ended, in Lambda's words: verdict → payload, error type, exit code. Pure; texts as
//! recorded on AWS. Why it ended so was decided by the session.

use serde_json::json;

use crate::code::Code;
use crate::output::Status;
use crate::payload::Payload;
use crate::session::{Exit, Failure, Millis, Verdict};

/// The end of an invocation.
#[derive(Debug)]
pub struct Outcome {
    /// The response, or the error payload.
    pub payload: Option<Payload>,
    /// How the program ends.
    pub code: Code,
    /// What kind of error it was.
    pub error_type: Option<String>,
    /// Did the function itself, or its runtime, report it? Then the log says no more about it.
    reported: bool,
}

impl Outcome {
    /// What a verdict on this request means for whoever asked.
    pub fn of(verdict: Verdict<Payload>, request_id: &str) -> Self {
        match verdict {
            Verdict::Response(payload) => Self::reported(Code::Success, payload),
            Verdict::Error(payload) => Self::reported(Code::FunctionFailed, payload),
            Verdict::Failed(failure) => Self::failed(kind(failure), &message(failure), request_id),
            Verdict::Stopped => {
                Self { payload: None, code: Code::Interrupted, error_type: None, reported: false }
            }
        }
    }

    /// A function whose runtime could not be started.
    pub fn invalid_entrypoint(problem: &str, request_id: &str) -> Self {
        Self::failed("Runtime.InvalidEntrypoint", problem, request_id)
    }

    fn reported(code: Code, mut payload: Payload) -> Self {
        let error_type = payload.error_type.take();
        Self { payload: Some(payload), code, error_type, reported: true }
    }

    fn failed(kind: &'static str, message: &str, request_id: &str) -> Self {
        let message = format!("RequestId: {request_id} Error: {message}");
        // Lambda's own order of the two.
        let payload =
            format!(r#"{{"errorType":{},"errorMessage":{}}}"#, json!(kind), json!(message));
        let payload = Some(payload.into_bytes().into());
        Self {
            payload,
            code: Code::FunctionFailed,
            error_type: Some(kind.to_owned()),
            reported: false,
        }
    }

    /// What the REPORT line says about it.
    pub fn status(&self) -> Option<Status<'_>> {
        let kind = self.error_type.as_deref().filter(|_| !self.reported)?;
        Some(if kind == TIMED_OUT { Status::Timeout } else { Status::Error(kind) })
    }
}

const TIMED_OUT: &str = "Sandbox.Timedout";

fn kind(failure: Failure) -> &'static str {
    use crate::session::Refusal;
    match failure {
        Failure::Exited(_) => "Runtime.ExitError",
        Failure::TimedOut(_) => TIMED_OUT,
        Failure::Upload(Refusal::ResponseMode) => "Runtime.InvalidResponseModeHeader",
        Failure::Upload(Refusal::Truncated) => "Runtime.TruncatedResponse",
        Failure::Upload(Refusal::Unkept | Refusal::UnknownRequest | Refusal::Transition { .. }) => {
            "Sandbox.Failure"
        }
    }
}

fn message(failure: Failure) -> String {
    use crate::session::Refusal;
    match failure {
        Failure::Exited(Exit::Code(0)) => "Runtime exited without providing a reason".to_owned(),
        Failure::Exited(Exit::Code(code)) => {
            format!("Runtime exited with error: exit status {code}")
        }
        Failure::Exited(Exit::Signal(signal)) => {
            format!("Runtime exited with error: signal: {}", signal_name(signal))
        }
        Failure::TimedOut(limit) => format!("Task timed out after {} seconds", seconds(limit)),
        Failure::Upload(Refusal::ResponseMode) => "Invalid function response mode".to_owned(),
        Failure::Upload(Refusal::Truncated) => "The response was cut off before its end".to_owned(),
        Failure::Upload(Refusal::Unkept | Refusal::UnknownRequest | Refusal::Transition { .. }) => {
            "The response could not be kept: is the disk full?".to_owned()
        }
    }
}

/// `3000` → `3.00`
fn seconds(millis: Millis) -> String {
    format!("{}.{:02}", millis / 1000, millis % 1000 / 10)
}

/// Signals as Go's `syscall.Signal` names them: Lambda's own supervisor is a Go program.
fn signal_name(signal: i32) -> String {
    let names = [
        "hangup",
        "interrupt",
        "quit",
        "illegal instruction",
        "trace/breakpoint trap",
        "aborted",
        "bus error",
        "floating point exception",
        "killed",
        "user defined signal 1",
        "segmentation fault",
        "user defined signal 2",
        "broken pipe",
        "alarm clock",
        "terminated",
    ];
    let name = usize::try_from(signal - 1).ok().and_then(|index| names.get(index));
    name.map_or_else(|| format!("signal {signal}"), |name| (*name).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::Refusal;

    fn text(outcome: Outcome) -> String {
        let mut out = Vec::new();
        outcome.payload.unwrap().write_to(&mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    fn failed(failure: Failure) -> String {
        text(Outcome::of(Verdict::Failed(failure), "r"))
    }

    #[test]
    fn failures_have_the_payloads_recorded_on_lambda() {
        let table = [
            (
                Failure::Exited(Exit::Code(3)),
                "Runtime.ExitError",
                "Runtime exited with error: exit status 3",
            ),
            (
                Failure::Exited(Exit::Code(0)),
                "Runtime.ExitError",
                "Runtime exited without providing a reason",
            ),
            (
                Failure::Exited(Exit::Signal(9)),
                "Runtime.ExitError",
                "Runtime exited with error: signal: killed",
            ),
            (Failure::TimedOut(3_000), "Sandbox.Timedout", "Task timed out after 3.00 seconds"),
            (
                Failure::Upload(Refusal::Truncated),
                "Runtime.TruncatedResponse",
                "The response was cut off before its end",
            ),
        ];
        for (failure, kind, message) in table {
            let expected = format!(
                r#"{{"errorType":"{kind}","errorMessage":"RequestId: r Error: {message}"}}"#
            );
            assert_eq!(failed(failure), expected);
        }
    }

    #[test]
    fn a_function_fails_with_one_and_an_interruption_is_143() {
        let code = |verdict| Outcome::of(verdict, "r").code as u8;
        assert_eq!(code(Verdict::Response(Vec::new().into())), 0);
        assert_eq!(code(Verdict::Error(Vec::new().into())), 1);
        assert_eq!(code(Verdict::Failed(Failure::TimedOut(1))), 1);
        assert_eq!(code(Verdict::Stopped), 143);
    }

    #[test]
    fn signals_have_their_names() {
        assert_eq!(
            [signal_name(9), signal_name(15), signal_name(40)],
            ["killed", "terminated", "signal 40"]
        );
    }
}
