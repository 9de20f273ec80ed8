//! The runtime's calls, exits and times.

use super::*;

fn transition(from: State, to: State) -> Effect<u32> {
    Effect::Refuse(Seat(9), Refusal::Transition { from, to })
}

#[test]
fn an_answer_is_given_at_once_and_the_next_call_ends_the_invocation() {
    let mut session = after(vec![]);
    let effects = session.handle(5, Input::Next(Seat(0)));
    let deadline = 5 + LIMIT;
    let handed = Invocation { deadline, ..invocation("id") };
    assert_eq!(
        effects,
        [
            Effect::InitEnded(Phase::Init, None),
            Effect::Started("id".into()),
            Effect::Deliver(Seat(0), handed.clone()),
        ]
    );
    assert_eq!(session.deadline(), Some(deadline));
    assert_eq!(session.handle(6, Input::Next(Seat(9))), [Effect::Deliver(Seat(9), handed)]);
    let begun = session.handle(6, begin(1, "id", Kind::Response));
    assert_eq!(begun, [Effect::Proceed(Seat(1), Some("id".into()))]);
    let answer = Effect::Answered("id".into(), Verdict::Response(42));
    assert_eq!(session.handle(7, end(1, 42)), [Effect::Accept(Seat(1)), answer]);
    assert_eq!(
        session.handle(8, Input::Next(Seat(2))),
        [
            Effect::RuntimeDone("id".into(), Ended::Answered),
            Effect::Finished("id".into(), Ended::Answered),
            Effect::Idle,
        ]
    );
    assert_eq!(session.deadline(), None);
    let effects = session.handle(9, Input::Submit(invocation("second")));
    assert!(
        matches!(&effects[..], [Effect::Started(_), Effect::Deliver(Seat(2), _)]),
        "{effects:?}"
    );
}

/// Table 1.5 of the Runtime API's states: from, call, refusal.
#[test]
fn every_forbidden_call_is_refused_by_the_state_it_meets() {
    let sent = State::Sent;
    let receiving = |kind| vec![Input::Next(Seat(0)), begin(1, "id", kind)];
    let init_error = || vec![begin(0, "", Kind::InitError), end(0, 13)];
    let next = || Input::Next(Seat(9));
    let respond = || begin(9, "id", Kind::Response);
    let fail = || begin(9, "id", Kind::Error);
    let init = || begin(9, "", Kind::InitError);
    let unknown = || Effect::Refuse(Seat(9), Refusal::UnknownRequest);
    let to = State::Receiving;
    let table = [
        (vec![], respond(), unknown()),
        (vec![], fail(), unknown()),
        (running(), begin(9, "old", Kind::Response), unknown()),
        (running(), init(), transition(State::Running, to(Kind::InitError))),
        (receiving(Kind::Response), next(), transition(to(Kind::Response), State::Ready)),
        (receiving(Kind::Response), respond(), transition(to(Kind::Response), to(Kind::Response))),
        (receiving(Kind::Error), respond(), transition(to(Kind::Error), to(Kind::Response))),
        (receiving(Kind::Error), init(), transition(to(Kind::Error), to(Kind::InitError))),
        (answered(), respond(), transition(sent, to(Kind::Response))),
        (answered(), fail(), transition(sent, to(Kind::Error))),
        (answered(), init(), transition(sent, to(Kind::InitError))),
        (init_error(), next(), transition(State::InitError, State::Ready)),
        (init_error(), init(), transition(State::InitError, to(Kind::InitError))),
        (init_error(), respond(), unknown()),
    ];
    for (before, call, refused) in table {
        let mut session = after(before.clone());
        // Twice: a refusal leaves the state as it was.
        for _ in 0..2 {
            let effects = session.handle(1, call.clone());
            assert_eq!(effects, std::slice::from_ref(&refused), "{call:?} after {before:?}");
        }
    }
}

