//! Each call in each state of the runtime: the cells of the state table, one fact each.

use e2e::Served;
use e2e::wire::Answer;

use crate::cast::{RUNTIME, Runtime, id};
use crate::check::Source::Rapid;
use crate::check::{World, checks};

const CALLS: [&str; 5] = ["next", "response", "error", "init/error", "restore/next"];

fn one(runtime: &mut Runtime, call: &str, id: &str) -> Answer {
    match call {
        "next" => runtime.next(),
        "response" | "error" => runtime.posts(id, call, "{}"),
        "init/error" => runtime.init_error("{}"),
        _ => runtime.call("GET", &format!("{RUNTIME}/restore/next"), &[], ""),
    }
}

/// Each of these calls in a state of its own, which is reached anew every time.
fn cells(world: &World, calls: &[&str], reach: fn(&Served) -> (Runtime, String)) {
    for call in calls {
        let served = world.serve().open();
        let waiting = served.invoking("{}");
        let (mut runtime, id) = reach(&served);
        let answer = one(&mut runtime, call, &id);
        world.see(call, answer.brief());
        drop(served);
        drop(waiting);
    }
}

fn started(world: &World) {
    cells(world, &CALLS, |served| (Runtime::enter(served), "x".into()));
}

fn running(world: &World) {
    cells(world, &CALLS, |served| {
        let mut runtime = Runtime::enter(served);
        let given = runtime.next();
        let id = id(&given).to_owned();
        (runtime, id)
    });
}

/// An answer's upload has begun and does not end.
fn receiving(world: &World) {
    for call in CALLS {
        let served = world.serve().open();
        let (mut runtime, waiting, given) = Runtime::start(&served, "{}");
        let mut upload = e2e::wire::Wire::connect(&runtime.api).unwrap();
        let headers = [("content-length", "9"), ("expect", "100-continue")];
        let head = upload.head("POST", &Runtime::response(&given), &headers);
        upload.send(head).unwrap();
        // The body is wanted: the upload has reached the session.
        assert!(!upload.is_closed());
        world.see(call, one(&mut runtime, call, id(&given)).brief());
        drop((upload, served, waiting));
    }
}

fn sent(world: &World) {
    cells(world, &CALLS[1..], |served| {
        let mut runtime = Runtime::enter(served);
        let given = runtime.next();
        runtime.responds(&given, "{}");
        let id = id(&given).to_owned();
        (runtime, id)
    });
    let served = world.serve().open();
    let (mut runtime, waiting, given) = Runtime::start(&served, "{}");
    runtime.responds(&given, "{}");
    waiting.answer();
    runtime.parks();
    world.see("next parks", runtime.wire().is_quiet());
    let waiting = served.invoking("2");
    world.see("next", runtime.parked().brief());
    drop(waiting);
}

fn init_failed(world: &World) {
    cells(world, &CALLS, |served| {
        let mut runtime = Runtime::enter(served);
        runtime.init_error("{}");
        (runtime, "x".into())
    });
}

checks! {
    state_started: started,
        "A runtime that has not called yet",
        Rapid("core/states.go"),
        [
            ("next", "200 {}"),
            ("response", "400 InvalidRequestID: Invalid request ID"),
            ("error", "400 InvalidRequestID: Invalid request ID"),
            ("init/error", "202 {\"status\":\"OK\"}"),
            ("restore/next", "404 404 page not found"),
        ];
    state_running: running,
        "A runtime that has an event and has not answered",
        Rapid("core/states.go"),
        [
            ("next", "200 {}"),
            ("response", "202 {\"status\":\"OK\"}"),
            ("error", "202 {\"status\":\"OK\"}"),
            ("init/error", "403 InvalidStateTransition: State transition from Running to InitError failed for runtime. Error: State transition is not allowed"),
            ("restore/next", "404 404 page not found"),
        ];
    state_receiving: receiving,
        "A runtime whose answer is being uploaded",
        Rapid("core/states.go"),
        [
            ("next", "403 InvalidStateTransition: State transition from InvocationResponse to Ready failed for runtime. Error: State transition is not allowed"),
            ("response", "403 InvalidStateTransition: State transition from InvocationResponse to InvocationResponse failed for runtime. Error: State transition is not allowed"),
            ("error", "403 InvalidStateTransition: State transition from InvocationResponse to InvocationErrorResponse failed for runtime. Error: State transition is not allowed"),
            ("init/error", "403 InvalidStateTransition: State transition from InvocationResponse to InitError failed for runtime. Error: State transition is not allowed"),
            ("restore/next", "404 404 page not found"),
        ];
    state_sent: sent,
        "A runtime that has answered and not yet asked for the next event",
        Rapid("core/states.go"),
        [
            ("next parks", "true"),
            ("next", "200 2"),
            ("response", "403 InvalidStateTransition: State transition from RuntimeResponseSentState to InvocationResponse failed for runtime. Error: State transition is not allowed"),
            ("error", "403 InvalidStateTransition: State transition from RuntimeResponseSentState to InvocationErrorResponse failed for runtime. Error: State transition is not allowed"),
            ("init/error", "403 InvalidStateTransition: State transition from RuntimeResponseSentState to InitError failed for runtime. Error: State transition is not allowed"),
            ("restore/next", "404 404 page not found"),
        ];
    state_init_error: init_failed,
        "A runtime that said it could not start the function",
        Rapid("core/states.go"),
        [
            ("next", "403 InvalidStateTransition: State transition from InitError to Ready failed for runtime. Error: State transition is not allowed"),
            ("response", "400 InvalidRequestID: Invalid request ID"),
            ("error", "400 InvalidRequestID: Invalid request ID"),
            ("init/error", "403 InvalidStateTransition: State transition from InitError to InitError failed for runtime. Error: State transition is not allowed"),
            ("restore/next", "404 404 page not found"),
        ];
}
