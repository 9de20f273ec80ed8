//! The parts that puppets play: a runtime and an extension, in the words of their APIs. The requests are the test's
//! own; the puppet is the process that they belong to.

use e2e::wire::{self, Answer, Wire};
use e2e::{Invoking, Puppet, Served};
use serde_json::Value;

/// Where the runtime's calls are.
pub(crate) const RUNTIME: &str = "/2018-06-01/runtime";
/// Where the extensions' calls are.
pub(crate) const EXTENSION: &str = "/2020-01-01/extension";

/// A language runtime.
#[derive(Debug)]
pub(crate) struct Runtime {
    /// Its process.
    pub(crate) puppet: Puppet,
    /// Its API.
    pub(crate) api: String,
    wire: Option<Wire>,
}

impl Runtime {
    /// As soon as it is started.
    #[track_caller]
    pub(crate) fn enter(served: &Served) -> Self {
        let puppet = served.runtime();
        let api = puppet.api();
        Self { puppet, api, wire: None }
    }

    /// Invokes, and is given the event.
    #[track_caller]
    pub(crate) fn start(served: &Served, event: &str) -> (Self, Invoking, Answer) {
        let invoking = served.invoking(event);
        let mut runtime = Self::enter(served);
        let given = runtime.next();
        (runtime, invoking, given)
    }

    /// Its one lasting connection.
    pub(crate) fn wire(&mut self) -> &mut Wire {
        let lasting = self.wire.take().or_else(|| Wire::connect(&self.api).ok());
        self.wire.insert(lasting.expect("the Runtime API listens"))
    }

    /// One call on the lasting connection; status 0 where none came.
    pub(crate) fn call(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl AsRef<[u8]>,
    ) -> Answer {
        let answer = self.wire().call(method, path, headers, body).unwrap_or_default();
        if !answer.lasting {
            self.wire = None;
        }
        answer
    }

    /// `GET …/invocation/next`
    pub(crate) fn next(&mut self) -> Answer {
        self.call("GET", &format!("{RUNTIME}/invocation/next"), &[], "")
    }

    /// The same, but nobody waits for the answer.
    pub(crate) fn parks(&mut self) {
        self.wire().ask("GET", &format!("{RUNTIME}/invocation/next"), &[], b"").unwrap();
    }

    /// The answer to what was parked.
    pub(crate) fn parked(&mut self) -> Answer {
        self.wire().answer().unwrap_or_default()
    }

    /// `POST …/invocation/{id}/{what}`
    pub(crate) fn posts(&mut self, id: &str, what: &str, body: impl AsRef<[u8]>) -> Answer {
        self.call("POST", &format!("{RUNTIME}/invocation/{id}/{what}"), &[], body)
    }

    /// `POST …/invocation/{id}/response`
    pub(crate) fn responds(&mut self, given: &Answer, body: impl AsRef<[u8]>) -> Answer {
        self.posts(id(given), "response", body)
    }

    /// `POST …/init/error`
    pub(crate) fn init_error(&mut self, body: &str) -> Answer {
        self.call("POST", &format!("{RUNTIME}/init/error"), &[], body)
    }

    /// The path of its answer.
    pub(crate) fn response(given: &Answer) -> String {
        format!("{RUNTIME}/invocation/{}/response", id(given))
    }

    /// Its connections close, and it ends.
    pub(crate) fn exits(self, code: i32) {
        drop(self.wire);
        self.puppet.exits(code);
    }

    /// The same by a signal.
    pub(crate) fn dies(self, signal: i32) {
        drop(self.wire);
        self.puppet.dies(signal);
    }
}

/// The request id of what `next` gave.
pub(crate) fn id(given: &Answer) -> &str {
    given.header("lambda-runtime-aws-request-id")
}

/// An extension.
#[derive(Debug)]
pub(crate) struct Extension {
    /// Its process; none of an internal one's.
    pub(crate) puppet: Option<Puppet>,
    api: String,
    /// Its identifier.
    pub(crate) id: String,
    wire: Option<Wire>,
}

impl Extension {
    /// An external one, as soon as it is started.
    #[track_caller]
    pub(crate) fn enter(served: &Served, name: &str) -> Self {
        let puppet = served.stage.enter(name);
        let api = puppet.api();
        Self { puppet: Some(puppet), api, id: String::new(), wire: None }
    }

    /// An external one that registers.
    #[track_caller]
    pub(crate) fn registered(served: &Served, name: &str, events: &[&str]) -> Self {
        let mut extension = Self::enter(served, name);
        let answer = extension.registers(name, events);
        assert_eq!(answer.status, 200, "{name} registers: {}", answer.brief());
        extension
    }

    /// One within the runtime.
    pub(crate) fn within(runtime: &Runtime) -> Self {
        Self { puppet: None, api: runtime.api.clone(), id: String::new(), wire: None }
    }

    /// `POST …/extension/register`
    pub(crate) fn registers(&mut self, name: &str, events: &[&str]) -> Answer {
        let events = serde_json::json!({ "events": events }).to_string();
        self.register(&[("lambda-extension-name", name)], &events)
    }

    /// The same with any headers and body.
    pub(crate) fn register(&mut self, headers: &[(&str, &str)], body: &str) -> Answer {
        let answer = self.call("POST", &format!("{EXTENSION}/register"), headers, body);
        if answer.status == 200 {
            answer.header("lambda-extension-identifier").clone_into(&mut self.id);
        }
        answer
    }

    /// A call on a connection of its own.
    pub(crate) fn call(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Answer {
        wire::call(&self.api, method, path, headers, body).unwrap_or_default()
    }

    /// A call that says who calls.
    pub(crate) fn says(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Answer {
        let who = [("lambda-extension-identifier", self.id.as_str())];
        self.call(method, path, &[&who, headers].concat(), body)
    }

    /// `GET …/extension/event/next`, whose answer is read later.
    pub(crate) fn parks(&mut self) {
        let mut wire = Wire::connect(&self.api).unwrap();
        let who = [("lambda-extension-identifier", self.id.as_str())];
        wire.ask("GET", &format!("{EXTENSION}/event/next"), &who, b"").unwrap();
        self.wire = Some(wire);
    }

    /// The answer to what was parked; status 0 where none came.
    pub(crate) fn parked(&mut self) -> Answer {
        let wire = self.wire.as_mut().expect("it has parked");
        wire.answer().unwrap_or_default()
    }

    /// `PUT /2022-07-01/telemetry`
    pub(crate) fn subscribes(&self, body: &Value) -> Answer {
        self.says("PUT", "/2022-07-01/telemetry", &[], &body.to_string())
    }

    /// Its connections close, and it ends.
    pub(crate) fn exits(mut self, code: i32) {
        drop(self.wire.take());
        if let Some(puppet) = self.puppet {
            puppet.exits(code);
        }
    }
}