#[test]
fn a_stale_id_is_unknown_and_a_foreign_nonce_has_timed_out() {
    let mut session = after([answered(), vec![Input::Next(Seat(2))]].concat());
    session.handle(1, Input::Submit(invocation("second")));
    let stale = session.handle(2, begin(9, "id", Kind::Response));
    assert_eq!(stale, [Effect::Refuse(Seat(9), Refusal::UnknownRequest)]);
    let with = |nonce: &str| Input::Begin {
        seat: Seat(9),
        id: Some("second".into()),
        nonce: Some(nonce.into()),
        kind: Kind::Response,
    };
    let foreign = session.handle(2, with("other"));
    assert_eq!(foreign, [Effect::Refuse(Seat(9), Refusal::InvokeTimeout)]);
    let own = session.handle(2, with("nonce of second"));
    assert_eq!(own, [Effect::Proceed(Seat(9), Some("second".into()))]);
}

#[test]
fn a_failed_init_is_tried_once_more_within_the_invocation() {
    let mut session = after(vec![begin(0, "", Kind::InitError), end(0, 13)]);
    let effects = session.handle(2, exited(1));
    assert_eq!(told(&effects), ["inited init Some(InitError)", "down", "init invoke"]);
    assert_eq!(session.deadline(), Some(2 + LIMIT), "it counts from here");
    session.handle(3, begin(1, "", Kind::InitError));
    session.handle(3, end(1, 14));
    let effects = session.handle(4, exited(1));
    assert_eq!(
        told(&effects),
        [
            "inited invoke Some(InitError)",
            "start id",
            "answer id Error(14)",
            "end id Failed(InitError)",
            "down",
            "idle",
        ]
    );
}

#[test]
fn a_second_init_that_succeeds_hands_out_the_event() {
    let mut session = after(vec![]);
    session.handle(2, exited(1));
    let effects = session.handle(300, Input::Next(Seat(0)));
    assert_eq!(told(&effects), ["inited invoke None", "start id"]);
    assert_eq!(session.deadline(), Some(2 + LIMIT), "init was at the invocation's cost");
}

#[test]
fn without_an_event_a_failed_init_waits_for_one() {
    let (mut session, _) = after_all(settings(&[]), vec![Input::Boot]);
    assert_eq!(
        told(&session.handle(1, exited(3))),
        ["inited init Some(Exited(Code(3)))", "down", "idle"]
    );
    let effects = session.handle(2, Input::Submit(invocation("id")));
    assert_eq!(effects, [Effect::InitStarted(Phase::Invoke), Effect::Start(Party::Runtime)]);
}

#[test]
fn an_init_that_takes_too_long_is_ended() {
    let mut session = after(vec![]);
    assert_eq!(session.handle(INIT - 1, Input::Tick), []);
    let effects = session.handle(INIT, Input::Tick);
    assert_eq!(
        effects,
        [
            Effect::InitEnded(Phase::Init, Some(Failure::InitTimedOut(INIT))),
            Effect::Kill(Party::Runtime),
        ]
    );
}

#[test]
fn a_runtime_that_lingers_after_its_init_error_is_killed() {
    let mut session = after(vec![begin(0, "", Kind::InitError), end(0, 13)]);
    assert_eq!(session.handle(LINGER - 1, Input::Tick), []);
    let effects = session.handle(LINGER, Input::Tick);
    assert_eq!(effects.last(), Some(&Effect::Kill(Party::Runtime)));
}

#[test]
fn an_exit_before_the_answer_is_the_verdict_and_after_it_is_not() {
    let exit = Input::Exited(Party::Runtime, Exit::Signal(9));
    let effects = after(running()).handle(1, exit.clone());
    assert_eq!(
        told(&effects),
        ["answer id Failed(Exited(Signal(9)))", "end id Failed(Exited(Signal(9)))", "down", "idle"]
    );
    let effects = after(answered()).handle(1, exit);
    assert_eq!(told(&effects), ["end id Failed(Exited(Signal(9)))", "down", "idle"]);
}

