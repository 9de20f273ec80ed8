//! Extensions: registration, events, faults, and the order in which an environment ends.

use super::*;
use crate::session::ExtensionState;

const A: ExtensionId = ExtensionId(1);
const B: ExtensionId = ExtensionId(2);

fn register(id: ExtensionId, name: &str, events: &[Subscribed]) -> Input<u32> {
    Input::Register { seat: Seat(50), id, name: name.into(), events: events.to_vec() }
}

fn ask(seat: u64, id: ExtensionId) -> Input<u32> {
    Input::ExtensionNext { seat: Seat(seat), id }
}

fn lost(index: usize) -> Input<u32> {
    Input::Exited(Party::Extension(index), Exit::Code(0))
}

const BOTH: [Subscribed; 2] = [Subscribed::Invoke, Subscribed::Shutdown];

/// An environment with the external extension `a`, ready and idle.
fn idle(events: &[Subscribed]) -> Session<u32> {
    let inputs = vec![Input::Boot, register(A, "a", events), ask(60, A), Input::Next(Seat(0))];
    let (session, effects) = after_all(settings(&["a"]), inputs);
    assert_eq!(told(&effects), ["inited init None", "idle"]);
    session
}

fn refused(refusal: Refusal) -> Effect<u32> {
    Effect::Refuse(Seat(50), refusal)
}

#[test]
fn the_runtime_starts_once_all_external_extensions_have_registered() {
    let (mut session, effects) = after_all(settings(&["a", "b"]), vec![Input::Boot]);
    let starts = [0, 1].map(|index| Effect::Start(Party::Extension(index)));
    assert_eq!(effects[1..], starts);
    assert_eq!(session.handle(1, register(A, "a", &BOTH)), [Effect::Registered(Seat(50), A)]);
    let effects = session.handle(2, register(B, "b", &[]));
    assert_eq!(effects, [Effect::Registered(Seat(50), B), Effect::Start(Party::Runtime)]);
    assert_eq!(session.handle(3, ask(60, A)), []);
    assert_eq!(session.handle(4, Input::Next(Seat(0))), [], "`b` has not asked yet");
    let effects = session.handle(5, ask(61, B));
    let stands = |name: &str, events: &[Subscribed]| {
        Effect::Extension(name.into(), ExtensionState::Ready, events.to_vec())
    };
    assert_eq!(
        effects,
        [stands("a", &BOTH), stands("b", &[]), Effect::InitEnded(Phase::Init, None), Effect::Idle]
    );
}

#[test]
fn registration_is_refused_with_the_reason_and_may_be_tried_again() {
    let (mut session, _) = after_all(settings(&["a"]), vec![Input::Boot]);
    let table = [
        (register(B, "inner", &[Subscribed::Shutdown]), refused(Refusal::ShutdownForInternal)),
        (register(A, "a", &BOTH), Effect::Registered(Seat(50), A)),
        (register(B, "a", &BOTH), refused(Refusal::AlreadyRegistered)),
        (register(B, "inner", &[Subscribed::Invoke]), Effect::Registered(Seat(50), B)),
    ];
    for (input, effect) in table {
        assert_eq!(session.handle(1, input.clone())[0], effect, "{input:?}");
    }
    for index in 0..8 {
        let input = register(ExtensionId(10 + index), &format!("inner {index}"), &[]);
        assert!(matches!(session.handle(1, input)[0], Effect::Registered(..)));
    }
    let more = session.handle(1, register(ExtensionId(99), "more", &[]));
    assert_eq!(more, [refused(Refusal::TooManyExtensions)]);
    session.handle(2, Input::Next(Seat(0)));
    let late = session.handle(3, register(ExtensionId(98), "late", &[]));
    assert_eq!(late, [refused(Refusal::RegistrationClosed)]);
}

#[test]
fn extensions_are_told_before_the_runtime_and_waited_for_after_it() {
    let mut session = idle(&BOTH);
    let effects = session.handle(1, Input::Submit(invocation("id")));
    assert!(
        matches!(
            &effects[..],
            [Effect::Started(_), Effect::Notify(Seat(60), _), Effect::Deliver(Seat(0), _)]
        ),
        "{effects:?}"
    );
    session.handle(2, begin(1, "id", Kind::Response));
    assert_eq!(told(&session.handle(3, end(1, 7))), ["answer id Response(7)"]);
    let done = session.handle(4, Input::Next(Seat(2)));
    assert_eq!(done, [Effect::RuntimeDone("id".into(), Ended::Answered)]);
    assert_eq!(told(&session.handle(5, ask(61, A))), ["end id Answered", "idle"]);
}

#[test]
fn an_extension_that_lost_its_connection_gets_its_event_all_the_same() {
    let mut session = idle(&BOTH);
    session.handle(1, Input::Left(Seat(60)));
    session.handle(2, Input::Submit(invocation("id")));
    assert!(matches!(&session.handle(3, ask(61, A))[..], [Effect::Notify(Seat(61), _)]));
}

