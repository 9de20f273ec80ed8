//! One environment's log, in both formats, and its end.

use std::io::{self, Write as _};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::*;
use crate::output::Stream;
use crate::output::frames::Head;
use crate::telemetry::record::{Outcome, Report, Start};

#[derive(Clone, Default)]
struct Out(Arc<Mutex<Vec<u8>>>);

impl io::Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn telemetry(format: Format) -> (Telemetry, Out) {
    let out = Out::default();
    let logging = Logging { format, ..Logging::default() };
    (Telemetry::new(Journal::new(out.clone()).unwrap(), logging, Clock::start()), out)
}

fn logged(telemetry: &Telemetry, out: &Out) -> String {
    assert!(telemetry.journal().finish(Duration::from_mins(1)));
    String::from_utf8(out.0.lock().unwrap().clone()).unwrap()
}

fn invocation() -> [Fact; 3] {
    let start = Start {
        request_id: "r".into(),
        version: "1".into(),
        tracing: None,
        tenant: None,
        function_arn: None,
    };
    let report = Report {
        request_id: "r".into(),
        outcome: Outcome::Success,
        reported: false,
        duration: Duration::from_millis(5),
        init: None,
        memory: 128,
        peak_memory: 1 << 20,
        spans: Vec::new(),
        tracing: None,
    };
    [Fact::Start(start), Fact::End("r".into()), Fact::Report(report)]
}

fn lines(telemetry: &mut Telemetry, text: &str) {
    telemetry.lines(&Source::Function, Origin::new(), text.as_bytes());
}

fn frame(telemetry: &mut Telemetry, level: Level, text: &str) {
    let head = Head { json: false, level: Some(level), micros: Some(1) };
    telemetry.frame(&Source::Function, Frame { text: text.as_bytes(), head });
}

#[test]
fn a_text_log_has_everything_in_order() {
    let (mut telemetry, out) = telemetry(Format::Text);
    let [start, end, report] = invocation();
    telemetry.tell(start);
    lines(&mut telemetry, "one\n{\"level\":\"TRACE\"}\n");
    frame(&mut telemetry, Level::Trace, "two\nlines");
    telemetry.tell(end);
    telemetry.tell(report);
    telemetry.garbage(&Source::Extension("agent".into()), 3);
    assert_eq!(
        logged(&telemetry, &out),
        "START RequestId: r Version: 1\none\n{\"level\":\"TRACE\"}\ntwo\nlines\nEND RequestId: r\n\
         REPORT RequestId: r\tDuration: 5.00 ms\tBilled Duration: 5 ms\tMemory Size: 128 MB\tMax Memory Used: 1 MB\t\n\
         3 bytes in extension agent's log channel were no log frame\n"
    );
}

#[test]
fn a_json_log_has_what_is_important_enough() {
    let (mut telemetry, out) = telemetry(Format::Json);
    let [start, end, report] = invocation();
    telemetry.publish(&Record { time: 0, fact: start });
    lines(&mut telemetry, "plain\n{\"level\":\"DEBUG\"}\n{\"level\":\"ERROR\"}\n");
    let agent = Source::Extension("agent".into());
    telemetry.lines(&agent, Origin::new(), b"{\"level\":\"DEBUG\"}\n");
    frame(&mut telemetry, Level::Debug, "unimportant");
    frame(&mut telemetry, Level::Warn, "{}");
    telemetry.tell(end);
    telemetry.publish(&Record { time: 0, fact: report });
    assert_eq!(
        logged(&telemetry, &out),
        r#"{"time":"1970-01-01T00:00:00.000Z","type":"platform.start","record":{"requestId":"r","version":"1"}}
plain
{"level":"ERROR"}
{"level":"DEBUG"}
{}
{"time":"1970-01-01T00:00:00.000Z","type":"platform.report","record":{"requestId":"r","status":"success","metrics":{"durationMs":5.000,"billedDurationMs":5,"memorySizeMB":128,"maxMemoryUsedMB":1}}}
"#
    );
}

#[test]
fn the_end_of_a_log_is_there_for_who_asked() {
    let (mut telemetry, _) = telemetry(Format::Text);
    telemetry.note("before");
    assert_eq!(telemetry.tail_take(), b"");
    telemetry.tail_start();
    let [start, end, _] = invocation();
    telemetry.tell(start);
    lines(&mut telemetry, "one\n");
    telemetry.tell(end);
    assert_eq!(telemetry.tail_take(), b"START RequestId: r Version: 1\none\nEND RequestId: r\n");
    telemetry.tail_start();
    lines(&mut telemetry, &"0123456\n".repeat(10_000));
    assert_eq!(telemetry.tail_take(), "0123456\n".repeat(512).as_bytes());
}

#[tokio::test]
async fn what_is_printed_gets_through_pipes() {
    let (mut telemetry, out) = telemetry(Format::Text);
    let (stdout, mut print) = io::pipe().unwrap();
    let (channel, mut log) = io::pipe().unwrap();
    let mut prints = Stream::lines(stdout.into(), Source::Function).unwrap();
    let mut frames = Stream::frames(channel.into(), Source::Function).unwrap();
    print.write_all(b"one\ntw").unwrap();
    log.write_all(b"\xA5\x5A\x00\x01\0\0\0\x05three\xA5\x5A").unwrap();
    drop(log);
    prints.readable(telemetry.journal()).await;
    prints.pump(&mut telemetry);
    frames.readable(telemetry.journal()).await;
    frames.pump(&mut telemetry);
    assert!(frames.is_closed() && !prints.is_closed());
    prints.close(&mut telemetry);
    assert_eq!(
        logged(&telemetry, &out),
        "one\nthree\n2 bytes in the function's log channel were no log frame\ntw\n"
    );
}

#[tokio::test]
async fn subscriptions_are_told_and_faults_are_not_logged() {
    let (mut telemetry, out) = telemetry(Format::Text);
    let body = br#"{"schemaVersion":"2022-07-01","types":["function"],"destination":{"protocol":"TCP","port":1}}"#;
    telemetry.subscribe("agent", Feed::Telemetry, body).unwrap();
    telemetry.subscribe("agent", Feed::Telemetry, b"{").unwrap_err();
    telemetry.tell(Fact::Fault("RequestId: r".to_owned()));
    telemetry.close();
    assert_eq!(
        logged(&telemetry, &out),
        "TELEMETRY\tName: agent\tState: Subscribed\tTypes: [Function]\n"
    );
}
