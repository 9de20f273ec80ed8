//! Lines as recorded on Lambda.

use crate::session::{ExtensionState, Phase, Subscribed};
use crate::telemetry::record::{InitKind, Start};

use super::*;

fn ms(millis: f64) -> Duration {
    Duration::from_secs_f64(millis / 1e3)
}

fn reported() -> Report {
    Report {
        request_id: "r".into(),
        outcome: Outcome::Success,
        reported: false,
        duration: ms(2.9),
        init: Some(ms(110.1)),
        memory: 128,
        peak_memory: 36 << 20,
        spans: Vec::new(),
        tracing: None,
    }
}

fn line(report: &Report) -> String {
    render(&Fact::Report(report.clone())).unwrap()
}

#[test]
fn an_invocation_is_framed_as_on_lambda() {
    let start = Start {
        request_id: "r".into(),
        version: "$LATEST".into(),
        tracing: None,
        tenant: None,
        function_arn: None,
    };
    assert_eq!(render(&Fact::Start(start)).unwrap(), "START RequestId: r Version: $LATEST");
    assert_eq!(render(&Fact::End("r".into())).unwrap(), "END RequestId: r");
}

#[test]
fn a_report_is_the_line_recorded_on_lambda() {
    let mut facts = reported();
    assert_eq!(
        line(&facts),
        "REPORT RequestId: r\tDuration: 2.90 ms\tBilled Duration: 114 ms\tMemory Size: 128 MB\tMax Memory Used: 36 MB\tInit Duration: 110.10 ms\t"
    );
    facts.init = None;
    for (kind, end) in [
        (None, "Max Memory Used: 36 MB\t"),
        (Some("Sandbox.Timedout"), "Max Memory Used: 36 MB\tStatus: timeout"),
        (
            Some("Runtime.ExitError"),
            "Max Memory Used: 36 MB\tStatus: error\tError Type: Runtime.ExitError",
        ),
    ] {
        facts.outcome = Outcome::of(kind);
        assert!(line(&facts).ends_with(end), "{}", line(&facts));
    }
    facts.reported = true;
    assert!(line(&facts).ends_with("Max Memory Used: 36 MB\t"), "the function has said it itself");
}

#[test]
fn a_report_of_a_sampled_trace_names_it() {
    let mut facts = reported();
    let tracing = |span: Option<&str>, sampled| {
        let value = format!("Root=1-62e900b2;Parent=0efbd19962d95b05;Sampled={sampled}");
        Some(Tracing { span_id: span.map(Into::into), value: value.as_str().into() })
    };
    facts.tracing = tracing(Some("54565fb41ac79632"), 1);
    assert!(
        line(&facts).ends_with(
            "\t\nXRAY TraceId: 1-62e900b2\tSegmentId: 54565fb41ac79632\tSampled: true\t"
        )
    );
    for untold in [tracing(Some("54565fb41ac79632"), 0), tracing(None, 1)] {
        facts.tracing = untold;
        assert!(!line(&facts).contains("XRAY"));
    }
}

#[test]
fn an_init_has_a_line_at_its_start_and_one_if_it_failed() {
    let mut start = InitStart {
        kind: InitKind::OnDemand,
        phase: Phase::Init,
        function: "f".into(),
        version: "1".into(),
        runtime: Some("python:3.13.v14".into()),
        runtime_arn: Some("arn:aws:lambda:eu-west-1::runtime:0".into()),
        instance: None,
        memory: None,
    };
    assert_eq!(
        render(&Fact::InitStart(start.clone())).unwrap(),
        "INIT_START Runtime Version: python:3.13.v14\tRuntime Version ARN: arn:aws:lambda:eu-west-1::runtime:0"
    );
    start.runtime_arn = None;
    assert_eq!(
        render(&Fact::InitStart(start)).unwrap(),
        "INIT_START Runtime Version: python:3.13.v14"
    );
    let report = |phase, kind, duration| {
        let (kind, outcome) = (InitKind::OnDemand, Outcome::of(kind));
        render(&Fact::InitReport(InitReport { kind, phase, outcome, duration: ms(duration) }))
    };
    assert_eq!(report(Phase::Init, None, 1.0), None);
    assert_eq!(
        report(Phase::Init, Some("Sandbox.Timedout"), 1236.04).unwrap(),
        "INIT_REPORT Init Duration: 1236.04 ms\tPhase: init\tStatus: timeout"
    );
    assert_eq!(
        report(Phase::Invoke, Some("Runtime.InvalidEntrypoint"), 0.61).unwrap(),
        "INIT_REPORT Init Duration: 0.61 ms\tPhase: invoke\tStatus: error\tError Type: Runtime.InvalidEntrypoint"
    );
}

#[test]
fn extensions_have_lines() {
    let mut extension = Extension {
        name: "AppConfigAgent".into(),
        state: ExtensionState::Ready,
        events: vec![Subscribed::Invoke, Subscribed::Shutdown],
        error_type: None,
    };
    assert_eq!(
        render(&Fact::Extension(extension.clone())).unwrap(),
        "EXTENSION\tName: AppConfigAgent\tState: Ready\tEvents: [INVOKE, SHUTDOWN]"
    );
    (extension.state, extension.events) = (ExtensionState::LaunchError, Vec::new());
    extension.error_type = Some("PermissionDenied".into());
    assert_eq!(
        render(&Fact::Extension(extension)).unwrap(),
        "EXTENSION\tName: AppConfigAgent\tState: LaunchError\tEvents: []\tError Type: PermissionDenied"
    );
    let subscribed = |feed, types: &[Type]| {
        let types = types.to_vec();
        render(&Fact::Subscribed(Subscriber { name: "agent".into(), feed, types })).unwrap()
    };
    assert_eq!(
        subscribed(Feed::Telemetry, &[Type::Platform, Type::Function, Type::Extension]),
        "TELEMETRY\tName: agent\tState: Subscribed\tTypes: [Platform, Function, Extension]"
    );
    assert_eq!(
        subscribed(Feed::Logs, &[Type::Platform]),
        "LOGS\tName: agent\tState: Subscribed\tTypes: [Platform]"
    );
}

#[test]
fn an_image_that_cannot_be_started_has_a_line() {
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    assert_eq!(
        image("no such file", &words(&["/entry"]), &words(&["app.handler", "x"]), "/var/task"),
        "IMAGE\tLaunch error: no such file\tEntrypoint: [/entry]\tCmd: [app.handler,x]\tWorkingDir: [/var/task]"
    );
}
