//! What must hold after each step of any sequence of inputs.

use std::collections::HashMap;

use super::*;

/// The inputs; seats are numbered by position in the sequence.
const ALPHABET: usize = 15;

fn letter(letter: usize, position: u64, session: &Session<u32>) -> Input<u32> {
    let seat = Seat(position);
    let id = ExtensionId(1);
    match letter {
        0 => Input::Next(seat),
        1 => begin(position, "id", Kind::Response),
        2 => begin(position, "id", Kind::Error),
        3 => begin(position, "", Kind::InitError),
        4 => Input::End { seat: Seat(position - 1), upload: Upload::Complete(1) },
        5 => Input::End { seat: Seat(position - 1), upload: Upload::Refused(Refusal::Truncated) },
        6 => exited(1),
        7 => Input::Exited(Party::Extension(0), Exit::Code(1)),
        8 => Input::Tick,
        9 => Input::Stop,
        10 => Input::Register { seat, id, name: "a".into(), events: vec![Subscribed::Invoke] },
        11 => Input::ExtensionNext { seat, id },
        12 => Input::ExtensionFault { seat, id, init: session.deadline().is_some() },
        13 => Input::Left(Seat(position - 1)),
        _ => Input::Submit(invocation("id")),
    }
}

#[derive(Default)]
struct Law {
    submitted: bool,
    stopped: bool,
    answers: usize,
    ends: usize,
    /// Processes that were started.
    processes: HashMap<Party, Process>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Process {
    Alive,
    /// And not gone yet: the kernel takes its time, or for ever.
    Killed,
    Gone,
}

impl Law {
    fn see(&mut self, input: &Input<u32>, effects: &[Effect<u32>], trace: &[usize]) {
        self.submitted |= matches!(input, Input::Submit(_));
        self.stopped |= matches!(input, Input::Stop);
        if let Input::Exited(party, _) = input {
            self.processes.insert(*party, Process::Gone);
        }
        let replies = effects.iter().filter(|effect| is_reply(effect)).count();
        let call =
            matches!(input, Input::Begin { .. } | Input::End { .. } | Input::Register { .. });
        assert!(!call || replies == 1, "a call without exactly one answer: {trace:?}");
        for effect in effects {
            match effect {
                Effect::Answered(..) => self.answers += 1,
                Effect::Finished(..) => self.ends += 1,
                Effect::Deliver(..) => {
                    let runtime = self.processes[&Party::Runtime];
                    assert_ne!(runtime, Process::Gone, "an event for the dead: {trace:?}");
                }
                Effect::Started(_) => {
                    assert!(!self.stopped, "an event after the stop: {trace:?}");
                }
                Effect::Start(party) => {
                    let before = self.processes.insert(*party, Process::Alive);
                    assert_ne!(before, Some(Process::Alive), "started twice: {trace:?}");
                }
                Effect::Kill(party) => {
                    let before = self.processes.insert(*party, Process::Killed);
                    assert!(
                        before.is_some_and(|it| it != Process::Gone),
                        "killed for nothing: {trace:?}"
                    );
                }
                Effect::Down => {
                    assert!(!self.any_alive(), "down, and alive: {trace:?}");
                }
                _ => {}
            }
        }
        assert!(self.answers <= 1 && self.ends <= 1, "two outcomes: {trace:?}");
        assert!(self.ends <= self.answers, "over and not answered: {trace:?}");
        assert!(self.answers == 0 || self.submitted, "an answer to nothing: {trace:?}");
    }
}

impl Law {
    fn any_alive(&self) -> bool {
        self.processes.values().any(|process| *process == Process::Alive)
    }
}

fn is_reply(effect: &Effect<u32>) -> bool {
    matches!(
        effect,
        Effect::Proceed(..) | Effect::Accept(_) | Effect::Refuse(..) | Effect::Registered(..)
    )
}

/// Can this letter be said after these? One submit and one stop at most; no process exits that is
/// not alive; uploads end only after something.
fn possible(next: usize, trace: &[usize], law: &Law) -> bool {
    let alive = |party| law.processes.get(&party).is_some_and(|it| *it != Process::Gone);
    match next {
        4 | 5 | 13 => !trace.is_empty(),
        6 => alive(Party::Runtime),
        7 => alive(Party::Extension(0)),
        9 | 14 => !trace.contains(&next),
        _ => true,
    }
}

fn replay(settings: &Settings, trace: &[usize]) -> Law {
    let (mut session, mut law) = (Session::new(settings.clone()), Law::default());
    let boot = session.handle(0, Input::Boot);
    law.see(&Input::Boot, &boot, trace);
    for (position, step) in trace.iter().enumerate() {
        let position = position as u64 + 1;
        let input = letter(*step, position, &session);
        // Far enough apart that any deadline has passed at the next tick.
        let effects = session.handle(position * 20_000, input.clone());
        law.see(&input, &effects, trace);
    }
    law
}

fn explore(settings: &Settings, trace: &mut Vec<usize>, depth: usize, visited: &mut u64) {
    *visited += 1;
    let law = replay(settings, trace);
    if trace.len() == depth {
        return;
    }
    for next in 0..ALPHABET {
        if possible(next, trace, &law) {
            trace.push(next);
            explore(settings, trace, depth, visited);
            trace.pop();
        }
    }
}

#[test]
fn all_short_sequences_keep_the_law() {
    for extensions in [&[][..], &["a"]] {
        let mut visited = 0;
        explore(&settings(extensions), &mut Vec::new(), 4, &mut visited);
        assert!(visited > 10_000, "the exploration covers too little: {visited}");
    }
}

/// Long random walks: whatever happens, a stop and enough time bring everything down, and an
/// invocation that was submitted is answered once.
#[test]
fn whatever_happens_a_stop_brings_everything_down() {
    use proptest::prelude::*;
    let walk = (any::<bool>(), any::<bool>(), prop::collection::vec(0..ALPHABET, 0..40));
    proptest!(ProptestConfig::with_cases(2_000), |((extension, concurrent, letters) in walk)| {
        let names: &[&str] = if extension { &["a"] } else { &[] };
        let settings = Settings { concurrent, ..settings(names) };
        let mut trace = vec![14];
        for next in letters {
            let law = replay(&settings, &trace);
            if possible(next, &trace, &law) {
                trace.push(next);
            }
        }
        if !trace.contains(&9) {
            trace.push(9);
        }
        // The kernel does what it is told.
        for _ in 0..8 {
            let law = replay(&settings, &trace);
            let ends: Vec<usize> =
                [6, 7].into_iter().filter(|next| possible(*next, &trace, &law)).collect();
            trace.extend(ends);
            trace.push(8);
        }
        let law = replay(&settings, &trace);
        prop_assert!(law.answers == 1 && law.ends == 1, "{trace:?}");
        prop_assert!(!law.any_alive(), "{trace:?}");
    });
}
