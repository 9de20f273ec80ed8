//! How an invocation ended, in Lambda's words: verdict → answer, error type, exit code. Pure; texts as
//! recorded on AWS. Why it ended so was decided by the session.

use serde_json::json;

use crate::code::Code;
use crate::order::Answer;
use crate::payload::Payload;
use crate::session::{Exit, Failure, Millis, Refusal, Verdict};

/// How the program ends after one invocation.
pub fn code(answer: &Answer) -> Code {
    if answer.failed { Code::FunctionFailed } else { Code::Success }
}

/// What a verdict on this request means for whoever asked; nothing if it was taken back.
pub fn answer(verdict: Verdict<Payload>, request_id: &str) -> Option<Answer> {
    Some(match verdict {
        Verdict::Response(payload) => Answer::new(payload, false),
        Verdict::Error(payload) => Answer::new(payload, true),
        Verdict::Failed(failure) => {
            let answer = Answer::new(error(&failure, request_id), true);
            Answer { failure: Some(Box::new(failure)), ..answer }
        }
        Verdict::Stopped => return None,
    })
}

/// How the Logs API's `platform.fault` tells it.
pub fn fault(failure: &Failure, request_id: &str) -> String {
    let kind = kind(failure).unwrap_or("Runtime.Unknown");
    format!("RequestId: {request_id} Error: {}\n{kind}", message(failure))
}

