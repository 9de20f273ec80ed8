//! The extensions of an environment: who has registered, what each was told, who is waited for.
//! Source: Lambda developer guide, "Using the Lambda Extensions API"; states as in AWS's emulator.

use super::{ExtensionId, ExtensionState, Invocation, Refusal, Seat, Subscribed};

/// The most extensions of one environment, external and internal together.
const MOST: usize = 10;

/// One extension.
#[derive(Debug)]
pub(super) struct Extension {
    pub(super) name: String,
    pub(super) state: ExtensionState,
    pub(super) events: Vec<Subscribed>,
    /// A thread of the runtime's rather than a process of its own.
    internal: bool,
    id: Option<ExtensionId>,
    seat: Option<Seat>,
    /// An event that came while it was not asking.
    owed: Option<Owed>,
}

/// What an extension is to be told when it asks.
#[derive(Debug)]
enum Owed {
    Invocation(Invocation),
    Farewell,
}

/// What there is for an extension that asks.
#[derive(Debug)]
pub(super) enum Told {
    /// Nothing yet: it waits.
    Nothing,
    /// It missed this.
    Invocation(Invocation),
    /// The environment is ending.
    Farewell,
}

impl Extension {
    fn new(name: &str, internal: bool) -> Self {
        Self {
            name: name.to_owned(),
            state: ExtensionState::Started,
            events: Vec::new(),
            internal,
            id: None,
            seat: None,
            owed: None,
        }
    }

    pub(super) fn wants(&self, event: Subscribed) -> bool {
        self.events.contains(&event)
    }

    fn has_registered(&self) -> bool {
        self.id.is_some()
    }

    fn is_alive(&self) -> bool {
        use ExtensionState as State;
        !self.internal && !matches!(self.state, State::Exited | State::LaunchError)
    }

    fn transition(&self, to: ExtensionState) -> Refusal {
        Refusal::ExtensionTransition { from: self.state, to }
    }
}

/// All of them: the external ones first, in the order in which they are started.
#[derive(Debug, Default)]
pub(super) struct Extensions(Vec<Extension>);

impl Extensions {
    /// These external ones, about to be started.
    pub(super) fn new(names: &[String]) -> Self {
        Self(names.iter().map(|name| Extension::new(name, false)).collect())
    }