#[test]
fn after_a_failure_the_next_invocation_starts_all_over() {
    let mut session = after(running());
    session.handle(1, exited(1));
    let effects = session.handle(2, Input::Submit(invocation("second")));
    assert_eq!(told(&effects), ["init invoke"]);
    let effects = session.handle(3, Input::Next(Seat(5)));
    assert_eq!(told(&effects), ["inited invoke None", "start second"]);
}

#[test]
fn the_deadline_counts_from_delivery_and_ends_what_has_no_answer() {
    let mut session = after(vec![]);
    session.handle(400, Input::Next(Seat(0)));
    assert_eq!(session.handle(LIMIT, Input::Tick), []);
    let effects = session.handle(400 + LIMIT, Input::Tick);
    let failure = Failure::TimedOut(LIMIT);
    assert_eq!(
        effects,
        [
            Effect::Answered("id".into(), Verdict::Failed(failure.clone())),
            Effect::RuntimeDone("id".into(), Ended::Failed(failure.clone())),
            Effect::Finished("id".into(), Ended::Failed(failure)),
            Effect::Kill(Party::Runtime),
        ]
    );
}

#[test]
fn a_stop_waits_for_the_grace_and_an_answer_within_it_counts() {
    let mut session = after(running());
    assert_eq!(session.handle(10, Input::Stop), [Effect::Terminate(Party::Runtime)]);
    assert_eq!(session.handle(10 + GRACE - 1, Input::Tick), []);
    assert_eq!(session.handle(10 + GRACE, Input::Tick), [Effect::Kill(Party::Runtime)]);
    let effects = session.handle(10 + GRACE, exited(0));
    assert_eq!(told(&effects), ["answer id Stopped", "end id Stopped", "down"]);

    let mut session = after(running());
    session.handle(10, Input::Stop);
    session.handle(11, begin(1, "id", Kind::Response));
    assert_eq!(told(&session.handle(12, end(1, 5))), ["answer id Response(5)"]);
    assert_eq!(told(&session.handle(13, Input::Next(Seat(2)))), ["end id Answered"]);
    let effects = session.handle(13 + LINGER, Input::Tick);
    assert_eq!(effects, [Effect::Kill(Party::Runtime)], "nothing more is expected of it");
    assert_eq!(told(&session.handle(14 + LINGER, exited(0))), ["down"]);
}

#[test]
fn a_stop_gives_back_what_was_not_handed_out_and_ends_an_idle_runtime_at_once() {
    let (mut idle, _) = after_all(settings(&[]), vec![Input::Boot, Input::Next(Seat(0))]);
    assert_eq!(idle.handle(1, Input::Stop), [Effect::Kill(Party::Runtime)]);
    let mut session = after(vec![]);
    let effects = session.handle(1, Input::Stop);
    assert_eq!(told(&effects), ["answer id Stopped", "end id Stopped"]);
    assert_eq!(effects.last(), Some(&Effect::Terminate(Party::Runtime)), "it is at work");
    assert_eq!(session.handle(2, Input::Next(Seat(0))), []);
    assert_eq!(session.handle(3, exited(0)), [Effect::Down]);
    let effects = session.handle(4, Input::Submit(invocation("late")));
    assert_eq!(told(&effects), ["answer late Stopped", "end late Stopped"]);
}

#[test]
fn a_connection_that_left_does_not_take_the_event_with_it() {
    let (mut session, _) = after_all(settings(&[]), vec![Input::Boot, Input::Next(Seat(0))]);
    session.handle(0, Input::Left(Seat(0)));
    let effects = session.handle(1, Input::Submit(invocation("id")));
    assert_eq!(effects, [Effect::Started("id".into())]);
    assert!(matches!(&session.handle(2, Input::Next(Seat(1)))[..], [Effect::Deliver(Seat(1), _)]));
}

#[test]
fn two_connections_that_wait_both_get_the_event() {
    let inputs = vec![Input::Boot, Input::Next(Seat(0)), Input::Next(Seat(1))];
    let (mut session, _) = after_all(settings(&[]), inputs);
    let effects = session.handle(1, Input::Submit(invocation("id")));
    assert_eq!(effects.len(), 3, "{effects:?}");
}

