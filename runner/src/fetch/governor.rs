//! Decides when one more connection is worth it. Pure; time and counts are arguments.

use std::time::Duration;

/// How often to ask.
pub(super) const TICK: Duration = Duration::from_millis(50);
/// A connection more has to bring a fifth more, or it is the last one.
const WORTH: f64 = 1.2;
/// Ticks until a new connection runs at its full speed.
const SETTLING: u32 = 3;

/// What has been seen so far.
#[derive(Debug)]
pub(super) struct Governor {
    most: usize,
    connections: usize,
    /// Bytes per tick before the last connection was added.
    before: f64,
    ticks: u32,
    enough: bool,
}

impl Governor {
    /// Begins with one connection, and may go to `most`.
    pub(super) const fn new(most: usize) -> Self {
        Self { most, connections: 1, before: 0.0, ticks: 0, enough: most <= 1 }
    }

    /// Whether there is nothing to decide any more.
    pub(super) const fn enough(&self) -> bool {
        self.enough
    }

    /// After one tick in which `bytes` came; `held_up` says that it was not the network that limited
    /// it. Returns whether to add a connection.
    pub(super) fn tick(&mut self, bytes: u32, held_up: bool) -> bool {
        if held_up || self.enough {
            self.ticks = 0;
            return false;
        }
        self.ticks += 1;
        if self.ticks < SETTLING {
            return false;
        }
        let rate = f64::from(bytes);
        self.enough = rate < self.before * WORTH || self.connections >= self.most;
        if !self.enough {
            (self.before, self.ticks) = (rate, 0);
            self.connections += 1;
        }
        !self.enough
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Connections in the end, where a link of `link` bytes per tick gives each at most `each`.
    fn connections(link: u32, each: u32) -> usize {
        let (mut governor, mut count) = (Governor::new(4), 1);
        for _ in 0..100 {
            count += u32::from(governor.tick(link.min(each * count), false));
        }
        count as usize
    }

    #[test]
    fn connections_are_added_while_they_bring_something() {
        assert_eq!(connections(1000, 100), 4);
        assert_eq!(connections(200, 100), 3);
        assert_eq!(connections(100, 100), 2);
    }

    #[test]
    fn none_is_added_while_others_hold_up_or_where_one_is_allowed() {
        let mut governor = Governor::new(4);
        assert!((0..100).all(|_| !governor.tick(100, true)));
        let mut governor = Governor::new(1);
        assert!((0..100).all(|_| !governor.tick(100, false)));
    }
}
