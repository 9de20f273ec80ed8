//! The state machine from outside: what a call is answered, what happens to an invocation, and every
//! short sequence of inputs.

mod extensions;
mod laws;
mod runtime;

use super::{
    Effect, Ended, Exit, ExtensionId, Failure, Input, Invocation, Kind, LINGER, Millis, Party,
    Phase, Reason, Refusal, Seat, Session, Settings, State, Subscribed, Upload, Verdict,
};

const LIMIT: Millis = 1_000;
const GRACE: Millis = 5_000;
const INIT: Millis = 10_000;

fn settings(extensions: &[&str]) -> Settings {
    Settings {
        extensions: extensions.iter().map(|name| (*name).to_owned()).collect(),
        init_limit: INIT,
        grace: GRACE,
        concurrent: false,
    }
}

fn invocation(id: &str) -> Invocation {
    Invocation { id: id.into(), nonce: format!("nonce of {id}"), limit: LIMIT, deadline: 0 }
}

fn begin(seat: u64, id: &str, kind: Kind) -> Input<u32> {
    let id = (kind != Kind::InitError).then(|| id.to_owned());
    Input::Begin { seat: Seat(seat), id, nonce: None, kind }
}

fn end(seat: u64, payload: u32) -> Input<u32> {
    Input::End { seat: Seat(seat), upload: Upload::Complete(payload) }
}

/// A session of these settings after these inputs at time 0, and the effects of the last.
fn after_all(settings: Settings, inputs: Vec<Input<u32>>) -> (Session<u32>, Vec<Effect<u32>>) {
    let mut session = Session::new(settings);
    let mut effects = Vec::new();
    for input in inputs {
        effects = session.handle(0, input);
    }
    (session, effects)
}

/// A session without extensions, with a submitted invocation, after these inputs at time 0.
fn after(inputs: Vec<Input<u32>>) -> Session<u32> {
    let all = [vec![Input::Submit(invocation("id"))], inputs].concat();
    after_all(settings(&[]), all).0
}

fn running() -> Vec<Input<u32>> {
    vec![Input::Next(Seat(0))]
}

fn answered() -> Vec<Input<u32>> {
    vec![Input::Next(Seat(0)), begin(1, "id", Kind::Response), end(1, 7)]
}

fn exited(code: i32) -> Input<u32> {
    Input::Exited(Party::Runtime, Exit::Code(code))
}

/// Only those effects that whoever asked, or the log, sees.
fn told(effects: &[Effect<u32>]) -> Vec<String> {
    let text = |effect: &Effect<u32>| match effect {
        Effect::Started(id) => Some(format!("start {id}")),
        Effect::Answered(id, verdict) => Some(format!("answer {id} {verdict:?}")),
        Effect::Finished(id, ended) => Some(format!("end {id} {ended:?}")),
        Effect::InitStarted(phase) => Some(format!("init {}", phase.name())),
        Effect::InitEnded(phase, failure) => Some(format!("inited {} {failure:?}", phase.name())),
        Effect::Down => Some("down".to_owned()),
        Effect::Idle => Some("idle".to_owned()),
        _ => None,
    };
    effects.iter().filter_map(text).collect()
}
