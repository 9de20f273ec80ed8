//! The state table call by call, and every short sequence of inputs.

use super::{
    Effect, Exit, Failure, Input, Invocation, Kind, LINGER, Refusal, Seat, Session, State, Upload,
    Verdict,
};

const LIMIT: u64 = 1_000;
const GRACE: u64 = 50;

fn invocation() -> Invocation {
    Invocation { id: "id".into(), limit: LIMIT, deadline: 0 }
}

fn begin(seat: u64, id: &str, kind: Kind) -> Input<u32> {
    let id = (kind != Kind::InitError).then(|| id.to_owned());
    Input::Begin { seat: Seat(seat), id, kind }
}

fn end(seat: u64, payload: u32) -> Input<u32> {
    Input::End { seat: Seat(seat), upload: Upload::Complete(payload) }
}

/// A session with a submitted invocation, after these inputs at time 0.
fn after(inputs: Vec<Input<u32>>) -> Session<u32> {
    let mut session = Session::new(GRACE);
    session.handle(0, Input::Submit(invocation()));
    for input in inputs {
        session.handle(0, input);
    }
    session
}

fn running() -> Vec<Input<u32>> {
    vec![Input::Next(Seat(0))]
}

fn answered() -> Vec<Input<u32>> {
    vec![Input::Next(Seat(0)), begin(1, "id", Kind::Response), end(1, 7)]
}

fn transition(from: State, to: State) -> Effect<u32> {
    Effect::Refuse(Seat(9), Refusal::Transition { from, to })
}

#[test]
fn an_answer_counts_and_the_next_call_ends_the_invocation() {
    let mut session = after(vec![]);
    let effects = session.handle(5, Input::Next(Seat(0)));
    assert_eq!(effects, [Effect::Started, Effect::Deliver(Seat(0))]);
    assert_eq!(session.current().unwrap().deadline, 5 + LIMIT);
    assert_eq!(session.handle(6, begin(1, "id", Kind::Response)), [Effect::Proceed(Seat(1))]);
    assert_eq!(session.handle(7, end(1, 42)), [Effect::Accept(Seat(1))]);
    let effects = session.handle(8, Input::Next(Seat(2)));
    assert_eq!(effects, [Effect::Done(Verdict::Response(42))]);
    assert_eq!(session.deadline(), None);
}

#[test]
fn next_while_running_gives_the_same_event_again() {
    let mut session = after(running());
    assert_eq!(session.handle(1, Input::Next(Seat(9))), [Effect::Deliver(Seat(9))]);
}

#[test]
fn every_forbidden_call_is_refused_by_the_state_it_meets() {
    let sent = State::Sent;
    let respond = || begin(9, "id", Kind::Response);
    let fail = || begin(9, "id", Kind::Error);
    let init = || begin(9, "", Kind::InitError);
    let unknown = || Effect::Refuse(Seat(9), Refusal::UnknownRequest);
    let table = [
        (vec![], respond(), unknown()),
        (vec![], fail(), unknown()),
        (running(), begin(9, "old", Kind::Response), unknown()),
        (running(), init(), transition(State::Running, State::Receiving(Kind::InitError))),
        (answered(), respond(), transition(sent, State::Receiving(Kind::Response))),
        (answered(), fail(), transition(sent, State::Receiving(Kind::Error))),
        (answered(), init(), transition(sent, State::Receiving(Kind::InitError))),
    ];
    for (before, call, refused) in table {
        let mut session = after(before.clone());
        assert_eq!(session.handle(1, call.clone()), [refused], "{call:?} after {before:?}");
    }
}

#[test]
fn a_refused_call_leaves_the_state_as_it_was() {
    let mut session = after(answered());
    let state = session.state;
    session.handle(1, begin(9, "id", Kind::Response));
    assert_eq!(session.state, state);
}

#[test]
fn an_init_error_is_the_answer_once_the_runtime_is_gone() {
    let mut session = after(vec![begin(0, "", Kind::InitError), end(0, 13)]);
    assert_eq!(
        session.handle(1, Input::Next(Seat(9))),
        [transition(State::InitError, State::Ready)]
    );
    let done = session.handle(2, Input::Exited(Exit::Code(1)));
    assert_eq!(done, [Effect::Done(Verdict::Error(13))]);
}

#[test]
fn a_runtime_that_lingers_after_its_init_error_is_killed() {
    let mut session = after(vec![begin(0, "", Kind::InitError), end(0, 13)]);
    assert_eq!(session.handle(LINGER - 1, Input::Tick), []);
    let effects = session.handle(LINGER, Input::Tick);
    assert_eq!(effects, [Effect::Kill, Effect::Done(Verdict::Error(13))]);
}

#[test]
fn an_exit_before_the_answer_is_the_verdict_and_after_it_is_not() {
    let exit = Exit::Signal(9);
    let failed = Effect::Done(Verdict::Failed(Failure::Exited(exit)));
    assert_eq!(after(vec![]).handle(1, Input::Exited(exit)), [failed]);
    let failed = Effect::Done(Verdict::Failed(Failure::Exited(exit)));
    assert_eq!(after(running()).handle(1, Input::Exited(exit)), [failed]);
    let kept = Effect::Done(Verdict::Response(7));
    assert_eq!(after(answered()).handle(1, Input::Exited(exit)), [kept]);
}

#[test]
fn an_exit_before_there_is_an_invocation_is_kept_for_it() {
    let mut session = Session::<u32>::new(GRACE);
    assert_eq!(session.handle(0, Input::Exited(Exit::Code(3))), []);
    let done = session.handle(1, Input::Submit(invocation()));
    assert_eq!(done, [Effect::Done(Verdict::Failed(Failure::Exited(Exit::Code(3))))]);
}