#[test]
fn a_refused_upload_fails_the_invocation_and_does_not_wedge_the_runtime() {
    let mut session = after(vec![Input::Next(Seat(0)), begin(1, "id", Kind::Response)]);
    let upload = Upload::Refused(Refusal::ResponseMode);
    let effects = session.handle(1, Input::End { seat: Seat(1), upload });
    assert_eq!(effects[0], Effect::Refuse(Seat(1), Refusal::ResponseMode));
    assert_eq!(told(&effects), ["answer id Failed(Upload(ResponseMode))"]);
    let effects = session.handle(2, Input::Next(Seat(2)));
    assert_eq!(told(&effects), ["end id Failed(Upload(ResponseMode))", "idle"]);
}

fn concurrent(inputs: Vec<Input<u32>>) -> Session<u32> {
    after_all(Settings { concurrent: true, ..settings(&[]) }, inputs).0
}

#[test]
fn a_concurrent_runtime_has_many_invocations_and_each_its_own_state() {
    let mut session = concurrent(vec![Input::Boot, Input::Next(Seat(0)), Input::Next(Seat(1))]);
    let first = session.handle(1, Input::Submit(invocation("a")));
    assert!(matches!(&first[..], [Effect::Started(_), Effect::Deliver(Seat(0), _)]), "{first:?}");
    let second = session.handle(1, Input::Submit(invocation("b")));
    assert!(matches!(&second[..], [Effect::Started(_), Effect::Deliver(Seat(1), _)]), "{second:?}");
    session.handle(2, begin(2, "b", Kind::Response));
    let unknown = [Effect::Refuse(Seat(9), Refusal::UnknownRequest)];
    assert_eq!(session.handle(2, begin(9, "b", Kind::Response)), unknown, "it is uploading");
    let effects = session.handle(3, end(2, 1));
    assert_eq!(told(&effects), ["answer b Response(1)", "end b Answered", "idle"]);
    assert_eq!(session.handle(4, begin(9, "b", Kind::Response)), unknown);
    assert_eq!(session.handle(4, Input::Next(Seat(3))), [], "it waits, though `a` is open");
}

#[test]
fn an_error_ends_a_concurrent_stream_and_an_exit_all_of_them() {
    let mut session = concurrent(vec![
        Input::Boot,
        Input::Next(Seat(0)),
        Input::Next(Seat(1)),
        Input::Submit(invocation("a")),
        Input::Submit(invocation("b")),
        begin(2, "a", Kind::Response),
    ]);
    let begun = session.handle(1, begin(3, "a", Kind::Error));
    assert_eq!(begun, [Effect::Proceed(Seat(3), Some("a".into()))]);
    assert_eq!(told(&session.handle(1, end(3, 5)))[0], "answer a Error(5)");
    let late = session.handle(1, end(2, 6));
    assert_eq!(late, [Effect::Refuse(Seat(2), Refusal::InvokeTimeout)]);
    assert_eq!(told(&session.handle(2, exited(1)))[0], "answer b Failed(Exited(Code(1)))");
}

#[test]
fn a_late_answer_of_a_concurrent_runtime_is_gone_and_then_unknown() {
    let mut session =
        concurrent(vec![Input::Boot, Input::Next(Seat(0)), Input::Submit(invocation("a"))]);
    let effects = session.handle(LIMIT, Input::Tick);
    assert_eq!(
        told(&effects),
        ["answer a Failed(TimedOut(1000))", "end a Failed(TimedOut(1000))", "idle"]
    );
    let refusals: Vec<_> =
        (0..2).flat_map(|_| session.handle(LIMIT, begin(9, "a", Kind::Response))).collect();
    assert_eq!(
        refusals,
        [
            Effect::Refuse(Seat(9), Refusal::InvokeTimeout),
            Effect::Refuse(Seat(9), Refusal::UnknownRequest)
        ]
    );
}
