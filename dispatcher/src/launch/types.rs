//! What launchers are asked and what they answer, the same words for all of them. Pure.

use std::fmt;
use std::time::Duration;

/// Something was started, now or by an earlier request of the same token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Launched {
    /// What the launcher calls it: task ARN, container id, process id with its start time.
    pub id: String,
}

/// Nothing was started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refused {
    /// Not now: throttle, capacity, quota, no answer.
    Later {
        /// What was said.
        why: String,
        /// When to ask again.
        after: Duration,
        /// Whether the launcher would only repeat its answer to this token (ECS: idempotency): then the next
        /// request needs a new one. Never after a request whose answer was lost.
        anew: bool,
        /// Whether AWS has had enough of us (throttle, quota, no capacity): then fewer are to be started a second.
        /// What else is in the way, a full house of this machine among it, does not pass sooner for that.
        slower: bool,
    },
    /// It would be refused again whoever asks for this job: the placement is impossible.
    Never {
        /// What was said, and what to do.
        why: String,
    },
}

impl Refused {
    /// For a reason of its own, which passes or is mended; the same request may be made again.
    pub(super) fn later(why: String, after: Duration) -> Self {
        Self::Later { why, after, anew: false, slower: false }
    }
}

/// What is seen of something that was started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    /// It is not known, or not any more. Young tasks are not known at once.
    Absent,
    /// It is there.
    Alive {
        /// `PROVISIONING`, `PENDING`, `RUNNING`, …
        step: String,
    },
    /// It has ended.
    Over {
        /// Why, in words.
        reason: String,
        /// The exit code of the runner, if it ran.
        exit: Option<i32>,
        /// Why, in a word.
        cause: Cause,
    },
}

/// Why something that was started is over: a closed list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Cause {
    /// The runner ended by itself.
    Exited,
    /// Killed for its memory.
    OutOfMemory,
    /// The image could not be pulled.
    ImagePull,
    /// Network, secrets, logs or volumes were not there.
    Resources,
    /// The container could not be started.
    Start,
    /// A Spot reclaim.
    Spot,
    /// Maintenance or retirement of the host.
    Maintenance,
    /// There was no capacity for it.
    Capacity,
    /// Somebody stopped it.
    Stopped,
    /// Killed by a signal.
    Killed,
    /// The platform's own failure, or words that are not known.
    Platform,
}

impl Cause {
    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Exited => "exited",
            Self::OutOfMemory => "out-of-memory",
            Self::ImagePull => "image-pull",
            Self::Resources => "resources",
            Self::Start => "start",
            Self::Spot => "spot",
            Self::Maintenance => "maintenance",
            Self::Capacity => "capacity",
            Self::Stopped => "stopped",
            Self::Killed => "killed",
            Self::Platform => "platform",
        }
    }

    /// Whether the job is not to blame for it: such an end is not counted as an attempt.
    pub fn is_nobodys_fault(self) -> bool {
        matches!(self, Self::Spot | Self::Maintenance | Self::Capacity)
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}