/// Lambda's error payload.
fn error(failure: &Failure, request_id: &str) -> Payload {
    let kind = match failure {
        // What the report knows better, the caller is told as it always was (recorded on AWS).
        Failure::Exited(Exit::OutOfMemory) => "Runtime.ExitError",
        failure => kind(failure).unwrap_or("Runtime.Unknown"),
    };
    // Lambda's own order of the two, and its exception: this message has no request.
    let text = match failure {
        Failure::Upload(Refusal::TooLarge(limit)) => {
            let message = format!(
                "Response payload size exceeded maximum allowed payload size ({limit} bytes)."
            );
            format!(r#"{{"errorMessage":{},"errorType":{}}}"#, json!(message), json!(kind))
        }
        failure => {
            let message = format!("RequestId: {request_id} Error: {}", message(failure));
            format!(r#"{{"errorType":{},"errorMessage":{}}}"#, json!(kind), json!(message))
        }
    };
    Payload::from(text.into_bytes()).labelled(Some(kind.to_owned()))
}

/// The error type of a failure; none where the runtime has said it itself.
pub fn kind(failure: &Failure) -> Option<&'static str> {
    Some(match failure {
        Failure::Exited(Exit::OutOfMemory) => "Runtime.OutOfMemory",
        Failure::Exited(_) => "Runtime.ExitError",
        Failure::Unstarted(_) => "Runtime.InvalidEntrypoint",
        Failure::InitError => return None,
        Failure::TimedOut(_) | Failure::InitTimedOut(_) => "Sandbox.Timedout",
        Failure::Upload(Refusal::ResponseMode) => "Runtime.InvalidResponseModeHeader",
        Failure::Upload(Refusal::Truncated) => "Runtime.TruncatedResponse",
        Failure::Upload(Refusal::TooLarge(_)) => "Function.ResponseSizeTooLarge",
        Failure::Upload(_) => "Sandbox.Failure",
        Failure::ExtensionLaunch(_) | Failure::TooManyExtensions => "Extension.LaunchError",
        Failure::ExtensionInit => "Extension.InitError",
        Failure::ExtensionExit => "Extension.ExitError",
        Failure::ExtensionCrash(_) => "Extension.Crash",
    })
}

/// How the process ended, where that was the failure.
pub fn exit(failure: &Failure) -> Option<String> {
    match failure {
        Failure::Exited(exit) | Failure::ExtensionCrash(exit) => Some(how(*exit)),
        _ => None,
    }
}

fn message(failure: &Failure) -> String {
    match failure {
        Failure::Exited(Exit::Code(0)) => "Runtime exited without providing a reason".to_owned(),
        Failure::Exited(exit) => format!("Runtime exited with error: {}", how(*exit)),
        Failure::Unstarted(problem) | Failure::ExtensionLaunch(problem) => problem.clone(),
        Failure::InitError => {
            "The runtime reported an init error that could not be read".to_owned()
        }
        Failure::TimedOut(limit) | Failure::InitTimedOut(limit) => {
            format!("Task timed out after {} seconds", seconds(*limit))
        }
        Failure::Upload(Refusal::ResponseMode) => "Invalid function response mode".to_owned(),
        Failure::Upload(Refusal::Truncated) => "The response was cut off before its end".to_owned(),
        Failure::Upload(_) => "The response could not be kept: is the disk full?".to_owned(),
        Failure::TooManyExtensions => "TooManyExtensions".to_owned(),
        Failure::ExtensionInit => "The extension reported that it could not start".to_owned(),
        Failure::ExtensionExit => "The extension reported that it could not go on".to_owned(),
        Failure::ExtensionCrash(exit) => how(*exit),
    }
}

/// As Go prints how a process ended.
fn how(exit: Exit) -> String {
    match exit {
        Exit::Code(code) => format!("exit status {code}"),
        Exit::Signal(signal) => format!("signal: {}", signal_name(signal)),
        Exit::OutOfMemory => "signal: killed".to_owned(),
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

    fn text(failure: Failure) -> String {
        let answer = answer(Verdict::Failed(failure), "r").unwrap();
        assert!(answer.failed && answer.error_type.is_some());
        let mut out = Vec::new();
        answer.payload.write_to(&mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn failures_have_the_payloads_recorded_on_lambda() {
        let exited = Failure::Exited;
        let exit = |text: &str| format!("Runtime exited with error: {text}");
        let table = [
            (exited(Exit::Code(3)), "Runtime.ExitError", exit("exit status 3")),
            (
                exited(Exit::Code(0)),
                "Runtime.ExitError",
                "Runtime exited without providing a reason".to_owned(),
            ),
            (exited(Exit::Signal(9)), "Runtime.ExitError", exit("signal: killed")),
            (exited(Exit::OutOfMemory), "Runtime.ExitError", exit("signal: killed")),
            (
                Failure::TimedOut(3_000),
                "Sandbox.Timedout",
                "Task timed out after 3.00 seconds".to_owned(),
            ),
            (
                Failure::Upload(Refusal::Truncated),
                "Runtime.TruncatedResponse",
                "The response was cut off before its end".to_owned(),
            ),
            (Failure::ExtensionCrash(Exit::Code(1)), "Extension.Crash", "exit status 1".to_owned()),
        ];
        for (failure, kind, message) in table {
            let expected = format!(
                r#"{{"errorType":"{kind}","errorMessage":"RequestId: r Error: {message}"}}"#
            );
            assert_eq!(text(failure), expected);
        }
    }

    #[test]
    fn a_response_that_is_too_large_has_its_own_words() {
        let expected = r#"{"errorMessage":"Response payload size exceeded maximum allowed payload size (6291556 bytes).","errorType":"Function.ResponseSizeTooLarge"}"#;
        assert_eq!(text(Failure::Upload(Refusal::TooLarge(6_291_556))), expected);
    }

    #[test]
    fn a_function_fails_with_one_and_what_was_stopped_has_no_answer() {
        let code = |verdict| code(&answer(verdict, "r").unwrap());
        assert_eq!(code(Verdict::Response(Payload::default())), Code::Success);
        assert_eq!(code(Verdict::Error(Payload::default())), Code::FunctionFailed);
        assert_eq!(code(Verdict::Failed(Failure::TimedOut(1))), Code::FunctionFailed);
        assert!(answer(Verdict::Stopped, "r").is_none());
    }

    #[test]
    fn signals_have_their_names() {
        assert_eq!(
            [signal_name(9), signal_name(15), signal_name(40)],
            ["killed", "terminated", "signal 40"]
        );
    }
}
