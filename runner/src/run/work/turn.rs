//! Which attempt a worker makes whose message points to one that somebody had before: the records of a job's attempts →
//! what is to be done. Pure. Claiming is a create-if-absent: who reads the same records is told so there.

use std::time::Duration;

use ledger::{Attempt, State, Time};

/// What is to be done.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// This attempt is to be claimed.
    Claim(u32),
    /// Its owner is at work, and will have been heard of again by then.
    Wait(Duration),
    /// Whoever looks after unfinished jobs decides what becomes of it, for this reason.
    Leave(String),
}

/// What becomes of a message that points to this attempt. A worker makes `most` attempts at a job by itself.
pub(super) fn turn(pointer: u32, attempts: &[Attempt], most: u32, now: Time) -> Turn {
    let Some(last) = attempts.last() else { return Turn::Claim(pointer) };
    if last.is_alive(now) {
        return Turn::Wait(last.alive_until.map_or(Duration::ZERO, |until| until.since(now)));
    }
    if pointer > last.number {
        return Turn::Claim(pointer);
    }
    if last.state == State::Claimed && last.alive_until.is_none() {
        return Turn::Leave(format!(
            "attempt {} is a container's, which is seen to elsewhere",
            last.number
        ));
    }
    let counted = attempts.iter().filter(|attempt| attempt.state != State::Interrupted).count();
    if u32::try_from(counted).unwrap_or(u32::MAX) >= most {
        return Turn::Leave(format!("its {most} attempts are used up"));
    }
    Turn::Claim(last.number + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempt(number: u32, state: State, alive_until: Option<u64>) -> Attempt {
        let attempt = Attempt::new(number, "0", Time::from_millis(0));
        Attempt { state, alive_until: alive_until.map(Time::from_millis), ..attempt }
    }

    fn of(pointer: u32, attempts: &[Attempt]) -> Turn {
        turn(pointer, attempts, 3, Time::from_millis(1_000))
    }

    #[test]
    fn the_first_message_makes_its_attempt() {
        assert_eq!(of(1, &[]), Turn::Claim(1));
        assert_eq!(of(4, &[]), Turn::Claim(4));
    }

    #[test]
    fn an_owner_who_is_at_work_is_waited_for_whatever_the_message_says() {
        let alive = attempt(1, State::Claimed, Some(61_000));
        for pointer in [1, 2] {
            let turn = of(pointer, std::slice::from_ref(&alive));
            assert_eq!(turn, Turn::Wait(Duration::from_mins(1)));
        }
    }

    #[test]
    fn after_one_that_died_or_was_handed_back_comes_the_next() {
        for last in [
            attempt(1, State::Claimed, Some(1_000)),
            attempt(1, State::Interrupted, None),
            attempt(1, State::Ended, None),
        ] {
            assert_eq!(of(1, std::slice::from_ref(&last)), Turn::Claim(2));
            assert_eq!(of(3, &[last]), Turn::Claim(3));
        }
    }

    #[test]
    fn a_containers_attempt_is_not_ours_to_judge() {
        let task = attempt(1, State::Claimed, None);
        assert!(matches!(of(1, std::slice::from_ref(&task)), Turn::Leave(_)));
        // Whoever sent this has seen that it is over.
        assert_eq!(of(2, &[task]), Turn::Claim(2));
    }

    #[test]
    fn attempts_end_but_for_those_that_were_handed_back() {
        let died = |number| attempt(number, State::Claimed, Some(0));
        let back = |number| attempt(number, State::Interrupted, None);
        assert!(matches!(of(1, &[died(1), died(2), died(3)]), Turn::Leave(_)));
        assert_eq!(of(1, &[died(1), back(2), back(3), died(4)]), Turn::Claim(5));
    }
}