#[test]
fn a_second_next_while_one_waits_and_an_unknown_extension_are_refused() {
    let mut session = idle(&BOTH);
    let (from, to) = (ExtensionState::Ready, ExtensionState::Ready);
    let refusal = Refusal::ExtensionTransition { from, to };
    assert_eq!(session.handle(1, ask(50, A)), [refused(refusal)]);
    assert_eq!(session.handle(1, ask(50, B)), [refused(Refusal::UnknownExtension(B))]);
}

#[test]
fn an_extension_that_ends_takes_the_invocation_with_it() {
    let mut session = idle(&BOTH);
    session.handle(1, Input::Submit(invocation("id")));
    let effects = session.handle(2, lost(0));
    assert_eq!(
        told(&effects),
        ["answer id Failed(ExtensionCrash(Code(0)))", "end id Failed(ExtensionCrash(Code(0)))"]
    );
    let effects = idle(&[]).handle(2, lost(0));
    assert_eq!(effects, [Effect::Terminate(Party::Runtime)], "it was registered");
}

#[test]
fn an_extension_that_cannot_be_started_fails_init() {
    let (mut session, _) = after_all(settings(&["a"]), vec![Input::Boot]);
    let input = Input::Unstarted(Party::Extension(0), "PermissionDenied".into());
    let launch = Failure::ExtensionLaunch("PermissionDenied".into());
    let effects = session.handle(1, input);
    assert_eq!(effects, [Effect::InitEnded(Phase::Init, Some(launch)), Effect::Down, Effect::Idle]);
    let names: Vec<String> = (0..11).map(|index| index.to_string()).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let (_, effects) = after_all(settings(&names), vec![Input::Boot]);
    assert_eq!(told(&effects)[1], "inited init Some(TooManyExtensions)");
}

#[test]
fn the_first_fatal_error_wins() {
    let mut session = idle(&BOTH);
    session.handle(1, Input::Submit(invocation("id")));
    let fault = Input::ExtensionFault { seat: Seat(50), id: A, init: false };
    assert_eq!(session.handle(2, fault.clone()), [Effect::Accept(Seat(50))]);
    assert_eq!(session.handle(2, fault), [Effect::Accept(Seat(50))], "again is no more");
    let init = Input::ExtensionFault { seat: Seat(50), id: A, init: true };
    assert!(matches!(session.handle(2, init)[0], Effect::Refuse(..)));
    let effects = session.handle(3, lost(0));
    assert_eq!(told(&effects)[0], "answer id Failed(ExtensionExit)");
}

#[test]
fn an_environment_ends_runtime_first_and_then_those_who_want_to_know() {
    let mut session = idle(&[Subscribed::Shutdown]);
    assert_eq!(session.handle(100, Input::Stop), [Effect::Terminate(Party::Runtime)]);
    assert_eq!(session.deadline(), Some(700));
    assert_eq!(session.handle(700, Input::Tick), [Effect::Kill(Party::Runtime)]);
    let effects = session.handle(701, exited(0));
    assert_eq!(effects, [Effect::Farewell(Seat(60), Reason::Spindown, 2_100)]);
    assert_eq!(session.handle(2_100, Input::Tick), [Effect::Kill(Party::Extension(0))]);
    assert_eq!(session.handle(2_101, lost(0)), [Effect::Down]);
}

#[test]
fn who_does_not_want_to_know_is_killed_and_who_asks_late_is_told() {
    let mut session = idle(&[Subscribed::Invoke]);
    session.handle(100, Input::Stop);
    assert_eq!(session.handle(101, exited(0)), [Effect::Kill(Party::Extension(0))]);

    let mut session = idle(&BOTH);
    session.handle(100, Input::Left(Seat(60)));
    session.handle(100, Input::Stop);
    assert_eq!(session.handle(101, exited(0)), []);
    let effects = session.handle(102, ask(61, A));
    assert_eq!(effects, [Effect::Farewell(Seat(61), Reason::Spindown, 2_100)]);
}

#[test]
fn an_internal_extension_gives_the_runtime_its_half_second() {
    let inputs = vec![Input::Boot, register(A, "inner", &[]), ask(60, A), Input::Next(Seat(0))];
    let (mut session, _) = after_all(settings(&[]), inputs);
    assert_eq!(session.handle(100, Input::Stop), [Effect::Terminate(Party::Runtime)]);
    assert_eq!(session.deadline(), Some(600));
}

#[test]
fn a_time_out_is_the_reason_that_extensions_are_told() {
    let mut session = idle(&BOTH);
    session.handle(0, Input::Submit(invocation("id")));
    session.handle(1, ask(61, A));
    session.handle(LIMIT, Input::Tick);
    let effects = session.handle(LIMIT + 1, exited(0));
    assert_eq!(effects, [Effect::Farewell(Seat(61), Reason::Timeout, LIMIT + 2_000)]);
}
