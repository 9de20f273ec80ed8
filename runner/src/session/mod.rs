//! The state machine behind the Runtime and Extensions APIs: being rewritten.

mod types;

pub use types::{
    Effect, Ended, Exit, ExtensionId, ExtensionState, Failure, Feed, Input, Invocation, Kind,
    Millis, Party, Phase, Reason, Refusal, Seat, State, Subscribed, Upload, Verdict,
};