    pub(super) fn too_many(&self) -> bool {
        self.0.len() > MOST
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Extension> {
        self.0.iter().filter(|extension| extension.has_registered())
    }

    /// Positions of the external ones whose processes run.
    pub(super) fn alive(&self) -> Vec<usize> {
        (0..self.0.len()).filter(|index| self.0[*index].is_alive()).collect()
    }

    pub(super) fn any_registered(&self) -> bool {
        self.0.iter().any(Extension::has_registered)
    }

    /// Have all external ones registered?
    pub(super) fn all_registered(&self) -> bool {
        self.0.iter().all(Extension::has_registered)
    }

    /// Do all that have registered wait for an event?
    pub(super) fn all_ready(&self) -> bool {
        self.iter().all(|extension| extension.state == ExtensionState::Ready)
    }

    /// Is one of them busy with an event?
    pub(super) fn any_running(&self) -> bool {
        self.iter().any(|extension| extension.state == ExtensionState::Running)
    }

    /// Registers an extension; a name that is not an external one's is a new internal one's.
    pub(super) fn register(
        &mut self,
        id: ExtensionId,
        name: &str,
        events: Vec<Subscribed>,
    ) -> Result<(), Refusal> {
        let found = self.0.iter().position(|extension| extension.name == name);
        if found.is_some_and(|index| self.0[index].state != ExtensionState::Started) {
            return Err(Refusal::AlreadyRegistered);
        }
        let internal = found.is_none_or(|index| self.0[index].internal);
        if internal && events.contains(&Subscribed::Shutdown) {
            return Err(Refusal::ShutdownForInternal);
        }
        if found.is_none() && self.0.len() >= MOST {
            return Err(Refusal::TooManyExtensions);
        }
        let index = found.unwrap_or_else(|| {
            self.0.push(Extension::new(name, true));
            self.0.len() - 1
        });
        let extension = &mut self.0[index];
        (extension.id, extension.events) = (Some(id), events);
        extension.state = ExtensionState::Registered;
        Ok(())
    }

    pub(super) fn find(&mut self, id: ExtensionId) -> Result<&mut Extension, Refusal> {
        let found = self.0.iter_mut().find(|extension| extension.id == Some(id));
        found.ok_or(Refusal::UnknownExtension(id))
    }

    /// It asks for an event.
    pub(super) fn next(&mut self, seat: Seat, id: ExtensionId) -> Result<Told, Refusal> {
        use ExtensionState as State;
        let extension = self.find(id)?;
        let may = match extension.state {
            State::Registered | State::Running => true,
            State::Ready => extension.seat.is_none(),
            State::Started
            | State::InitError
            | State::ExitError
            | State::LaunchError
            | State::Exited => false,
        };
        if !may {
            return Err(extension.transition(State::Ready));
        }
        match extension.owed.take() {
            Some(Owed::Invocation(invocation)) => {
                extension.state = State::Running;
                Ok(Told::Invocation(invocation))
            }
            Some(Owed::Farewell) => Ok(Told::Farewell),
            None => {
                (extension.state, extension.seat) = (State::Ready, Some(seat));
                Ok(Told::Nothing)
            }
        }
    }

    /// It says that something is wrong with it. Saying so again changes nothing.
    pub(super) fn fault(&mut self, id: ExtensionId, init: bool) -> Result<(), Refusal> {
        use ExtensionState as State;
        let extension = self.find(id)?;
        let to = if init { State::InitError } else { State::ExitError };
        match extension.state {
            State::Registered => extension.state = to,
            State::Ready | State::Running if !init => extension.state = to,
            state if state == to => {}
            _ => return Err(extension.transition(to)),
        }
        Ok(())
    }

    /// A connection is gone; its extension may ask again.
    pub(super) fn left(&mut self, seat: Seat) {
        for extension in &mut self.0 {
            extension.seat = extension.seat.filter(|parked| *parked != seat);
        }
    }

    /// Tells those who want to know of an invocation; the seats are those that can be told now.
    pub(super) fn invoke(&mut self, invocation: &Invocation) -> Vec<Seat> {
        let mut told = Vec::new();
        for extension in &mut self.0 {
            if extension.has_registered() && extension.wants(Subscribed::Invoke) {
                extension.state = ExtensionState::Running;
                match extension.seat.take() {
                    Some(seat) => told.push(seat),
                    None => extension.owed = Some(Owed::Invocation(invocation.clone())),
                }
            }
        }
        told
    }

    /// Tells those who want to know that the environment ends. Gives the seats that can be told
    /// now, and the positions of those processes that are not to be told.
    pub(super) fn farewell(&mut self) -> (Vec<Seat>, Vec<usize>) {
        let (mut told, mut rest) = (Vec::new(), Vec::new());
        for (index, extension) in self.0.iter_mut().enumerate() {
            if !extension.is_alive() {
                continue;
            }
            if !extension.has_registered() || !extension.wants(Subscribed::Shutdown) {
                rest.push(index);
            } else if let Some(seat) = extension.seat.take() {
                told.push(seat);
            } else {
                extension.owed = Some(Owed::Farewell);
            }
        }
        (told, rest)
    }

    /// Its process is gone, or was never there. Was it alive?
    pub(super) fn gone(&mut self, index: usize, state: ExtensionState) -> bool {
        let Some(extension) = self.0.get_mut(index) else { return false };
        let was = extension.is_alive();
        (extension.state, extension.seat, extension.owed) = (state, None, None);
        was
    }
}
