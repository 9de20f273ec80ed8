//! What a check is: a sentence, where AWS says so, the facts that must be seen, and the probe that sees them.

use std::cell::RefCell;
use std::fmt::{Display, Write as _};
use std::panic::{AssertUnwindSafe, catch_unwind};

use e2e::{Serve, Who};

/// One check.
#[derive(Debug)]
pub(crate) struct Check {
    /// The test's name.
    pub(crate) name: &'static str,
    /// What is checked.
    pub(crate) says: &'static str,
    /// Where the answers are from.
    pub(crate) see: Source,
    /// What is seen on Lambda: what is asked, what is answered.
    pub(crate) lambda: &'static [(&'static str, &'static str)],
    /// Where ours answers otherwise, on purpose: what is asked, what is answered, why.
    pub(crate) ours: &'static [(&'static str, &'static str, &'static str)],
    /// Why the emulator cannot run it, if it cannot.
    pub(crate) emulator: Option<&'static str>,
    /// Asks.
    pub(crate) probe: fn(&World),
}

/// Where AWS says it.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Source {
    /// A page of the developer guide.
    Guide(&'static str),
    /// The source of the emulator, which is that of Lambda's own sandbox.
    Rapid(&'static str),
    /// Recorded on AWS: snapshots that `LocalStack`'s tests compare with.
    Recorded(&'static str),
    /// What AWS's own clients send or need.
    Client(&'static str),
}

/// What a probe runs against, and what it has seen so far.
#[derive(Debug)]
pub(crate) struct World {
    who: Who,
    seen: RefCell<Vec<(String, String)>>,
    masks: RefCell<Vec<(String, String)>>,
}

impl World {
    /// A function behind an open door, its runtime a puppet.
    pub(crate) fn serve(&self) -> Serve {
        Serve::puppets(self.who, env!("CARGO_BIN_EXE_puppet"))
    }

    /// Is this ours?
    pub(crate) fn is_ours(&self) -> bool {
        self.who == Who::Ours
    }

    /// Takes a note of a fact.
    pub(crate) fn see(&self, what: &str, value: impl Display) {
        let masks = self.masks.borrow();
        let value = masks.iter().fold(value.to_string(), |text, (from, to)| text.replace(from, to));
        self.seen.borrow_mut().push((what.to_owned(), value));
    }

    /// In what is noted from now on, this name stands for that text.
    pub(crate) fn call(&self, name: &str, text: &str) {
        self.masks.borrow_mut().push((text.to_owned(), format!("<{name}>")));
    }

    /// What was seen of this.
    fn found(&self, what: &str) -> Option<String> {
        self.seen.borrow().iter().find(|(known, _)| known == what).map(|(_, value)| value.clone())
    }
}

impl Check {
    /// What is seen, and what stopped it.
    pub(crate) fn run(&self, who: Who) -> Seen {
        let world = World { who, seen: RefCell::default(), masks: RefCell::default() };
        let end = catch_unwind(AssertUnwindSafe(|| (self.probe)(&world)));
        let why = end.err().map(|panic| {
            let text = panic.downcast_ref::<String>().cloned();
            text.or_else(|| panic.downcast_ref::<&str>().map(|&text| text.to_owned()))
                .unwrap_or_default()
        });
        Seen { world, why }
    }

    /// What ours must answer.
    fn expected(&self, what: &str, lambda: &'static str) -> &'static str {
        let mut ours = self.ours.iter();
        ours.find(|(known, ..)| *known == what).map_or(lambda, |(_, answer, _)| answer)
    }
}

/// What a probe has seen.
#[derive(Debug)]
pub(crate) struct Seen {
    world: World,
    /// What it stumbled over.
    pub(crate) why: Option<String>,
}

impl Seen {
    /// The answer to this.
    pub(crate) fn of(&self, what: &str) -> Option<String> {
        self.world.found(what)
    }

    fn names(&self) -> Vec<String> {
        self.world.seen.borrow().iter().map(|(what, _)| what.clone()).collect()
    }
}

/// Runs a check against ours; panics with all that differs.
pub(crate) fn hold(checks: &[Check], name: &str) {
    let check = checks.iter().find(|check| check.name == name).unwrap();
    let seen = check.run(Who::Ours);
    let mut differs = String::new();
    for (what, lambda) in check.lambda {
        let expected = check.expected(what, lambda);
        let found = seen.of(what).unwrap_or_else(|| "not seen".to_owned());
        if found != expected {
            let _ = writeln!(differs, "  {what}\n    expected: {expected}\n    found:    {found}");
        }
    }
    for what in seen.names() {
        if !check.lambda.iter().any(|(known, _)| *known == what) {
            let _ = writeln!(differs, "  {what}\n    is not in the table of answers");
        }
    }
    if let Some(why) = seen.why {
        let _ = writeln!(differs, "  stopped: {why}");
    }
    assert!(differs.is_empty(), "{}\n{differs}", check.says);
}

/// A table of checks, and a test for each.
macro_rules! checks {
    ($($name:ident: $probe:path, $says:literal, $see:expr,
        [$($fact:expr),* $(,)?]
        $(, ours: [$($ours:expr),* $(,)?])?
        $(, emulator: $why:literal)?;)*
    ) => {
        pub(crate) const CHECKS: &[$crate::check::Check] = &[$($crate::check::Check {
            name: stringify!($name),
            says: $says,
            see: $see,
            lambda: &[$($fact),*],
            ours: &[$($($ours),*)?],
            emulator: $crate::check::optional!($($why)?),
            probe: $probe,
        }),*];
        $(#[test]
        fn $name() {
            $crate::check::hold(CHECKS, stringify!($name));
        })*
    };
}

macro_rules! optional {
    () => {
        None
    };
    ($why:literal) => {
        Some($why)
    };
}

pub(crate) use {checks, optional};
