//! What Lambda's control plane answers a second, and when it was asked. Pure; time is an argument.

use std::time::{Duration, Instant};

const SECOND: Duration = Duration::from_secs(1);

/// How often questions of one kind may be asked, and were.
#[derive(Debug, Default)]
pub struct Quota {
    /// So many are answered within a second; none: all.
    pub a_second: Option<usize>,
    answered: Vec<Instant>,
    asked: Vec<Instant>,
}

impl Quota {
    /// Whether a question is answered that is asked now.
    pub fn grants(&mut self, now: Instant) -> bool {
        self.asked.push(now);
        let within = self.answered.iter().rev().take_while(|&&then| now - then < SECOND).count();
        let grants = self.a_second.is_none_or(|most| within < most);
        self.answered.extend(grants.then_some(now));
        grants
    }

    /// How often it was asked.
    pub fn asked(&self) -> usize {
        self.asked.len()
    }

    /// How often it refused.
    pub fn refused(&self) -> usize {
        self.asked.len() - self.answered.len()
    }

    /// The most questions within a second, of those that came later than a second after the first.
    pub fn most(&self) -> usize {
        let later = self.asked.iter().filter(|&&when| when - self.asked[0] >= SECOND);
        let within = |from: Instant| {
            self.asked.iter().filter(|&&when| when >= from && when - from < SECOND).count()
        };
        later.map(|&from| within(from)).max().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_are_answered_within_a_second() {
        let (start, mut quota) = (Instant::now(), Quota { a_second: Some(2), ..Quota::default() });
        let at = |millis| start + Duration::from_millis(millis);
        let grants = [0, 10, 20, 1_005, 1_006, 1_020, 1_500].map(|when| quota.grants(at(when)));
        assert_eq!(grants, [true, true, false, true, false, true, false]);
        assert_eq!((quota.asked(), quota.refused(), quota.most()), (7, 3, 4));
    }
}
