//! What becomes of an event after an attempt: once more, and when, or the end. Pure.
//!
//! Source: Lambda developer guide, "How Lambda handles errors and retries with asynchronous invocation": two more
//! attempts after an error of the function's, one minute and then two minutes later; faults that are not the function's
//! do not count and are tried again, a second to five minutes later, for as long as the event is not too old.

use std::time::Duration;

/// How often and how long an event is tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// `MaximumRetryAttempts`: attempts after the first, 0 to 2 on Lambda.
    pub retries: u32,
    /// Time before each of them; the last stands for all further ones.
    pub delays: Vec<Duration>,
    /// Time before an attempt that failed through no fault of the function's is repeated, at first. It doubles.
    pub fault_delay: Duration,
    /// `MaximumEventAgeInSeconds`
    pub max_age: Duration,
}

/// The longest time between attempts that fail through no fault of the function's.
const LONGEST_FAULT_DELAY: Duration = Duration::from_mins(5);

impl Default for Policy {
    fn default() -> Self {
        Self {
            retries: 2,
            delays: vec![Duration::from_mins(1), Duration::from_mins(2)],
            fault_delay: Duration::from_secs(1),
            max_age: Duration::from_hours(6),
        }
    }
}

/// Why an event is done with. The names are those of the invocation record's `condition`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    /// The function succeeded.
    Success,
    /// It failed as often as it may.
    RetriesExhausted,
    /// The event became too old to be tried again.
    EventAgeExceeded,
}

impl Condition {
    /// `condition`
    pub const fn name(self) -> &'static str {
        match self {
            Self::Success => "Success",
            Self::RetriesExhausted => "RetriesExhausted",
            Self::EventAgeExceeded => "EventAgeExceeded",
        }
    }
}

/// How an attempt went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Went {
    /// The function succeeded.
    Well,
    /// The function failed.
    Badly,
    /// There was no answer.
    Nowhere,
}

/// How an event fared so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Course {
    /// Attempts that the function answered.
    pub(super) attempts: u32,
    /// Attempts in a row that nobody answered.
    pub(super) faults: u32,
}

/// What is next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// Once more after this time.
    Again(Duration),
    /// Nothing.
    End(Condition),
}

impl Course {
    /// Takes note of an attempt by an event of this age, and decides.
    pub(super) fn after(&mut self, went: Went, age: Duration, policy: &Policy) -> Next {
        let delay = match went {
            Went::Well => {
                self.attempts += 1;
                return Next::End(Condition::Success);
            }
            Went::Badly => {
                self.attempts += 1;
                self.faults = 0;
                if self.attempts > policy.retries {
                    return Next::End(Condition::RetriesExhausted);
                }
                let index = (self.attempts as usize - 1).min(policy.delays.len().max(1) - 1);
                policy.delays.get(index).copied().unwrap_or_default()
            }
            Went::Nowhere => {
                let doubled = 2_u32.saturating_pow(self.faults.min(16));
                self.faults += 1;
                policy.fault_delay.saturating_mul(doubled).min(LONGEST_FAULT_DELAY)
            }
        };
        if age.saturating_add(delay) > policy.max_age {
            return Next::End(Condition::EventAgeExceeded);
        }
        Next::Again(delay)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const YOUNG: Duration = Duration::ZERO;

    #[test]
    fn a_failing_function_is_tried_three_times() {
        let (mut course, policy) = (Course::default(), Policy::default());
        let mut after = || course.after(Went::Badly, YOUNG, &policy);
        assert_eq!(after(), Next::Again(Duration::from_mins(1)));
        assert_eq!(after(), Next::Again(Duration::from_mins(2)));
        assert_eq!(after(), Next::End(Condition::RetriesExhausted));
        assert_eq!(course.attempts, 3);
    }

    #[test]
    fn success_is_the_end() {
        let mut course = Course { attempts: 1, faults: 0 };
        let next = course.after(Went::Well, YOUNG, &Policy::default());
        assert_eq!((next, course.attempts), (Next::End(Condition::Success), 2));
    }

    #[test]
    fn without_retries_the_first_failure_is_the_end() {
        let policy = Policy { retries: 0, ..Policy::default() };
        let next = Course::default().after(Went::Badly, YOUNG, &policy);
        assert_eq!(next, Next::End(Condition::RetriesExhausted));
    }

    #[test]
    fn more_retries_than_delays_repeat_the_last_delay() {
        let delays = vec![Duration::from_secs(7)];
        let policy = Policy { retries: 5, delays, ..Policy::default() };
        let mut course = Course::default();
        for _ in 0..5 {
            let next = course.after(Went::Badly, YOUNG, &policy);
            assert_eq!(next, Next::Again(Duration::from_secs(7)));
        }
        let none = Policy { delays: Vec::new(), ..Policy::default() };
        assert_eq!(Course::default().after(Went::Badly, YOUNG, &none), Next::Again(YOUNG));
    }

    #[test]
    fn faults_are_no_attempts_and_come_ever_more_rarely() {
        let (mut course, policy) = (Course::default(), Policy::default());
        let mut seconds = Vec::new();
        for _ in 0..40 {
            match course.after(Went::Nowhere, YOUNG, &policy) {
                Next::Again(delay) => seconds.push(delay.as_secs()),
                end @ Next::End(_) => panic!("{end:?}"),
            }
        }
        assert_eq!(seconds[..10], [1, 2, 4, 8, 16, 32, 64, 128, 256, 300]);
        assert_eq!((seconds[39], course.attempts), (300, 0));
    }

    #[test]
    fn an_event_that_would_be_too_old_by_then_is_given_up() {
        let policy = Policy { max_age: Duration::from_secs(90), ..Policy::default() };
        let mut course = Course::default();
        let after = |course: &mut Course, seconds| {
            course.after(Went::Badly, Duration::from_secs(seconds), &policy)
        };
        assert_eq!(after(&mut course, 30), Next::Again(Duration::from_mins(1)));
        assert_eq!(after(&mut course, 90), Next::End(Condition::EventAgeExceeded));
    }
}