#[test]
fn the_deadline_counts_from_delivery_and_ends_what_has_no_answer() {
    let mut session = after(vec![]);
    session.handle(400, Input::Next(Seat(0)));
    assert_eq!(session.handle(LIMIT, Input::Tick), []);
    let effects = session.handle(400 + LIMIT, Input::Tick);
    assert_eq!(effects, [Effect::Kill, Effect::Done(Verdict::Failed(Failure::TimedOut(LIMIT)))]);
}

#[test]
fn a_stop_waits_for_the_grace_and_an_answer_within_it_counts() {
    let mut session = after(running());
    assert_eq!(session.handle(10, Input::Stop), [Effect::Terminate]);
    assert_eq!(session.handle(10 + GRACE - 1, Input::Tick), []);
    let effects = session.handle(10 + GRACE, Input::Tick);
    assert_eq!(effects, [Effect::Kill, Effect::Done(Verdict::Stopped)]);

    let mut session = after(running());
    session.handle(10, Input::Stop);
    session.handle(11, begin(1, "id", Kind::Response));
    session.handle(12, end(1, 5));
    let done = session.handle(13, Input::Exited(Exit::Signal(15)));
    assert_eq!(done, [Effect::Done(Verdict::Response(5))]);
}

#[test]
fn after_a_stop_no_event_is_given_out() {
    let mut session = after(vec![Input::Stop]);
    assert_eq!(session.handle(1, Input::Next(Seat(0))), []);
    assert_eq!(
        session.handle(2, Input::Exited(Exit::Signal(15))),
        [Effect::Done(Verdict::Stopped)]
    );
}

#[test]
fn a_connection_that_left_does_not_take_the_event_with_it() {
    let mut session = Session::<u32>::new(GRACE);
    session.handle(0, Input::Next(Seat(0)));
    session.handle(0, Input::Left(Seat(0)));
    assert_eq!(session.handle(1, Input::Submit(invocation())), [Effect::Started]);
    assert_eq!(session.handle(2, Input::Next(Seat(1))), [Effect::Deliver(Seat(1))]);
}

#[test]
fn a_refused_upload_fails_the_invocation_and_does_not_wedge_the_runtime() {
    let mut session = after(vec![Input::Next(Seat(0)), begin(1, "id", Kind::Response)]);
    let upload = Upload::Refused(Refusal::ResponseMode);
    let effects = session.handle(1, Input::End { seat: Seat(1), upload });
    assert_eq!(effects, [Effect::Refuse(Seat(1), Refusal::ResponseMode)]);
    let done = session.handle(2, Input::Next(Seat(2)));
    assert_eq!(done, [Effect::Done(Verdict::Failed(Failure::Upload(Refusal::ResponseMode)))]);
}

/// The inputs of the exhaustive test; seats are numbered by position in the sequence.
const ALPHABET: usize = 11;

fn letter(letter: usize, position: u64) -> Input<u32> {
    let seat = Seat(position);
    match letter {
        0 => Input::Next(seat),
        1 => begin(position, "id", Kind::Response),
        2 => begin(position, "id", Kind::Error),
        3 => begin(position, "", Kind::InitError),
        4 => begin(position, "other", Kind::Response),
        5 => Input::End { seat, upload: Upload::Complete(1) },
        6 => Input::End { seat, upload: Upload::Refused(Refusal::Truncated) },
        7 => Input::Exited(Exit::Code(1)),
        8 => Input::Tick,
        9 => Input::Stop,
        _ => Input::Submit(invocation()),
    }
}

/// What must hold after each step of any sequence.
#[derive(Default)]
struct Law {
    submitted: bool,
    done: usize,
    exited: bool,
}

impl Law {
    fn see(&mut self, input: &Input<u32>, effects: &[Effect<u32>], trace: &[usize]) {
        self.submitted |= matches!(input, Input::Submit(_));
        self.exited |= matches!(input, Input::Exited(_));
        let answers = effects.iter().filter(|effect| answers(effect)).count();
        let calls = matches!(input, Input::Begin { .. } | Input::End { .. });
        assert!(!calls || answers == 1, "a call without exactly one answer: {trace:?}");
        self.done += effects.iter().filter(|e| matches!(e, Effect::Done(_))).count();
        assert!(self.done <= 1, "two outcomes: {trace:?}");
        assert!(self.done == 0 || self.submitted, "an outcome of nothing: {trace:?}");
        let delivered = effects.iter().any(|e| matches!(e, Effect::Deliver(_)));
        assert!(!(delivered && self.exited), "an event for a dead runtime: {trace:?}");
        assert!(
            !(self.submitted && self.exited && self.done == 0),
            "a dead runtime, no outcome: {trace:?}"
        );
    }
}

fn answers(effect: &Effect<u32>) -> bool {
    matches!(effect, Effect::Proceed(_) | Effect::Accept(_) | Effect::Refuse(..))
}

/// Depth-first over all sequences of `depth` letters: one submit, one exit and one stop at most.
fn explore(trace: &mut Vec<usize>, depth: usize, visited: &mut u64) {
    *visited += 1;
    for next in 0..ALPHABET {
        if trace.len() == depth || (next >= 7 && next != 8 && trace.contains(&next)) {
            continue;
        }
        trace.push(next);
        let (mut session, mut law) = (Session::new(GRACE), Law::default());
        for (position, step) in trace.iter().enumerate() {
            let input = letter(*step, position as u64);
            let effects = session.handle(position as u64 * 400, input.clone());
            law.see(&input, &effects, trace);
        }
        explore(trace, depth, visited);
        trace.pop();
    }
}

#[test]
fn all_short_sequences_keep_the_law() {
    let mut visited = 0;
    explore(&mut Vec::new(), 5, &mut visited);
    assert!(visited > 50_000, "the exploration covers too little: {visited}");
}
